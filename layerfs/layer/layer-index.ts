/**
 * The index of a layer: all its changes without their bytes, so that nobody needs to read the tar again to know them.
 * Magic, version, then records (docs/formats/layer.md); the native writer and unpacker make the same records.
 */
import { fileDigestsOf } from "../../native/addon/bulk.ts";
import { decodeRecord, decodeRecords, isSet, recordStarts } from "../../native/addon/records.ts";
import { WbuildError } from "../../native/error.ts";
import type { Changes } from "./change-list.ts";
import type { Change } from "./entry.ts";

/** "WBLI", then the version as a 32-bit little-endian number; pipes.cc has it too. */
const header = Buffer.from([0x57, 0x42, 0x4c, 0x49, 1, 0, 0, 0]);

/** The changes of an index, in their order. Throws LAYER_INDEX for bytes that are none, LAYER_RECORD for damaged ones. */
export function decodeIndex(bytes: Uint8Array): Change[] {
  checkHeader(bytes);
  return decodeRecords(bytes, header.length);
}

/**
 * The changes of an index, each decoded when it is asked for: for what looks at large layers once. Throws LAYER_INDEX; a
 * damaged record throws LAYER_RECORD here or when it is asked for.
 */
export function openIndex(bytes: Uint8Array): Changes {
  checkHeader(bytes);
  const records = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts = recordStarts(records, header.length);
  const at = (index: number) => {
    const start = starts[index];
    return start === undefined ? undefined : decodeRecord(records, start);
  };
  return {
    length: starts.length,
    at,
    *marks() {
      for (const start of starts) if (!isSet(records, start)) yield decodeRecord(records, start);
    },
    *[Symbol.iterator]() {
      for (const start of starts) yield decodeRecord(records, start);
    },
  };
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
