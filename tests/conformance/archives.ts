/** Archives that cases unpack. */
import { spawnSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

const mtime = new Date("2001-02-03T04:05:06Z");

async function bytesOf(tar: ReturnType<typeof pack>): Promise<Buffer> {
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function fullTar() {
  const tar = pack();
  const common = { mtime, uid: 5, gid: 6 };
  tar.entry({ name: "top/", type: "directory", mode: 0o750, ...common });
  tar.entry({ name: "top/file", mode: 0o640, ...common }, "file\n");
  tar.entry({ name: "top/run", mode: 0o755, ...common }, "run\n");
  tar.entry({ name: "top/link", type: "symlink", linkname: "file", mode: 0o777, ...common });
  tar.entry({ name: "top/same", type: "link", linkname: "top/file", mode: 0o640, ...common });
  return bytesOf(tar);
}

function climbing() {
  const tar = pack();
  tar.entry({ name: "../out", mtime }, "out");
  return bytesOf(tar);
}

export const archive = await fullTar();
export const archiveGz = gzipSync(archive);
export const climbingArchive = await climbing();
export const gzippedText = gzipSync("only text\n");

/** With a program of this host; undefined where it is missing. */
export function compressedBy(program: string): Buffer | undefined {
  const { status, stdout } = spawnSync(program, ["-c"], { input: archive });
  return status === 0 ? stdout : undefined;
}
