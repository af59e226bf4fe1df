/**
 * Windows compares names of files and of registry keys by upper-casing each UTF-16 unit alone, by one fixed table: no
 * locale, no change of length, no surrogate pairs. The table is the letters that have one capital, of which they are the
 * one small letter: what JavaScript's case mappings say there and back.
 */

/** Where such letters are; the rest of the 65,536 units need not be asked about. */
const cased = [
  [0x61, 0x587],
  [0x10d0, 0x10ff],
  [0x13f8, 0x13fd],
  [0x1d79, 0x1d8e],
  [0x1e01, 0x1fff],
  [0x214e, 0x2184],
  [0x24d0, 0x24e9],
  [0x2c30, 0x2d2d],
  [0xa641, 0xa69b],
  [0xa723, 0xa7f6],
  [0xab53, 0xabbf],
  [0xff41, 0xff5a],
] as const;

/** Letters that got a capital in Unicode 15 or later: only new engines know it, and no Windows' table. */
const late: ReadonlySet<number> = new Set([0x19b, 0x264, 0xa7cd, 0xa7cf, 0xa7d3, 0xa7d5, 0xa7db]);

let made: Uint16Array | undefined;

/** Made for the first who compares names: most builds have no Windows in them, and it takes 2 ms. */
function table(): Uint16Array {
  made ??= makeTable();
  return made;
}

function makeTable(): Uint16Array {
  const upper = new Uint16Array(0x1_0000);
  for (let unit = 0; unit < upper.length; unit++) upper[unit] = unit;
  for (const [first, last] of cased) {
    for (let unit = first; unit <= last; unit++) if (!late.has(unit)) upper[unit] = capitalOf(unit);
  }
  return upper;
}

function capitalOf(unit: number): number {
  const letter = String.fromCharCode(unit);
  const capital = letter.toUpperCase();
  // ı, ſ, ς, µ and the like have a capital that belongs to another letter: they are left alone.
  if (capital.length === 1) return capital.toLowerCase() === letter ? capital.charCodeAt(0) : unit;
  // Greek letters with an iota below: JavaScript writes the iota out, Windows takes the capital of one unit.
  for (const other of [unit + 8, unit + 9]) if (String.fromCharCode(other).toLowerCase() === letter) return other;
  return unit;
}

const lower = /[^\0-`{-\x7f]/;
const beyondAscii = /[^\0-\x7f]/;

/** The spelling under which Windows compares: equal results mean one name. */
export function upcase(name: string): string {
  if (!lower.test(name)) return name;
  if (!beyondAscii.test(name)) return name.toUpperCase();
  let out = "";
  for (let at = 0; at < name.length; at++) out += String.fromCharCode(upcaseUnit(name.charCodeAt(at)));
  return out;
}

/** One UTF-16 unit in upper case. */
export function upcaseUnit(unit: number): number {
  return table()[unit] ?? unit;
}

/** -1, 0 or 1: the order in which Windows keeps names, by upper-cased units. */
export function compareNames(a: string, b: string): -1 | 0 | 1 {
  const upper = table();
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x === y) continue;
    const difference = (upper[x] ?? x) - (upper[y] ?? y);
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
}

/** True when Windows takes both for one name. */
export function sameName(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  const upper = table();
  // From the end: names side by side often begin alike.
  for (let at = a.length - 1; at >= 0; at--) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x !== y && upper[x] !== upper[y]) return false;
  }
  return true;
}
