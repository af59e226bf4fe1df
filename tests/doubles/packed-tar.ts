/** Tars by tar-stream: bytes that our writer did not make. */
import { type Pack, pack } from "tar-stream";

/** The tar that `fill` writes. */
export async function packedTar(fill: (tar: Pack) => void): Promise<Buffer> {
  const tar = pack();
  fill(tar);
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** How a tar may come, and the program of the host that makes it so of a plain one. */
export const compressors: readonly (readonly [name: string, command: string])[] = [
  ["tar", "cat"],
  ["tar.gz", "gzip"],
  ["tar.bz2", "bzip2"],
  ["tar.xz", "xz -1"],
  ["tar.zst", "zstd -q"],
];
