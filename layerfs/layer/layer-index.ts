/**
 * The index of a layer: all its changes without their bytes, so that nobody needs to read the tar again to know them.
 * Magic, version, then records (docs/formats/layer.md); the native writer and unpacker make the same records.
 */
import { fileDigestsOf } from "../../native/addon/bulk.ts";
import { decodeRecords } from "../../native/addon/records.ts";
import { WbuildError } from "../../native/error.ts";
import type { HeldFile } from "../store/held-file.ts";
import { type Changes, FileChanges } from "./change-list.ts";
import type { Change } from "./entry.ts";

/** "WBLI", then the version as a 32-bit little-endian number; record.hh has it too. */
const header = Buffer.from([0x57, 0x42, 0x4c, 0x49, 1, 0, 0, 0]);

/** The changes of an index, in their order. Throws LAYER_INDEX for bytes that are none, LAYER_RECORD for damaged ones. */
export function decodeIndex(bytes: Uint8Array): Change[] {
  checkHeader(bytes);
  return decodeRecords(bytes, header.length);
}

/**
 * The changes of an index in a file, each read when it is asked for: for what looks at large layers once. Throws LAYER_INDEX; a
 * damaged record throws LAYER_RECORD here or when it is asked for.
 */
export function openIndex(file: HeldFile): Changes {
  const head = new Uint8Array(header.length);
  checkHeader(head.subarray(0, file.read(head, 0)));
  return new FileChanges(file, header.length);
}

/** The digests that an index has of its files, in order, 32 bytes each. Throws LAYER_RECORD when one has none. */
export function digestsOfIndex(bytes: Uint8Array): Uint8Array {
  checkHeader(bytes);
  return fileDigestsOf(bytes.subarray(header.length));
}

function checkHeader(bytes: Uint8Array): void {
  if (bytes.length < header.length || header.some((byte, i) => bytes[i] !== byte)) {
    throw new WbuildError("LAYER_INDEX", "these bytes are no index of a layer, or one of another version");
  }
}
