/** Where things lie in the records of a regf file (windows registry file format, its chapters on each record). */

import type { LayerSemantics } from "../key.ts";

function signature(letters: string): number {
  return letters.charCodeAt(0) | (letters.charCodeAt(1) << 8);
}

/** The signatures of records, as the 16-bit number that they begin with. */
export const nk = signature("nk");
export const vk = signature("vk");
export const sk = signature("sk");
export const li = signature("li");
export const lf = signature("lf");
export const lh = signature("lh");
export const ri = signature("ri");
export const db = signature("db");

export const records: ReadonlySet<number> = new Set([nk, vk, sk, li, lf, lh, ri, db]);

/** Where the fields of `nk` lie, from its signature. */
export const nkField = {
  flags: 2,
  lastWrite: 4,
  layer: 13,
  parent: 16,
  subkeys: 20,
  subkeyList: 28,
  values: 36,
  valueList: 40,
  security: 44,
  className: 48,
  longestSubkey: 52,
  userFlags: 54,
  longestClass: 56,
  longestValueName: 60,
  longestValue: 64,
  nameLength: 72,
  classLength: 74,
  name: 76,
} as const;

export const nkFlag = { root: 4, noDelete: 8, latin: 0x20, predefined: 0x40 } as const;

/** HKEY_CLASSES_ROOT: the lowest number of a key that another may stand for (winreg.h). */
export const leastPredefined = 0x80_00_00_00;

/** What is wrong with a key that says it stands for the key of a lower number. */
export function notPredefined(handle: number): string {
  return `it says that it stands for the predefined key ${handle}, which there is not`;
}

/** The flags that belong to a key, not to how it is stored. */
export const contentFlags = 0x3d8;

export const layers: readonly LayerSemantics[] = ["merge", "tombstone", "supersede-local", "supersede-tree"];
export const inheritClassBit = 0x80;

/** Windows refuses deeper trees, and so no walk over a hive needs more stack. */
export const maxDepth = 512;

/** Where the fields of `vk` lie, from its signature. */
export const vkField = { nameLength: 2, size: 4, data: 8, type: 12, flags: 16, name: 20 } as const;
export const vkFlag = { latin: 1, tombstone: 2 } as const;

/** Set in a data size: the bytes lie in the field where else a cell index is. */
export const inPlace = 0x80_00_00_00;

/** What one segment of big data holds; data that is longer may be in segments. */
export const segmentLength = 16_344;
