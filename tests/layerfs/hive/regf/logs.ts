/** Transaction logs in both formats, made from a hive before and after a change. */
import { binsStart, checksum, field } from "../../../../layerfs/hive/regf/base-block.ts";
import { marvin32 } from "../../../../layerfs/hive/regf/marvin.ts";

export interface Page {
  /** In the bins. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface Entry {
  readonly sequence: number;
  readonly binsSize: number;
  readonly pages: readonly Page[];
}

/** The pages of `size` bytes in which the bins differ, those that are new too. */
export function changedPages(before: Uint8Array, after: Uint8Array, size = 4096): Page[] {
  const pages: Page[] = [];
  for (let at = binsStart; at < after.length; at += size) {
    const bytes = after.subarray(at, at + size);
    if (Buffer.compare(bytes, before.subarray(at, at + size)) !== 0) pages.push({ offset: at - binsStart, bytes });
  }
  return pages;
}

/** A copy of the hive with these sequence numbers. */
export function numbered(hive: Uint8Array, primary: number, secondary: number): Buffer {
  const bytes = Buffer.from(hive);
  bytes.writeUInt32LE(primary, field.primary);
  bytes.writeUInt32LE(secondary, field.secondary);
  return summed(bytes);
}

/** With the right checksum in its base block. */
export function summed(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(checksum(new DataView(bytes.buffer, bytes.byteOffset, 512)), field.checksum);
  return bytes;
}

function sectors(length: number): number {
  return Math.ceil(length / 512) * 512;
}

/** A .LOG1 or .LOG2; its base block is that of `hive` with the first entry's number. */
export function newLog(hive: Uint8Array, entries: readonly Entry[]): Buffer {
  const head = Buffer.from(hive.subarray(0, 512));
  head.writeUInt32LE(6, field.type);
  const first = entries[0]?.sequence ?? 1;
  head.writeUInt32LE(first, field.primary);
  head.writeUInt32LE(first, field.secondary);
  return Buffer.concat([summed(head), ...entries.map(newEntry)]);
}

function newEntry({ sequence, binsSize, pages }: Entry): Buffer {
  const contents = pages.reduce((sum, page) => sum + page.bytes.length, 0);
  const entry = Buffer.alloc(sectors(40 + 8 * pages.length + contents));
  entry.write("HvLE");
  entry.writeUInt32LE(entry.length, 4);
  entry.writeUInt32LE(sequence, 12);
  entry.writeUInt32LE(binsSize, 16);
  entry.writeUInt32LE(pages.length, 20);
  let at = 40 + 8 * pages.length;
  for (const [index, { offset, bytes }] of pages.entries()) {
    entry.writeUInt32LE(offset, 40 + 8 * index);
    entry.writeUInt32LE(bytes.length, 44 + 8 * index);
    entry.set(bytes, at);
    at += bytes.length;
  }
  return hashed(entry);
}

/** With the right hashes in its header. */
export function hashed(entry: Buffer): Buffer {
  const put = (hash: readonly [number, number], at: number) => {
    entry.writeUInt32LE(hash[0], at);
    entry.writeUInt32LE(hash[1], at + 4);
  };
  put(marvin32(entry, 40, entry.length), 24);
  put(marvin32(entry, 0, 32), 32);
  return entry;
}

/** A .LOG of old that brings `before` to `after`. */
export function oldLog(before: Uint8Array, after: Uint8Array): Buffer {
  const head = Buffer.from(after.subarray(0, 512));
  head.writeUInt32LE(1, field.type);
  const bits = (after.length - binsStart) / 512;
  const bitmap = Buffer.alloc(sectors(4 + bits / 8));
  bitmap.write("DIRT");
  const pages = changedPages(before, after, 512);
  for (const { offset } of pages) {
    const bit = offset / 512;
    bitmap[4 + (bit >> 3)] = (bitmap[4 + (bit >> 3)] ?? 0) | (1 << (bit & 7));
  }
  return Buffer.concat([summed(head), bitmap, ...pages.map((page) => page.bytes)]);
}
