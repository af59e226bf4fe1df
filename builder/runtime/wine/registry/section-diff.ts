/**
 * Two registry texts of Wine that are almost the same → only the keys in which they differ. A registry has a hundred
 * thousand keys and a step touches ten: what is equal byte for byte is never parsed.
 */
import { WbuildError } from "../../../../native/error.ts";

export interface TextDifference {
  /** Texts of their own, with the header, of the sections that are not in the other text as they are. */
  readonly before: Buffer;
  readonly after: Buffer;
}

/** How far to look, section by section, for where the texts run alike again. */
const lookAhead = 64;
/** How often to look through the whole rest, before a table of all its names is made. */
const mostSearches = 8;
/** Of keys that differ, and of those above them: as many as readWineText takes. */
const mostKeys = 1 << 22;

/**
 * Undefined when the texts hold the same sections. A key that went is missing in `after`; a key above it that is still
 * there, for its own sake or that of other keys, is in `after` as an empty section, so that it does not seem gone too.
 * Throws HIVE_LIMIT for more keys than any registry has.
 */
export function differingSections(before: Buffer, after: Buffer): TextDifference | undefined {
  if (before.equals(after)) return undefined;
  const a = new Sections(before);
  const b = new Sections(after);
  const found = align(a, b);
  const { gone, come } = withoutMoved(a, found.gone, b, found.come);
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

/** The sections of a text, each known by its offset: a line that begins with `[` begins one; strings hold no raw line ends. */
class Sections {
  readonly header: Buffer;
  readonly text: Buffer;
  readonly first: number;

  constructor(text: Buffer) {
    this.text = text;
    this.first = text[0] === 0x5b ? 0 : this.next(0);
    this.header = text.subarray(0, this.first);
  }

  /** The first section behind this one or, when there is none, the text's end. */
  next(section: number): number {
    const at = this.text.indexOf("\n[", section, "latin1");
    return at < 0 ? this.text.length : at + 1;
  }

  /** The last section that begins behind `first` and before `offset`; `first` itself when there is none. */
  lastBefore(offset: number, first: number): number {
    const at = offset < 2 ? -1 : this.text.lastIndexOf("\n[", offset - 2, "latin1");
    return Math.max(at + 1, first);
  }

  bytes(section: number): Buffer {
    return this.text.subarray(section, this.next(section));
  }

  /** As written: escaped, components between two backslashes. */
  path(section: number): string {
    const end = this.text.indexOf(10, section);
    const line = this.text.toString("latin1", section + 1, end < 0 ? this.text.length : end);
    const close = line.lastIndexOf("]");
    return close < 0 ? line : line.slice(0, close);
  }

  /** As comparing its path, without making a string of each path that is another. */
  isCalled(section: number, path: string, bytes: Buffer): boolean {
    const begin = section + 1;
    const end = begin + bytes.length;
    return (
      end <= this.text.length &&
      this.text.compare(bytes, 0, bytes.length, begin, end) === 0 &&
      this.path(section) === path
    );
  }

  isSame(section: number, other: Sections, theirs: number): boolean {
    return this.#lines(section).equals(other.#lines(theirs));
  }

  /** Without the blank line that only the last section lacks. */
  #lines(section: number): Buffer {
    let end = this.next(section);
    while (this.text[end - 1] === 10) end--;
    return this.text.subarray(section, end);
  }

  *from(section: number): Generator<number> {
    for (let at = section; at < this.text.length; at = this.next(at)) yield at;
  }
}

interface Differing {
  readonly gone: number[];
  readonly come: number[];
}

/** Both texts are in one order, but for what came and went. A section that moved is in both lists. */
function align(a: Sections, b: Sections): Differing {
  const gone: number[] = [];
  const come: number[] = [];
  const passOver = (sections: Sections, from: number, to: number, into: number[]) => {
    for (let at = from; at < to; at = sections.next(at)) {
      // Attack: a text of nothing but brackets, whose table takes a hundred times its bytes.
      if (into.length === mostKeys) throw tooMany();
      into.push(at);
    }
    return to;
  };
  let i = a.first;
  let j = b.first;
  let searches = 0;
  while (i < a.text.length && j < b.text.length) {
    // What is alike is not looked at by section: nearly all of both texts.
    const run = commonLength(a.text, i, b.text, j);
    const alike = a.lastBefore(i + run, i) - i;
    i += alike;
    j += alike;
    if (a.isSame(i, b, j)) {
      i = a.next(i);
      j = b.next(j);
      continue;
    }
    const mine = a.path(i);
    const theirs = b.path(j);
    if (mine === theirs) {
      gone.push(i);
      come.push(j);
      i = a.next(i);
      j = b.next(j);
      continue;
    }
    let ahead = near(b, j, mine);
    let behind = ahead < 0 ? near(a, i, theirs) : -1;
    if (ahead < 0 && behind < 0) {
      if (searches++ === mostSearches) break;
      ahead = far(b, j, mine);
      behind = ahead < 0 ? far(a, i, theirs) : -1;
    }
    if (ahead >= 0) j = passOver(b, j, ahead, come);
    else if (behind >= 0) i = passOver(a, i, behind, gone);
    else {
      i = passOver(a, i, a.next(i), gone);
      j = passOver(b, j, b.next(j), come);
    }
  }
  passOver(a, i, a.text.length, gone);
  passOver(b, j, b.text.length, come);
  return { gone, come };
}

/** How many bytes are equal from there on. */
function commonLength(a: Buffer, from: number, b: Buffer, other: number): number {
  const most = Math.min(a.length - from, b.length - other);
  const isSame = (start: number, end: number) =>
    a.compare(b, other + start, other + end, from + start, from + end) === 0;
  let low = 0;
  let high = Math.min(1024, most);
  // Ever larger pieces until one differs, then halves of it: the first `low` bytes are equal.
  while (low < most && isSame(low, high)) {
    const size = Math.min(4 * (high - low), 1 << 24);
    low = high;
    high = Math.min(low + size, most);
  }
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (isSame(low, middle)) low = middle;
    else high = middle;
  }
  return low;
}

function near(sections: Sections, from: number, path: string): number {
  let left = lookAhead;
  const bytes = Buffer.from(path, "latin1");
  for (const section of sections.from(sections.next(from))) {
    if (sections.isCalled(section, path, bytes)) return section;
    if (--left === 0) break;
  }
  return -1;
}

/** A name with a bracket may not be found so. */
function far(sections: Sections, from: number, path: string): number {
  const at = sections.text.indexOf(`\n[${path}] `, from, "latin1") + 1;
  return at > 0 && sections.path(at) === path ? at : -1;
}

/** Without the sections that are the same in another place. */
function withoutMoved(a: Sections, gone: readonly number[], b: Sections, come: readonly number[]): Differing {
  const places = new Map(come.map((section) => [b.path(section), section]));
  const moved = new Set<number>();
  const left = gone.filter((section) => {
    const place = places.get(a.path(section));
    if (place === undefined || !a.isSame(section, b, place)) return true;
    moved.add(place);
    return false;
  });
  return { gone: left, come: come.filter((section) => !moved.has(section)) };
}

/** A component of the paths above keys that went. */
interface Above {
  readonly below: Map<string, Above>;
  isThere: boolean;
}

/**
 * Of the keys above those that went the lowest ones that are still there: as a section, or above one. Attack: paths of a
 * thousand components; what is above each of them, spelled out, would take the square of the text.
 */
function survivors(lost: readonly string[], after: Sections): Set<string> {
  const alive = new Set<string>();
  if (lost.length === 0) return alive;
  const top: Above = { below: new Map(), isThere: true };
  const paths = lost.map((path) => path.split(separator));
  let left = mostKeys;
  for (const parts of paths) {
    let at = top;
    for (const part of parts.slice(0, -1)) {
      let next = at.below.get(part);
      if (next === undefined) {
        if (left-- === 0) throw tooMany();
        next = { below: new Map(), isThere: false };
        at.below.set(part, next);
      }
      at = next;
    }
  }
  for (const section of after.from(after.first)) {
    let at = top;
    for (const part of after.path(section).split(separator)) {
      const next = at.below.get(part);
      if (next === undefined) break;
      next.isThere = true;
      at = next;
    }
  }
  for (const parts of paths) {
    let at = top;
    let depth = 0;
    for (const part of parts) {
      const next = at.below.get(part);
      if (next?.isThere !== true) break;
      at = next;
      depth++;
    }
    if (depth > 0) alive.add(parts.slice(0, depth).join(separator));
  }
  return alive;
}

/** Between two components, as written. Within one no backslash follows another: no name has one. */
const separator = "\\\\";

function tooMany(): WbuildError {
  return new WbuildError("HIVE_LIMIT", `a step left a registry in which more than ${mostKeys} keys differ`);
}
