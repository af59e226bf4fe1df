/** Makes zip archives in memory, also wrong ones. */
import { crc32, deflateRawSync } from "node:zlib";

export interface ZipMember {
  /** A trailing / makes a folder. */
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly deflate?: boolean;
  /** Instead of the true ones. */
  readonly size?: number;
  readonly crc?: number;
  /** Unix mode; 0o120777 is a link. */
  readonly mode?: number;
  readonly flags?: number;
  readonly method?: number;
}

/** `wide` writes every size and offset as one over 4 GiB. */
export function zipOf(members: readonly ZipMember[], { wide = false, comment = "" } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const member of members) {
    const content = Buffer.from(member.content ?? "");
    const data = member.deflate ? deflateRawSync(content) : content;
    const name = Buffer.from(member.name, "utf8");
    const size = member.size ?? content.length;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(member.flags ?? 0x800, 2);
    common.writeUInt16LE(member.method ?? (member.deflate ? 8 : 0), 4);
    common.writeUInt16LE(0x6000, 6);
    common.writeUInt16LE((40 << 9) | (2 << 5) | 3, 8);
    common.writeUInt32LE(member.crc ?? crc32(content), 10);
    common.writeUInt32LE(wide ? 0xffffffff : data.length, 14);
    common.writeUInt32LE(wide ? 0xffffffff : size, 18);
    common.writeUInt16LE(name.length, 22);
    const extra = Buffer.alloc(wide ? 28 : 0);
    if (wide) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      for (const [i, number] of [size, data.length, at].entries()) extra.writeBigUInt64LE(BigInt(number), 4 + i * 8);
    }
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, name]);
    const inDirectory = Buffer.from(common);
    inDirectory.writeUInt16LE(extra.length, 24);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(((member.mode ?? 0) << 16) >>> 0, 6);
    rest.writeUInt32LE(wide ? 0xffffffff : at, 10);
    const mark = Buffer.from("PK\x01\x02\x14\x03", "latin1");
    directory.push(Buffer.concat([mark, inDirectory, rest, name, extra]));
    parts.push(local, data);
    at += local.length + data.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(wide ? 0xffff : members.length, 8);
  end.writeUInt16LE(wide ? 0xffff : members.length, 10);
  end.writeUInt32LE(wide ? 0xffffffff : listed.length, 12);
  end.writeUInt32LE(wide ? 0xffffffff : at, 16);
  end.writeUInt16LE(comment.length, 20);
  const zip64 = Buffer.alloc(wide ? 76 : 0);
  if (wide) {
    zip64.write("PK\x06\x06", "latin1");
    zip64.writeBigUInt64LE(44n, 4);
    for (const [offset, number] of [
      [24, members.length],
      [32, members.length],
      [40, listed.length],
      [48, at],
    ] as const) {
      zip64.writeBigUInt64LE(BigInt(number), offset);
    }
    zip64.write("PK\x06\x07", 56, "latin1");
    zip64.writeBigUInt64LE(BigInt(at + listed.length), 64);
    zip64.writeUInt32LE(1, 72);
  }
  return Buffer.concat([...parts, listed, zip64, end, Buffer.from(comment)]);
}
