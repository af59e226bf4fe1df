/**
 * Two registry texts of Wine that are almost the same → only the keys in which they differ. A registry has a hundred
 * thousand keys and a step touches ten: what is equal byte for byte is never parsed.
 */

export interface TextDifference {
  /** Texts of their own, with the header, of the sections that are not in the other text as they are. */
  readonly before: Buffer;
  readonly after: Buffer;
}

/** How far to look for where the texts run alike again, before a table of all names is made. */
const lookAhead = 64;

/**
 * Undefined when the texts hold the same sections. A key that went is missing in `after`; a key above it that is still
 * there, for its own sake or that of other keys, is in `after` as an empty section, so that it does not seem gone too.
 */
export function differingSections(before: Buffer, after: Buffer): TextDifference | undefined {
  if (before.equals(after)) return undefined;
  const a = new Sections(before);
  const b = new Sections(after);
  const gone: number[] = [];
  const come: number[] = [];
  align(a, b, gone, come);
  if (gone.length === 0 && come.length === 0) return undefined;
  const kept = come.map((section) => b.bytes(section));
  const present = new Set(come.map((section) => b.path(section)));
  const lost = gone.map((section) => a.path(section)).filter((path) => !present.has(path));
  for (const path of survivors(lost, b)) {
    if (!present.has(path)) kept.push(Buffer.from(`[${path}] 0\n\n`, "latin1"));
  }
  return {
    before: Buffer.concat([a.header, ...gone.map((section) => a.bytes(section))]),
    after: Buffer.concat([b.header, ...kept]),
  };
}

/** The sections of a text: a line that begins with `[` begins one; strings hold no raw line ends. */
class Sections {
  readonly header: Buffer;
  readonly #text: Buffer;
  readonly #starts: number[] = [];

  constructor(text: Buffer) {
    this.#text = text;
    if (text[0] === 0x5b) this.#starts.push(0);
    for (let at = text.indexOf("\n["); at >= 0; at = text.indexOf("\n[", at + 1)) this.#starts.push(at + 1);
    this.header = text.subarray(0, this.#starts[0] ?? text.length);
  }

  get count(): number {
    return this.#starts.length;
  }

  bytes(section: number): Buffer {
    return this.#text.subarray(this.#starts[section], this.#starts[section + 1] ?? this.#text.length);
  }

  /** As written: escaped, components between two backslashes. */
  path(section: number): string {
    const start = this.#starts[section] ?? 0;
    const end = this.#text.indexOf(10, start);
    const line = this.#text.toString("latin1", start + 1, end < 0 ? this.#text.length : end);
    const close = line.lastIndexOf("]");
    return close < 0 ? line : line.slice(0, close);
  }

  isSame(section: number, other: Sections, theirs: number): boolean {
    const start = this.#starts[section] ?? 0;
    const end = this.#starts[section + 1] ?? this.#text.length;
    const otherStart = other.#starts[theirs] ?? 0;
    const otherEnd = other.#starts[theirs + 1] ?? other.#text.length;
    if (end - start !== otherEnd - otherStart) return false;
    return this.#text.compare(other.#text, otherStart, otherEnd, start, end) === 0;
  }
}

/** Both texts are in one order, but for what came and went. */
function align(a: Sections, b: Sections, gone: number[], come: number[]): void {
  let i = 0;
  let j = 0;
  while (i < a.count && j < b.count) {
    if (a.isSame(i, b, j)) {
      i++;
      j++;
      continue;
    }
    const mine = a.path(i);
    const theirs = b.path(j);
    if (mine === theirs) {
      gone.push(i++);
      come.push(j++);
      continue;
    }
    const ahead = find(b, j + 1, mine);
    const behind = ahead < 0 ? find(a, i + 1, theirs) : -1;
    if (ahead >= 0) while (j < ahead) come.push(j++);
    else if (behind >= 0) while (i < behind) gone.push(i++);
    else {
      byName(a, i, b, j, gone, come);
      return;
    }
  }
  while (i < a.count) gone.push(i++);
  while (j < b.count) come.push(j++);
}

function find(sections: Sections, from: number, path: string): number {
  const end = Math.min(sections.count, from + lookAhead);
  for (let at = from; at < end; at++) if (sections.path(at) === path) return at;
  return -1;
}

/** What is left when the order is lost: by a table of names. */
function byName(a: Sections, i: number, b: Sections, j: number, gone: number[], come: number[]): void {
  const places = new Map<string, number>();
  for (; j < b.count; j++) places.set(b.path(j), j);
  for (; i < a.count; i++) {
    const path = a.path(i);
    const place = places.get(path);
    if (place === undefined) gone.push(i);
    else {
      places.delete(path);
      if (a.isSame(i, b, place)) continue;
      gone.push(i);
      come.push(place);
    }
  }
  come.push(...places.values());
}

/** Keys above those that went which are still there: as a section, or above one. */
function survivors(lost: readonly string[], after: Sections): Set<string> {
  const asked = new Set<string>();
  for (const path of lost) for (const above of pathsAbove(path)) asked.add(above);
  const alive = new Set<string>();
  if (asked.size === 0) return alive;
  for (let section = 0; section < after.count; section++) {
    const path = after.path(section);
    if (asked.has(path)) alive.add(path);
    for (const above of pathsAbove(path)) if (asked.has(above)) alive.add(above);
  }
  return alive;
}

/** `a\\b\\c` → `a\\b`, `a`. A component's own backslash is escaped, too, but no name has one. */
function* pathsAbove(path: string): Generator<string> {
  for (let at = path.lastIndexOf("\\\\"); at > 0; at = path.lastIndexOf("\\\\", at - 1)) yield path.slice(0, at);
}
