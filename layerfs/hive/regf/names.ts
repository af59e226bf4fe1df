/** Names inside a hive: one byte a unit where that is enough, else UTF-16LE; their order, hash and hint. */

import { upcaseUnit } from "../upcase.ts";

/** The name at bytes[at, at + length). */
export function readName(bytes: Buffer, at: number, length: number, latin: boolean): string {
  return bytes.toString(latin ? "latin1" : "utf16le", at, at + length);
}

export function isLatin(name: string): boolean {
  let all = 0;
  for (let at = 0; at < name.length; at++) all |= name.charCodeAt(at);
  return all <= 0xff;
}

/** Writes a name at `at`; the room is there. */
export function writeName(bytes: Buffer, at: number, name: string, latin: boolean): void {
  if (!latin) bytes.write(name, at, "utf16le");
  else if (name.length > 40) bytes.write(name, at, "latin1");
  else for (let index = 0; index < name.length; index++) bytes[at + index] = name.charCodeAt(index);
}

/** The hash in `lh`: 37·h + upper-cased unit. Signed. */
export function nameHash(name: string): number {
  let hash = 0;
  for (let at = 0; at < name.length; at++) hash = (Math.imul(hash, 37) + upcaseUnit(name.charCodeAt(at))) | 0;
  return hash;
}

/** The hint in `lf`: the first four units as bytes, as spelled; the first byte 0 when one does not fit. */
export function nameHint(name: string): number {
  let hint = 0;
  for (let at = 0; at < 4 && at < name.length; at++) {
    const unit = name.charCodeAt(at);
    if (unit > 0xff) return 0;
    hint |= unit << (8 * at);
  }
  return hint;
}
