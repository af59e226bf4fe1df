/** Programs for Linux on arm64, a few instructions each: a foreign architecture without a compiler for it. */

/** x0 … x5 and x8 get numbers; text lies behind the code. Encodings: Arm Architecture Reference Manual, C6. */
class Assembler {
  readonly #words: (number | { readonly register: number; readonly text: string })[] = [];

  /** movz */
  set(register: number, value: number): this {
    this.#words.push((0xd2800000 | (value << 5) | register) >>> 0);
    return this;
  }

  /** movn x0, #99: AT_FDCWD is -100. */
  currentFolder(): this {
    this.#words.push((0x92800000 | (99 << 5)) >>> 0);
    return this;
  }

  /** adr: the address of a text that ends with NUL. */
  text(register: number, text: string): this {
    this.#words.push({ register, text });
    return this;
  }

  /** stp x0, xzr, [sp, #-16]!; mov x1, sp: a list of one pointer, x0, at x1. */
  list(): this {
    this.#words.push(0xa9bf7fe0, 0x910003e1);
    return this;
  }

  /** svc #0, with the number of the system call in x8. */
  call(number: number): this {
    this.set(8, number);
    this.#words.push(0xd4000001);
    return this;
  }

  bytes(): Buffer {
    const code = this.#words.length * 4;
    const texts: Buffer[] = [];
    let at = code;
    const words = this.#words.map((word, i) => {
      if (typeof word === "number") return word;
      const text = Buffer.from(`${word.text}\0`);
      const offset = at - i * 4;
      texts.push(text);
      at += text.length;
      return (0x10000000 | ((offset & 3) << 29) | ((offset >> 2) << 5) | word.register) >>> 0;
    });
    const out = Buffer.alloc(code);
    for (const [i, word] of words.entries()) out.writeUInt32LE(word, i * 4);
    return Buffer.concat([out, ...texts]);
  }
}

/**
 * An executable that prints `says`, makes the empty file `makes`, and then becomes the program `becomes`, or ends with 0.
 * `machine` is e_machine of the ELF header: 183 is arm64.
 */
export function arm64Program(does: { says: string; makes?: string; becomes?: string }, machine = 183): Buffer {
  const asm = new Assembler();
  asm.set(0, 1).text(1, does.says).set(2, Buffer.byteLength(does.says)).call(64);
  // openat(AT_FDCWD, path, O_CREAT | O_WRONLY, 0644)
  if (does.makes !== undefined) asm.currentFolder().text(1, does.makes).set(2, 0o101).set(3, 0o644).call(56);
  // execve(path, [path], [])
  if (does.becomes !== undefined) asm.text(0, does.becomes).list().set(2, 0).call(221);
  asm.set(0, does.becomes === undefined ? 0 : 9).call(93);
  const code = asm.bytes();
  const header = Buffer.alloc(120);
  header.write("\x7fELF\x02\x01\x01", "latin1");
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(0x400078n, 24);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64);
  header.writeUInt32LE(5, 68);
  header.writeBigUInt64LE(0x400000n, 80);
  header.writeBigUInt64LE(0x400000n, 88);
  header.writeBigUInt64LE(BigInt(120 + code.length), 96);
  header.writeBigUInt64LE(BigInt(120 + code.length), 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, code]);
}
