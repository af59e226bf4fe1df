/** One digest over what entries hold, times left out: a file whose time alone changed is the same file. */
import { digestRecords } from "../../native/addon/bulk.ts";
import { RecordWriter } from "../../native/addon/records.ts";
import type { Digest } from "../store/digest.ts";
import type { Entry } from "./entry.ts";

/** Collects entries in order; every regular file needs its digest. */
export class ContentDigest {
  readonly #records = new RecordWriter();

  add(entry: Entry): void {
    this.#records.addSet(entry);
  }

  /** Equal to FolderSweep.contentDigest for the same entries. Throws LAYER_RECORD when a file's digest is missing. */
  finish(): Digest {
    return digestRecords(this.#records.take(), undefined, false);
  }
}
