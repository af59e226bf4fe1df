/**
 * Entry: one member of a layer with all its metadata. Change: what a layer does to what lies below it.
 * Shapes only; how they become tar bytes is write.ts, how tar bytes become them is read.ts.
 */
import type { Digest } from "../store/digest.ts";

export type EntryType = "file" | "directory" | "symlink" | "hardlink" | "fifo" | "character" | "block";

/** Where a regular file's bytes come from. `file` is a path on this host that native code may read. */
export type Content =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** `file`, where it is given, promises the path of a file with these bytes: whoever can read files asks for it first. */
  | { readonly kind: "stream"; open(): AsyncIterable<Uint8Array>; file?(): Promise<string> };

export interface Entry {
  /**
   * Relative, '/'-separated, clean: no leading or trailing '/', no '.', no '..'; the root itself is "".
   * Bytes that are not UTF-8 pass as lone surrogates U+DC80…U+DCFF (see raw-path.ts); only raw-path.ts turns it into bytes.
   */
  readonly path: string;
  readonly type: EntryType;
  /** Permission bits with setuid, setgid and sticky: 0 … 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a regular file, else 0. */
  readonly size: number;
  /** Modification time in nanoseconds since 1970; may be negative. */
  readonly mtimeNs: bigint;
  /** Of a symlink, exactly as stored; of a hard link, the path (as `path`) of the entry it shares content with. */
  readonly target?: string;
  /** Of a device. */
  readonly device?: { readonly major: number; readonly minor: number };
  /** PAX records that are no header field, raw: SCHILY.xattr.*, MSWINDOWS.*, LIBARCHIVE.*. */
  readonly pax?: ReadonlyMap<string, Uint8Array>;
  /** sha256 of a regular file's bytes, where known. */
  readonly digest?: Digest;
  /** Of a regular file that can be read now. */
  readonly content?: Content;
  /** In a tree's answers: entries with the same object here are hard links of one file. */
  readonly inode?: object;
}

/**
 * set: this entry is there now (added or changed). delete: the path and all below it in lower layers is gone (whiteout).
 * clear: the directory stays, what lower layers have in it is gone (opaque whiteout).
 * Order in a stream: parents before children; a `clear` directly after its directory's `set`; no path twice.
 */
export type Change =
  | { readonly kind: "set"; readonly entry: Entry }
  | { readonly kind: "delete"; readonly path: string }
  | { readonly kind: "clear"; readonly path: string };
