/**
 * Brings a dirty hive up to date from its transaction logs (.LOG1, .LOG2; .LOG of old), in memory. Windows does the same
 * when it loads a hive; who skips it reads stale keys, and half-written ones.
 */

import { type BaseBlock, binsStart, checksum, field, isRegf, readBaseBlock } from "./base-block.ts";
import { marvin32 } from "./marvin.ts";

/** Cell indexes have 31 bits. */
export const largestHive = 2 ** 31 - 4096;
/** Pages of both kinds of log are whole sectors. */
const sector = 512;

export interface Recovery {
  /** The hive to read: the given bytes themselves when no log was applied. */
  readonly bytes: Uint8Array;
  /** Sequence numbers differ or the checksum is wrong: a write was begun and not ended. */
  readonly dirty: boolean;
  /** Logs were applied. */
  readonly recovered: boolean;
}

interface Log {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly block: BaseBlock;
}

interface Entry {
  readonly log: Log;
  readonly sequence: number;
  readonly binsSize: number;
  /** Where the page references begin in the log, and how many there are; the pages follow them. */
  readonly references: number;
  readonly count: number;
}

/**
 * Applies what fits of `logs`, in any order, to a dirty hive. Logs that are empty, broken or of another time are passed
 * over: the hive then stays dirty and not recovered, which the caller should tell.
 */
export function recover(hive: Uint8Array, logs: readonly Uint8Array[]): Recovery {
  const block = readBaseBlock(hive);
  const dirty = block === undefined || !block.sound || block.primary !== block.secondary;
  if (!dirty) return { bytes: hive, dirty, recovered: false };
  const sound: Log[] = [];
  for (const bytes of logs) {
    const own = readBaseBlock(bytes);
    if (own?.sound !== true) continue;
    sound.push({ bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), block: own });
  }
  const known = block?.sound === true ? block : undefined;
  const bytes = applyEntries(hive, known, sound) ?? applyBitmap(hive, known, sound);
  return bytes === undefined ? { bytes: hive, dirty, recovered: false } : { bytes, dirty, recovered: true };
}

/**
 * The new format, type 6: entries numbered one after the other, over two logs that are written in turns. Anything below
 * the number to which the hive is complete is in it already, and would put stale pages over newer ones. The first entry
 * may be far above it: only what was not written to the hive since is kept in the logs.
 */
function applyEntries(hive: Uint8Array, block: BaseBlock | undefined, logs: readonly Log[]): Uint8Array | undefined {
  const chains = logs.filter((log) => log.block.type === 6).map(readEntries);
  const bySequence = new Map<number, Entry>();
  for (const entry of chains.flat()) if (!bySequence.has(entry.sequence)) bySequence.set(entry.sequence, entry);
  const entries: Entry[] = [];
  for (let at = lowest(bySequence, block?.secondary ?? 0); ; at++) {
    const entry = bySequence.get(at);
    if (entry === undefined) break;
    entries.push(entry);
  }
  const last = entries.at(-1);
  if (last === undefined) return undefined;
  const logged = logs.reduce((sum, log) => sum + log.bytes.length, 0);
  const largest = entries.reduce((size, entry) => Math.max(size, entry.binsSize), 0);
  const bytes = grown(hive, largest, logged);
  if (bytes === undefined) return undefined;
  for (const entry of entries) applyEntry(bytes, entry);
  if (block === undefined) bytes.set(last.log.bytes.subarray(0, sector));
  finish(bytes, last.sequence + 1, last.binsSize);
  return bytes;
}

/** The lowest sequence number that is not below `least`; -1 for none. */
function lowest(entries: ReadonlyMap<number, unknown>, least: number): number {
  let found = -1;
  for (const sequence of entries.keys()) if (sequence >= least && (found < 0 || sequence < found)) found = sequence;
  return found;
}

/** The valid entries of a log that follow each other without a gap. */
function readEntries(log: Log): Entry[] {
  const { bytes, view } = log;
  const entries: Entry[] = [];
  for (let at = sector; at + 40 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    // "HvLE"
    if (view.getUint32(at, true) !== 0x45_4c_76_48 || size < sector || size % sector !== 0) break;
    if (at + size > bytes.length || !hashesHold(log, at, size)) break;
    const sequence = view.getUint32(at + 12, true);
    const entry = {
      log,
      sequence,
      binsSize: view.getUint32(at + 16, true),
      references: at + 40,
      count: view.getUint32(at + 20, true),
    };
    const before = entries.at(-1);
    if (before !== undefined && sequence !== before.sequence + 1) break;
    if (sequence >= log.block.primary) {
      if (!pagesHold(entry, at + size)) break;
      entries.push(entry);
    }
    at += size;
  }
  return entries;
}

function hashesHold(log: Log, at: number, size: number): boolean {
  const holds = (hash: readonly [number, number], where: number) =>
    hash[0] === log.view.getUint32(where, true) && hash[1] === log.view.getUint32(where + 4, true);
  return holds(marvin32(log.bytes, at, at + 32), at + 32) && holds(marvin32(log.bytes, at + 40, at + size), at + 24);
}

/** Attack: the hashes have no secret, so a good one proves nothing. Pages must lie in the entry and in the bins. */
function pagesHold(entry: Entry, end: number): boolean {
  const { log, binsSize, references, count } = entry;
  if (binsSize % 4096 !== 0 || references + count * 8 > end) return false;
  let page = references + count * 8;
  for (let index = 0; index < count; index++) {
    const offset = log.view.getUint32(references + index * 8, true);
    const size = log.view.getUint32(references + index * 8 + 4, true);
    if (offset + size > binsSize || page + size > end) return false;
    page += size;
  }
  return true;
}

function applyEntry(bytes: Uint8Array, entry: Entry): void {
  const { log, references, count } = entry;
  let page = references + count * 8;
  for (let index = 0; index < count; index++) {
    const offset = log.view.getUint32(references + index * 8, true);
    const size = log.view.getUint32(references + index * 8 + 4, true);
    bytes.set(log.bytes.subarray(page, page + size), binsStart + offset);
    page += size;
  }
}

/** The old format, types 1 and 2: "DIRT", one bit a sector of the bins, then the sectors whose bit is set. */
function applyBitmap(hive: Uint8Array, block: BaseBlock | undefined, logs: readonly Log[]): Uint8Array | undefined {
  const log = logs.find(
    ({ block: own, view }) =>
      (own.type === 1 || own.type === 2) &&
      own.primary === own.secondary &&
      (block === undefined || own.lastWritten === block.lastWritten) &&
      view.byteLength > sector + 4 &&
      view.getUint32(sector, true) === 0x54_52_49_44,
  );
  if (log === undefined) return undefined;
  const bits = Math.floor(log.block.binsSize / sector);
  const bitmap = sector + 4;
  let page = Math.ceil((bitmap + bits / 8) / sector) * sector;
  const bytes = page > log.bytes.length ? undefined : grown(hive, log.block.binsSize, log.bytes.length);
  if (bytes === undefined) return undefined;
  for (let bit = 0; bit < bits; bit++) {
    if ((log.view.getUint8(bitmap + (bit >> 3)) & (1 << (bit & 7))) === 0) continue;
    if (page + sector > log.bytes.length) return undefined;
    bytes.set(log.bytes.subarray(page, page + sector), binsStart + bit * sector);
    page += sector;
  }
  bytes.set(log.bytes.subarray(0, sector));
  finish(bytes, log.block.primary, log.block.binsSize);
  return bytes;
}

/**
 * A copy with room for the bins. Undefined when they would grow by far more than the logs hold: what is new in a hive is
 * dirty, so the logs carry it. Attack: a log of 1 KiB, or one of zeros that packs well, that asks for 4 GiB of memory.
 */
function grown(hive: Uint8Array, binsSize: number, logged: number): Uint8Array | undefined {
  const needed = binsStart + binsSize;
  if (needed > hive.length + 16 * logged + (1 << 20) || needed > largestHive) return undefined;
  const bytes = new Uint8Array(Math.max(needed, hive.length));
  bytes.set(hive);
  return bytes;
}

/** Makes the base block that of a clean hive. */
function finish(bytes: Uint8Array, sequence: number, binsSize: number): void {
  if (!isRegf(bytes)) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, sector);
  view.setUint32(field.primary, sequence, true);
  view.setUint32(field.secondary, sequence, true);
  view.setUint32(field.type, 0, true);
  view.setUint32(field.binsSize, binsSize, true);
  view.setUint32(field.checksum, checksum(view), true);
}
