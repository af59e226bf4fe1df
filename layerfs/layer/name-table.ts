/**
 * Names of a file tree as numbers, without an object for any of them: some 45 bytes each beside the name's own. For what must
 * know every path of a large layer at once.
 */

/** Each less than the square root of 2³¹, so that products stay integers. */
const prime = 46_337;
/** Stands before the two halves of a character above U+00FF. */
const wideMark = 256;

/**
 * The array, or one that begins with the same and has the place. It grows where it lies, but for one time in sixteen: copies of
 * large tables would wait for the garbage collector, which takes its time for what is not in its heap.
 */
export function withRoom<T extends Int32Array | Uint8Array>(array: T, place: number): T {
  if (place < array.length) return array;
  const size = Math.max(place + 1, Math.ceil(array.length * 1.5)) * array.BYTES_PER_ELEMENT;
  const { buffer } = array;
  if (buffer instanceof ArrayBuffer && buffer.resizable && size <= buffer.maxByteLength) {
    buffer.resize(size);
    return array;
  }
  const room = new ArrayBuffer(size, { maxByteLength: size * 16 });
  const bigger = new (array.constructor as new (buffer: ArrayBuffer) => T)(room);
  bigger.set(array);
  return bigger;
}

export class NameTable {
  /** By number: the folder, the hash, where the name begins; it ends where the next begins. */
  #parents = new Int32Array(1024);
  #hashes = new Int32Array(1024);
  #starts = new Int32Array(1024);
  /** 1 for names with two bytes a character. */
  #isWide = new Uint8Array(1024);
  #names = new Uint8Array(16 * 1024);
  #slots = new Int32Array(2048);
  #count = 1;
  /** The folder that was asked for last: most paths come beside each other. */
  #lastFolder = "";
  #lastFolderId = 0;
  #lastShown = 0;
  #lastShownPath = "";
  /**
   * Attack: a tar of a million names that have one hash. A polynomial at secret places has for any two names different values,
   * but for a chance of their length in 46,337, squared.
   */
  readonly #places = [1, 2].map(() => 1 + Math.floor(Math.random() * (prime - 1))) as [number, number];

  /** Names and the root, whose number is 0. Numbers are given in turn. */
  get size(): number {
    return this.#count;
  }

  /** The number of a clean path; undefined when it was never made. */
  find(path: string): number | undefined {
    if (path === "") return 0;
    const folder = this.#folder(path, false);
    return folder === undefined ? undefined : this.child(folder, path.slice(path.lastIndexOf("/") + 1));
  }

  /** The number of a clean path, which it has from now on, as all above it. */
  make(path: string): number {
    return path === "" ? 0 : this.makeChild(this.#folder(path, true) ?? 0, path.slice(path.lastIndexOf("/") + 1));
  }

  child(parent: number, name: string): number | undefined {
    const id = this.#slots[this.#slotOf(parent, name, this.#hash(parent, name))];
    return id === 0 ? undefined : id;
  }

  makeChild(parent: number, name: string): number {
    const hash = this.#hash(parent, name);
    const slot = this.#slotOf(parent, name, hash);
    const known = this.#slots[slot];
    if (known !== undefined && known !== 0) return known;
    const id = this.#count++;
    this.#parents = withRoom(this.#parents, id);
    this.#hashes = withRoom(this.#hashes, id);
    this.#starts = withRoom(this.#starts, id + 1);
    this.#isWide = withRoom(this.#isWide, id);
    this.#parents[id] = parent;
    this.#hashes[id] = hash;
    this.#write(id, name);
    this.#slots[slot] = id;
    if (this.#count * 2 > this.#slots.length) this.#growSlots();
    return id;
  }

  parentOf(id: number): number {
    return this.#parents[id] ?? 0;
  }

  nameOf(id: number): string {
    const [start = 0, end = 0] = [this.#starts[id], this.#starts[id + 1]];
    const bytes = Buffer.from(this.#names.buffer, start, end - start);
    return bytes.toString(this.#isWide[id] === 1 ? "utf16le" : "latin1");
  }

  pathOf(id: number): string {
    if (id === 0) return "";
    const parent = this.parentOf(id);
    if (parent === 0) return this.nameOf(id);
    if (parent !== this.#lastShown) {
      const parts: string[] = [];
      for (let at = parent; at !== 0; at = this.parentOf(at)) parts.push(this.nameOf(at));
      this.#lastShownPath = parts.reverse().join("/");
      this.#lastShown = parent;
    }
    return `${this.#lastShownPath}/${this.nameOf(id)}`;
  }

  #folder(path: string, make: boolean): number | undefined {
    const length = Math.max(0, path.lastIndexOf("/"));
    if (length === this.#lastFolder.length && path.startsWith(this.#lastFolder)) return this.#lastFolderId;
    let at: number | undefined = 0;
    for (let from = 0; from < length; ) {
      const slash = path.indexOf("/", from);
      const name = path.slice(from, slash);
      at = make ? this.makeChild(at, name) : this.child(at, name);
      if (at === undefined) return undefined;
      from = slash + 1;
    }
    // A copy: a slice would keep the whole path in memory.
    this.#lastFolder = path.slice(0, length);
    this.#lastFolderId = at;
    return at;
  }

  #hash(parent: number, name: string): number {
    const [one, two] = this.#places;
    let a = (((parent & 0x7fff) * one + (parent >>> 15)) % prime) * one;
    let b = (((parent & 0x7fff) * two + (parent >>> 15)) % prime) * two;
    const add = (value: number) => {
      a = ((a % prime) * one + value) | 0;
      b = ((b % prime) * two + value) | 0;
    };
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i);
      if (unit > 0xff) {
        add(wideMark);
        add(unit >> 8);
        add(unit & 0xff);
      } else add(unit);
    }
    return (a % prime) * prime + (b % prime);
  }

  /** Where the name is in the table of slots, or would be. */
  #slotOf(parent: number, name: string, hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
      const id = this.#slots[slot] ?? 0;
      if (id === 0) return slot;
      if (this.#hashes[id] === hash && this.#parents[id] === parent && this.#is(id, name)) return slot;
    }
  }

  #is(id: number, name: string): boolean {
    let at = this.#starts[id] ?? 0;
    const isWide = this.#isWide[id] === 1;
    if ((this.#starts[id + 1] ?? 0) - at !== (isWide ? 2 * name.length : name.length)) return false;
    const names = this.#names;
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i);
      if (isWide) {
        if (names[at++] !== (unit & 0xff) || names[at++] !== unit >> 8) return false;
      } else if (names[at++] !== unit) return false;
    }
    return true;
  }

  #write(id: number, name: string): void {
    const start = this.#starts[id] ?? 0;
    let isWide = false;
    for (let i = 0; i < name.length && !isWide; i++) isWide = name.charCodeAt(i) > 0xff;
    const end = start + (isWide ? 2 * name.length : name.length);
    this.#names = withRoom(this.#names, end);
    Buffer.from(this.#names.buffer).write(name, start, isWide ? "utf16le" : "latin1");
    this.#isWide[id] = isWide ? 1 : 0;
    this.#starts[id + 1] = end;
  }

  #growSlots(): void {
    const slots = withRoom(this.#slots, this.#slots.length * 2 - 1).fill(0);
    const mask = slots.length - 1;
    for (let id = 1; id < this.#count; id++) {
      let slot = spread(this.#hashes[id] ?? 0) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}

function spread(hash: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> 8;
}
