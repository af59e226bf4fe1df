/** The first 4096 bytes of a hive, and of a log the first 512. Section numbers: the regf specification's base block. */

import { WbuildError } from "../../../native/error.ts";

/** Length of the base block: bins begin here, and cell indexes count from here. */
export const binsStart = 0x1000;

/** Where a field of the base block lies. */
export const field = {
  primary: 4,
  secondary: 8,
  lastWritten: 12,
  major: 20,
  minor: 24,
  type: 28,
  format: 32,
  root: 36,
  binsSize: 40,
  clustering: 44,
  fileName: 48,
  flags: 144,
  offlineMark: 176,
  checksum: 508,
} as const;

/** Bit of `flags`: layered keys. */
export const layeredKeys = 2;

export interface BaseBlock {
  /** Primary and secondary sequence numbers; different: a write was begun and not ended. */
  readonly primary: number;
  readonly secondary: number;
  readonly lastWritten: bigint;
  readonly minor: number;
  /** 0 of a hive, 1 and 2 of an old log, 6 of a new one. */
  readonly type: number;
  /** Cell index of the root. */
  readonly root: number;
  readonly binsSize: number;
  readonly differencing: boolean;
  /** The checksum holds, and major version and format are the known ones. */
  readonly sound: boolean;
}

/** True when the bytes begin as a hive or one of its logs does. */
export function isRegf(bytes: Uint8Array): boolean {
  return bytes.length >= 512 && bytes[0] === 0x72 && bytes[1] === 0x65 && bytes[2] === 0x67 && bytes[3] === 0x66;
}

/** Undefined when there is no base block at all. */
export function readBaseBlock(bytes: Uint8Array): BaseBlock | undefined {
  if (!isRegf(bytes)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 512);
  const minor = view.getUint32(field.minor, true);
  return {
    primary: view.getUint32(field.primary, true),
    secondary: view.getUint32(field.secondary, true),
    lastWritten: view.getBigUint64(field.lastWritten, true),
    minor,
    type: view.getUint32(field.type, true),
    root: view.getUint32(field.root, true),
    binsSize: view.getUint32(field.binsSize, true),
    differencing: minor >= 6 && (view.getUint32(field.flags, true) & layeredKeys) !== 0,
    sound:
      view.getUint32(field.checksum, true) === checksum(view) &&
      view.getUint32(field.major, true) === 1 &&
      view.getUint32(field.format, true) === 1,
  };
}

/** XOR of the 127 dwords before the checksum; the two values that mean something else are stepped over. */
export function checksum(view: DataView): number {
  let sum = 0;
  for (let at = 0; at < field.checksum; at += 4) sum ^= view.getUint32(at, true);
  if (sum === 0) return 1;
  return sum === -1 ? 0xff_ff_ff_fe : sum >>> 0;
}

/** Throws HIVE_FORMAT for what is no hive or is of a version that nobody has seen. */
export function wantHive(bytes: Uint8Array): BaseBlock {
  const block = readBaseBlock(bytes);
  if (block === undefined)
    throw new WbuildError("HIVE_FORMAT", "the file is no registry hive: it does not begin with regf");
  if (block.minor < 1 || block.minor > 6) {
    throw new WbuildError("HIVE_FORMAT", `the hive's version is 1.${block.minor}; known are 1.1 to 1.6`, {
      facts: { minor: block.minor },
    });
  }
  return block;
}
