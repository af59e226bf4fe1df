/** Small 64-bit DLLs made of bytes, for what reads or changes exports. */

export interface DllShape {
  readonly exports: readonly string[];
  /** Bytes behind the exports that are left in their section; 512 unless said. */
  readonly room?: number;
  /** What those bytes are. */
  readonly padding?: number;
  /** The first function lies right behind the exports, in their room. */
  readonly codeBehind?: boolean;
  /** Offset of the PE header. */
  readonly header?: number;
}

const exportsRva = 0x1000;
const fileStart = 0x200;

/** Headers, and one section that holds the export directory (PE format, ".edata"). Without names: no export directory. */
export function makeDll({ exports, room = 512, padding = 0, codeBehind = false, header = 0x80 }: DllShape): Uint8Array {
  const tables = 40 + exports.length * 10;
  const names = exports.map((name) => Buffer.from(`${name}\0`, "latin1"));
  const used = tables + names.reduce((sum, name) => sum + name.length, 0);
  const file = Buffer.alloc(fileStart + used + room);
  file.fill(padding, fileStart + used);
  file.writeUInt16LE(0x5a4d, 0);
  file.writeUInt32LE(header, 0x3c);
  file.writeUInt32LE(0x4550, header);
  file.writeUInt16LE(0x8664, header + 4);
  file.writeUInt16LE(1, header + 6);
  file.writeUInt16LE(240, header + 20);
  const optional = header + 24;
  file.writeUInt16LE(0x20b, optional);
  file.writeUInt32LE(16, optional + 108);
  if (exports.length > 0) {
    file.writeUInt32LE(exportsRva, optional + 112);
    file.writeUInt32LE(used, optional + 116);
  }
  const section = optional + 240;
  file.write(".edata", section, "latin1");
  for (const [at, value] of [
    [8, used],
    [12, exportsRva],
    [16, used + room],
    [20, fileStart],
  ] as const) {
    file.writeUInt32LE(value, section + at);
  }
  writeExports(file, exports, names, codeBehind ? exportsRva + used : 0x5000);
  return new Uint8Array(file);
}

function writeExports(file: Buffer, exports: readonly string[], names: readonly Buffer[], code: number): void {
  const count = exports.length;
  const word = (at: number, value: number) => file.writeUInt32LE(value, fileStart + at);
  const [functions, pointers, ordinals] = [40, 40 + 4 * count, 40 + 8 * count];
  for (const [at, value] of [
    [20, count],
    [24, count],
    [28, exportsRva + functions],
    [32, exportsRva + pointers],
    [36, exportsRva + ordinals],
  ] as const) {
    word(at, value);
  }
  let at = 40 + 10 * count;
  for (const [index, name] of names.entries()) {
    word(functions + 4 * index, code + 16 * index);
    word(pointers + 4 * index, exportsRva + at);
    file.writeUInt16LE(index, fileStart + ordinals + 2 * index);
    name.copy(file, fileStart + at);
    at += name.length;
  }
}

/** A program with an import directory (PE format, ".idata"): a descriptor a name, an empty one at the end. */
export function makeProgram(imports: readonly string[]): Uint8Array {
  const file = Buffer.from(makeDll({ exports: [], room: 20 * (imports.length + 1) + 300 * imports.length }));
  const optional = file.readUInt32LE(0x3c) + 24;
  file.writeUInt32LE(exportsRva, optional + 120);
  file.writeUInt32LE(20 * (imports.length + 1), optional + 124);
  let at = 20 * (imports.length + 1);
  for (const [index, name] of imports.entries()) {
    const descriptor = fileStart + 20 * index;
    file.writeUInt32LE(exportsRva + at, descriptor + 12);
    file.writeUInt32LE(exportsRva, descriptor + 16);
    at += file.write(`${name}\0`, fileStart + at, "latin1");
  }
  return new Uint8Array(file);
}
