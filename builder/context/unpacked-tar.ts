/** A tar as context: unpacked once into a folder of the store, and found again by its bytes' digest. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { decompressStream, detectCompression } from "../../layerfs/layer/compress.ts";
import { decodeIndex } from "../../layerfs/layer/layer-index.ts";
import { unpackLayer, usualLimits } from "../../layerfs/layer/unpack.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import { openDigester } from "../../layerfs/store/digester.ts";
import { storeError } from "../../layerfs/store/failure.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { steeringLimit } from "../dockerfile/steering-file.ts";
import { keptFolder } from "./kept-folder.ts";
import { contextLimit, tooLarge } from "./limit.ts";

/** A file that was brought into the store's temporary folder. */
export interface ArrivedFile {
  readonly path: string;
  /** sha256 of its bytes. */
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Writes a stream to `folder`. Of what is no tar no more is read than a Dockerfile may have, and a little, so that it is
 * refused for its size. Throws STORE_FULL and CTX_TOO_LARGE past `maxBytes`.
 */
export async function arrive(bytes: AsyncIterable<Uint8Array>, folder: string, maxBytes: number): Promise<ArrivedFile> {
  const path = join(folder, "arrived");
  // Beside the writing, and not between one piece and the next.
  await using digester = openDigester(Number.POSITIVE_INFINITY);
  let size = 0;
  let head = Buffer.alloc(0);
  try {
    await using file = await open(path, "w", 0o600);
    for await (const piece of bytes) {
      // The accident: a film, or /dev/zero, fills the disk before anybody sees that it is no context.
      if (size > steeringLimit && detectCompression(head) === "none" && !isTarHeader(head)) break;
      size += piece.length;
      if (size > maxBytes) throw tooLarge("the context", maxBytes);
      if (head.length < 512) head = Buffer.concat([head, piece.subarray(0, 512 - head.length)]);
      await digester.update(piece);
      for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOSPC") throw storeError(cause, "keep a build context", path);
    throw cause;
  }
  return { path, digest: await digester.digest(), size };
}

/** Is this file a tar, plain or compressed? Told by its bytes. */
export async function isTarFile(path: string): Promise<boolean> {
  await using file = await open(path, "r");
  const head = Buffer.alloc(512);
  const { bytesRead } = await file.read(head, 0, 512, 0);
  const begin = head.subarray(0, bytesRead);
  if (detectCompression(begin) === "none") return isTarHeader(begin);
  try {
    const plain: Buffer[] = [];
    let size = 0;
    for await (const piece of decompressStream(createReadStream(path))) {
      plain.push(Buffer.from(piece));
      size += piece.length;
      if (size >= 512) break;
    }
    return isTarHeader(Buffer.concat(plain).subarray(0, 512));
  } catch {
    return false;
  }
}

/** POSIX.1-1988 header: the checksum at 148 is the sum of all bytes with itself taken as spaces. */
export function isTarHeader(block: Uint8Array): boolean {
  if (block.length < 512) return false;
  const field = Buffer.from(block.subarray(148, 156)).toString("latin1");
  const told = Number.parseInt(field.replaceAll("\0", " ").trim(), 8);
  if (!(told > 0)) return false;
  let sum = 8 * 0x20;
  for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += block[i] as number;
  return sum === told;
}

/**
 * The folder that a tar becomes. Throws STORE_FULL, CTX_TOO_LARGE for one that becomes more than contextLimit(), and CTX_TAR
 * with the attack or damage that was found in it.
 */
export async function unpackedTar(store: Store, tar: ArrivedFile, shown: string): Promise<string> {
  const maxBytes = contextLimit();
  return keptFolder(store, `tar ${tar.digest}`, async (folder) => {
    try {
      const bytes = decompressStream(createReadStream(tar.path, { highWaterMark: 1 << 20 }));
      // Attack: a few megabytes that fill the disk once they are unpacked.
      const limits = { ...usualLimits, maxBytes: Math.min(maxBytes, usualLimits.maxBytes) };
      const { index } = await unpackLayer({ bytes }, folder, { form: "plain", absoluteNames: "strip", limits });
      refuseDeletions(index);
    } catch (cause) {
      // A full disk is nothing that a look at the tar would show.
      if (isWbuildError(cause, "LAYER_IO")) throw storeError(cause, "unpack a build context", folder);
      if (isWbuildError(cause, "LAYER_BOMB"))
        throw tooLarge(`what the tar from ${shown} is unpacked to`, maxBytes, cause);
      throw new WbuildError("CTX_TAR", `cannot unpack the build context from ${shown}`, {
        cause,
        facts: { from: shown },
        hint: "look at it with `tar -tvf`",
      });
    }
  });
}

/** Attack: `.wh.NAME` is a file to whoever looks into the tar, and to who unpacks layers the end of another file. */
function refuseDeletions(index: Uint8Array): void {
  const found = decodeIndex(index).find(({ kind }) => kind !== "set");
  if (found === undefined || found.kind === "set") return;
  throw new WbuildError("LAYER_WHITEOUT_NAME", "it holds a name that starts with .wh.: in a layer that is a deletion", {
    facts: { deletes: found.path },
  });
}
