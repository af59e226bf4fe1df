/**
 * A key of Wine's registry text. What the file says of it is understood when somebody asks; that two files say the same of
 * a key shows without that, which makes the difference between two large registries cheap.
 */

import type { HiveKey, HiveValue } from "./key.ts";
import type { Comparable } from "./same.ts";
import { compareNames, sameName, upcase } from "./upcase.ts";
import { type KeyBody, readSection, type Section } from "./wine-lines.ts";
import type { Source } from "./wine-units.ts";

const none: readonly never[] = [];

export class WineKey implements HiveKey, Comparable {
  readonly name: string;
  readonly #source: Source;
  #section: Section | undefined;
  /** Sections of the same key that come later: Wine writes none. */
  #more: Section[] | undefined;
  #body: KeyBody | undefined;
  #keys: WineKey[] | undefined;
  /** Only when the keys did not come ascending. */
  #byName: Map<string, WineKey> | undefined;
  #isSorted = true;

  constructor(name: string, source: Source) {
    this.name = name;
    this.#source = source;
  }

  get lastWrite(): bigint {
    return this.#parsed().lastWrite;
  }

  get flags(): number {
    return this.#parsed().flags;
  }

  get className(): Uint8Array | undefined {
    return this.#parsed().className;
  }

  get userFlags(): number {
    return 0;
  }

  get security(): undefined {
    return undefined;
  }

  get layer(): "merge" {
    return "merge";
  }

  get inheritClass(): boolean {
    return false;
  }

  values(): readonly HiveValue[] {
    return this.#parsed().values;
  }

  value(name: string): HiveValue | undefined {
    return this.values().find((value) => sameName(value.name, name));
  }

  subkeys(): readonly HiveKey[] {
    if (!this.#isSorted) {
      this.#keys?.sort((a, b) => compareNames(a.name, b.name));
      this.#isSorted = true;
    }
    return this.#keys ?? none;
  }

  subkey(name: string): HiveKey | undefined {
    if (this.#byName) return this.#byName.get(upcase(name));
    const keys = this.#keys ?? none;
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compareNames((keys[middle] as WineKey).name, name);
      if (order === 0) return keys[middle];
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }

  /** For the reader: the subkey of that name, made when there is none. */
  open(name: string): WineKey {
    this.#keys ??= [];
    const last = this.#keys.at(-1);
    const order = last === undefined ? -1 : compareNames(last.name, name);
    if (order === 0) return last as WineKey;
    if (order > 0) this.#byName ??= new Map(this.#keys.map((key) => [upcase(key.name), key]));
    const found = this.#byName?.get(upcase(name));
    if (found) return found;
    const key = new WineKey(name, this.#source);
    if (order > 0) this.#isSorted = false;
    this.#keys.push(key);
    this.#byName?.set(upcase(name), key);
    return key;
  }

  /** For the reader: these lines are about this key. */
  add(section: Section): void {
    if (this.#section === undefined) this.#section = section;
    else {
      this.#more ??= [];
      this.#more.push(section);
    }
  }

  saysTheSame(other: HiveKey): boolean {
    if (!(other instanceof WineKey) || this.#more || other.#more) return false;
    const mine = this.#said();
    const theirs = other.#said();
    return (
      mine.to - mine.from === theirs.to - theirs.from &&
      (mine.to === mine.from ||
        this.#source.bytes.compare(other.#source.bytes, theirs.from, theirs.to, mine.from, mine.to) === 0)
    );
  }

  /** The section without its time, without blank lines at its end. */
  #said(): { readonly from: number; readonly to: number } {
    if (this.#section === undefined) return { from: 0, to: 0 };
    let { from, to } = this.#section;
    const { bytes, text } = this.#source;
    if (text.startsWith("#time=", from)) {
      const end = text.indexOf("\n", from);
      from = end < 0 || end >= to ? to : end + 1;
    }
    while (to > from && (bytes[to - 1] ?? 0) <= 0x20) to--;
    return { from, to };
  }

  #parsed(): KeyBody {
    if (this.#body) return this.#body;
    const values: HiveValue[] = [];
    const body: KeyBody = { lastWrite: 0n, flags: 0, className: undefined, values };
    if (this.#section) readSection(this.#source, this.#section, body);
    for (const section of this.#more ?? none) readSection(this.#source, section, body);
    let isAscending = true;
    for (let at = 1; at < values.length && isAscending; at++)
      isAscending = compareNames((values[at - 1] as HiveValue).name, (values[at] as HiveValue).name) < 0;
    if (!isAscending) {
      // The last of one name counts.
      const byName = new Map(values.map((value) => [upcase(value.name), value]));
      if (byName.size < values.length) values.splice(0, values.length, ...byName.values());
    }
    this.#body = body;
    return body;
  }
}
