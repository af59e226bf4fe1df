/**
 * unpackLayer: a layer's bytes → a folder and the layer's index, checked against its diffID.
 * Decompression, hashing, parsing and the making of files run side by side in native code (unpacker.cc);
 * every refusal names the attack and the entry.
 */
import { createReadStream, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { Unpacker } from "../../native/addon/unpacker.ts";
import { WbuildError } from "../../native/error.ts";
import type { Digest } from "../store/digest.ts";
import { decompressStream, detectCompression, peekCompression } from "./compress.ts";
import { usualExtraBytes } from "./tar-guard.ts";

export type LayerSource = { readonly path: string } | { readonly bytes: AsyncIterable<Uint8Array> };

export interface UnpackLimits {
  /** Bytes of tar. */
  readonly maxBytes: number;
  readonly maxEntries: number;
  /** Of PAX headers and long names, all of which the index keeps. */
  readonly maxExtraBytes?: number;
  /** How many times bigger the tar may be than its compressed form, once it passes 1 GiB. */
  readonly maxRatio?: number;
}

export const usualLimits: Required<UnpackLimits> = {
  maxBytes: 2 ** 38,
  maxEntries: 2 ** 22,
  maxExtraBytes: usualExtraBytes,
  maxRatio: 2000,
};

export interface UnpackOptions {
  /** Throws LAYER_DIFFID when the tar has another digest; the folder is then to be thrown away. */
  readonly expect?: { readonly diffId?: Digest };
  /** overlay: a lower folder for overlayfs. plain: whiteouts delete what is there already. */
  readonly form: "overlay" | "plain";
  /** Unpacked layers below, top first: for hard links into them, and for the metadata of folders that the tar leaves out. */
  readonly lower?: readonly string[];
  readonly limits?: UnpackLimits;
  /** Owners and devices must work, else they are left out where the kernel refuses them. Usual: root of the host. */
  readonly privileged?: boolean;
  /** Names that start with "/": refuse (usual) or take the slash off, as GNU tar does. */
  readonly absoluteNames?: "refuse" | "strip";
  /** Puts the sha256 of every regular file into the index. */
  readonly fileDigests?: boolean;
}

export interface UnpackedLayer {
  readonly diffId: Digest;
  /** For `decodeIndex`: the truth, also where the file system could not hold it. */
  readonly index: Uint8Array;
  /** Bytes of tar. */
  readonly uncompressedSize: number;
}

/**
 * Unpacks into a folder that exists. Compression is told by the first bytes: gzip, zstd, xz, bzip2 or none.
 * Throws, with the entry's name in `facts.path`: LAYER_ABSOLUTE, LAYER_ESCAPE, LAYER_SYMLINK_PARENT, LAYER_PARENT,
 * LAYER_LINK_TARGET, LAYER_DEVICE, LAYER_DEVICE_BOMB, LAYER_DUPLICATE, LAYER_WHITEOUT, LAYER_ROOT, LAYER_NAME,
 * LAYER_NAME_TOO_LONG, LAYER_PAX, LAYER_HEADER, LAYER_TYPE, LAYER_SPARSE for what a layer may not say; LAYER_TRUNCATED,
 * LAYER_COMPRESSION, LAYER_BOMB, LAYER_TOO_MANY, LAYER_DIFFID for its bytes; LAYER_IO for what the host refuses.
 */
export async function unpackLayer(source: LayerSource, folder: string, options: UnpackOptions): Promise<UnpackedLayer> {
  const limits = { ...usualLimits, ...options.limits };
  const { path, bytes } = await plainSource(source, limits.maxBytes);
  const unpacker = new Unpacker({
    ...(path === undefined ? {} : { path }),
    folder,
    overlay: options.form === "overlay",
    privileged: options.privileged ?? isHostRoot(),
    fileDigests: options.fileDigests === true,
    lowers: options.lower ?? [],
    maxBytes: limits.maxBytes,
    maxEntries: limits.maxEntries,
    maxExtraBytes: limits.maxExtraBytes,
    maxRatio: limits.maxRatio,
    stripAbsolute: options.absoluteNames === "strip",
  });
  try {
    if (bytes !== undefined) {
      for await (const piece of bytes) if (piece.length > 0) await unpacker.push(piece);
      unpacker.end();
    }
    const { diffId, uncompressedSize, index } = await unpacker.result();
    const wanted = options.expect?.diffId;
    if (wanted !== undefined && wanted !== diffId) {
      throw new WbuildError("LAYER_DIFFID", "the layer's content is not what the image says", {
        facts: { expected: wanted, found: diffId },
        hint: "pull the image again; if that does not help, the image itself is wrong",
      });
    }
    return { diffId, uncompressedSize, index };
  } catch (error) {
    await unpacker.abort();
    throw error;
  }
}

/** Native code reads files by itself and knows zstd; everything else is decompressed here and pushed. */
async function plainSource(
  source: LayerSource,
  maxBytes: number,
): Promise<{ path?: string; bytes?: AsyncIterable<Uint8Array> }> {
  if ("path" in source) {
    const kind = await fileCompression(source.path);
    if (kind === "zstd" || kind === "none") return { path: source.path };
    return { bytes: decompressStream(createReadStream(source.path, { highWaterMark: 1 << 20 }), { maxBytes }) };
  }
  const { kind, rest } = await peekCompression(source.bytes);
  return { bytes: kind === "zstd" || kind === "none" ? rest : decompressStream(rest, { maxBytes }) };
}

async function fileCompression(path: string) {
  await using file = await open(path, "r");
  const head = Buffer.alloc(8);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  return detectCompression(head.subarray(0, bytesRead));
}

/** True for root outside of any user namespace (user_namespaces(7), "uid_map"). */
function isHostRoot(): boolean {
  if (process.geteuid?.() !== 0) return false;
  try {
    return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
  } catch {
    return false;
  }
}
