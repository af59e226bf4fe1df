/** The smallest PE file with a version resource: one section, three levels of directories, one string. */

const rva = 0x1000;
const file = 0x200;

export function makeVersionDll(): Buffer {
  const info = block("VS_VERSION_INFO", fixed(), 0, [
    block("StringFileInfo", Buffer.alloc(0), 1, [
      block("040904b0", Buffer.alloc(0), 1, [block("ProductName", Buffer.from("P\0", "utf16le"), 1, [])]),
    ]),
  ]);
  const section = Buffer.alloc(0x60);
  // Type 16, then name 1, then language 0x409, then the data's place and size.
  for (const [level, id] of [16, 1, 0x409].entries()) {
    const at = level * 0x18;
    section.writeUInt16LE(1, at + 14);
    section.writeUInt32LE(id, at + 16);
    section.writeUInt32LE(level < 2 ? (0x80000000 | (at + 0x18)) >>> 0 : 0x48, at + 20);
  }
  section.writeUInt32LE(rva + section.length, 0x48);
  section.writeUInt32LE(info.length, 0x4c);
  const body = Buffer.concat([section, info]);
  const head = Buffer.alloc(file);
  head.write("MZ", 0, "latin1");
  head.writeUInt32LE(0x80, 0x3c);
  head.write("PE\0\0", 0x80, "latin1");
  head.writeUInt16LE(1, 0x86);
  head.writeUInt16LE(240, 0x94);
  const optional = 0x98;
  head.writeUInt16LE(0x20b, optional);
  head.writeUInt32LE(16, optional + 108);
  head.writeUInt32LE(rva, optional + 112 + 16);
  head.writeUInt32LE(body.length, optional + 112 + 20);
  const table = optional + 240;
  for (const [i, value] of [body.length, rva, body.length, file].entries())
    head.writeUInt32LE(value, table + 8 + i * 4);
  return Buffer.concat([head, body]);
}

function fixed(): Buffer {
  const bytes = Buffer.alloc(52);
  bytes.writeUInt32LE(0xfeef04bd, 0);
  return bytes;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

function block(key: string, value: Buffer, type: 0 | 1, children: readonly Buffer[]): Buffer {
  const head = padded(Buffer.concat([Buffer.alloc(6), Buffer.from(`${key}\0`, "utf16le")]));
  const whole = Buffer.concat([padded(Buffer.concat([head, value])), ...children.map(padded)]);
  whole.writeUInt16LE(whole.length, 0);
  whole.writeUInt16LE(type === 1 ? value.length / 2 : value.length, 2);
  whole.writeUInt16LE(type, 4);
  return whole;
}
