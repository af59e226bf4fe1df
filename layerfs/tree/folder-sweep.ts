/**
 * FolderSweep: everything below a folder of this host as one piece of bytes. A COPY of twenty thousand files goes from
 * the disk into a layer, and into a cache key, without an object for each of them.
 */
import { decodeWalk } from "../../native/addon/addon.ts";
import { digestRecords, newestChange, rebaseRecords } from "../../native/addon/bulk.ts";
import { decodeHeads, type RecordHead, recordPieces } from "../../native/addon/records.ts";
import type { RecordBatch } from "../layer/write.ts";
import type { Digest } from "../store/digest.ts";
import type { IgnoreRule } from "./sift.ts";

/** What a file was when it was walked. */
export interface SweptFile {
  /** Relative to the folder. */
  readonly path: string;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly ino: bigint;
  readonly dev: bigint;
}

const pieceSize = 64 * 1024;

export class FolderSweep {
  readonly #folder: string;
  readonly #records: Uint8Array;

  constructor(folder: string, records: Uint8Array) {
    this.#folder = folder;
    this.#records = records;
  }

  /** The folder that was walked. */
  get folder(): string {
    return this.#folder;
  }

  /** For keeping; `new FolderSweep(folder, bytes)` reads it back. */
  get bytes(): Uint8Array {
    return this.#records;
  }

  /** What a rule leaves of it; no entry is made of what stays. */
  sift(rule: IgnoreRule): FolderSweep {
    const bytes = Buffer.from(this.#records.buffer, this.#records.byteOffset, this.#records.byteLength);
    const kept: Uint8Array[] = [];
    /** Folders above the record at hand that are there only with something in them. */
    let waiting: RecordHead[] = [];
    let pruned: string | undefined;
    for (const head of decodeHeads(bytes)) {
      if (pruned !== undefined && head.path.startsWith(pruned)) continue;
      pruned = undefined;
      const decided = rule(head.path, head.type === "directory");
      waiting = waiting.filter((folder) => head.path.startsWith(`${folder.path}/`));
      if (decided === "keep") {
        for (const folder of waiting) kept.push(bytes.subarray(folder.start, folder.end));
        waiting = [];
        kept.push(bytes.subarray(head.start, head.end));
      } else if (head.type === "directory") {
        if (decided === "drop") waiting.push(head);
        else pruned = `${head.path}/`;
      }
    }
    return new FolderSweep(this.#folder, Buffer.concat(kept));
  }

  /** Its entries as changes of a layer, below `prefix` (clean, "" for the root). `mode` replaces all permissions. */
  toLayer(prefix: string, owner: { readonly uid: number; readonly gid: number }, mode?: number): RecordBatch {
    const to = { prefix, folder: this.#folder, ...owner, ...(mode === undefined ? {} : { mode }) };
    return { kind: "records", records: this.#rebased(to) };
  }

  /** A piece at a time: with their new paths and those of their contents the records are three times as large. */
  *#rebased(to: Parameters<typeof rebaseRecords>[1]): Generator<Uint8Array> {
    for (const piece of recordPieces(this.#records, pieceSize)) yield rebaseRecords(piece, to);
  }

  /** Digest over what it holds, times and owners left out. `digests`: 32 bytes a file, in the order of `files`. */
  contentDigest(digests: Uint8Array): Digest {
    return digestRecords(this.#records, digests, true);
  }

  /** The latest change time (ctime) of all of it, in nanoseconds since 1970; 0 for an empty folder. */
  newestChangeNs(): bigint {
    return newestChange(this.#records);
  }

  /** Its regular files, in order. */
  files(): SweptFile[] {
    return decodeWalk(this.#records).filter((entry) => entry.type === "file");
  }

  /** Where a file lies on this host. */
  path(file: SweptFile): string {
    return `${this.#folder}/${file.path}`;
  }
}
