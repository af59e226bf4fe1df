/**
 * Windows compares names of files and of registry keys by upper-casing each UTF-16 unit alone, by one fixed table: no
 * locale, no change of length, no surrogate pairs. JavaScript's toUpperCase differs in all three; what is kept of it is
 * where one unit becomes one unit.
 */

const table = makeTable();

function makeTable(): Uint16Array {
  const upper = new Uint16Array(0x1_0000);
  for (let unit = 0; unit < upper.length; unit++) {
    const text = String.fromCharCode(unit).toUpperCase();
    upper[unit] = text.length === 1 ? text.charCodeAt(0) : unit;
  }
  // Letters that Unicode gives an upper case outside their own block and Windows' table leaves alone: ı, ſ, µ's Greek form.
  for (const unit of [0xb5, 0x131, 0x17f]) upper[unit] = unit;
  return upper;
}

const lower = /[^\0-`{-\x7f]/;

/** The spelling under which Windows compares: equal results mean one name. */
export function upcase(name: string): string {
  if (!lower.test(name)) return name;
  let plain = true;
  for (let at = 0; at < name.length && plain; at++) plain = name.charCodeAt(at) < 0x80;
  if (plain) return name.toUpperCase();
  let out = "";
  for (let at = 0; at < name.length; at++) out += String.fromCharCode(upcaseUnit(name.charCodeAt(at)));
  return out;
}

/** One UTF-16 unit in upper case. */
export function upcaseUnit(unit: number): number {
  return table[unit] ?? unit;
}

/** -1, 0 or 1: the order in which Windows keeps names, by upper-cased units. */
export function compareNames(a: string, b: string): -1 | 0 | 1 {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x === y) continue;
    const difference = (table[x] ?? x) - (table[y] ?? y);
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return a.length === b.length ? 0 : a.length < b.length ? -1 : 1;
}

/** True when Windows takes both for one name. */
export function sameName(a: string, b: string): boolean {
  return a.length === b.length && compareNames(a, b) === 0;
}
