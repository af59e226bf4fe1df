/** What is done to all records of a walk at once (bulk.cc): a context of many files costs no object per file. */
import { fromNative } from "./addon.ts";
import { loadAddon } from "./load.ts";
import { bytesOfName } from "./raw-bytes.ts";

type Digest = `sha256:${string}`;

interface NativeBulk {
  rebaseRecords(records: Uint8Array, prefix: Buffer, folder: Buffer, uid: number, gid: number, mode: number): Buffer;
  windowsRecords(
    records: Uint8Array,
    prefix: Buffer,
    folder: Buffer,
    fileSecurity: Buffer,
    folderSecurity: Buffer,
    epochSeconds: number | undefined,
  ): Buffer;
  digestRecords(records: Uint8Array, digests: Uint8Array | undefined, ofContext: boolean): Buffer;
  fileDigestsOf(records: Uint8Array): Buffer;
  newestChange(records: Uint8Array): bigint;
  upperRecords(records: Uint8Array, folder: Buffer): Buffer;
}

function calling<T>(work: (native: NativeBulk) => T): T {
  try {
    return work(loadAddon<NativeBulk>());
  } catch (error) {
    throw fromNative(error);
  }
}

/**
 * The records of a walk as records of a layer: below `prefix` (a clean path), with one owner, contents in the files
 * below `folder`, which is the folder that was walked. `mode` replaces every permission but those of symlinks.
 */
export function rebaseRecords(
  records: Uint8Array,
  to: { prefix: string; folder: string; uid: number; gid: number; mode?: number },
): Buffer {
  const { prefix, folder, uid, gid, mode = -1 } = to;
  return calling((native) => native.rebaseRecords(records, bytesOfName(prefix), bytesOfName(folder), uid, gid, mode));
}

export interface WindowsPlace {
  readonly prefix: string;
  readonly folder: string;
  /** Security descriptors as base64. */
  readonly fileSecurity: string;
  readonly folderSecurity: string;
  /** Creation times after it become it. */
  readonly epochSeconds?: number;
}

/**
 * As `rebaseRecords`, for a Windows layer: new files and folders with the usual attributes, created when they were last
 * written. Throws LAYER_RECORD for other kinds of files. Names are not looked at.
 */
export function windowsRecords(records: Uint8Array, to: WindowsPlace): Buffer {
  const { prefix, folder, fileSecurity, folderSecurity, epochSeconds } = to;
  const security = [Buffer.from(fileSecurity), Buffer.from(folderSecurity)] as const;
  return calling((native) =>
    native.windowsRecords(records, bytesOfName(prefix), bytesOfName(folder), ...security, epochSeconds),
  );
}

/**
 * sha256 over all that records say but their times: names, types, modes, owners, targets, attributes, contents.
 * `digests`: those of the files, in order, 32 bytes each, for records that do not hold them. With `ofContext` owners do
 * not count, nor attributes that mean nothing on another host. Throws LAYER_RECORD when a file's digest is missing.
 */
export function digestRecords(records: Uint8Array, digests: Uint8Array | undefined, ofContext: boolean): Digest {
  return `sha256:${calling((native) => native.digestRecords(records, digests, ofContext)).toString("hex")}`;
}

/** The digests that records hold of their files, in order, 32 bytes each. Throws LAYER_RECORD when one has none. */
export function fileDigestsOf(records: Uint8Array): Buffer {
  return calling((native) => native.fileDigestsOf(records));
}

/** The latest change time among the records of a walk, in nanoseconds since 1970; 0 for none. */
export function newestChange(records: Uint8Array): bigint {
  return calling((native) => native.newestChange(records));
}

/**
 * The records of a walk (with attributes) over an overlay's upper folder as records of a layer: whiteouts and opaque marks
 * become deletions, further names of a file hard links, attributes of this host are dropped (upper.cc). Throws
 * LAYER_OVERLAY, LAYER_WHITEOUT_NAME.
 */
export function upperRecords(records: Uint8Array, folder: string): Buffer {
  return calling((native) => native.upperRecords(records, bytesOfName(folder)));
}
