/** Headers and databases of rpm, written byte by byte from the descriptions of their formats. */

export interface SampleHeader {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  readonly licence: string;
  readonly source: string;
  readonly summary?: string;
  /** Absolute. */
  readonly files: readonly string[];
}

export function headerOf(sample: SampleHeader): Buffer {
  const { name, version, release, licence, source, summary = "", files } = sample;
  const folders = [...new Set(files.map((path) => path.slice(0, path.lastIndexOf("/") + 1)))];
  const texts: [tag: number, type: number, values: readonly string[]][] = [
    [1000, 6, [name]],
    [1001, 6, [version]],
    [1002, 6, [release]],
    [1004, 9, [summary]],
    [1014, 6, [licence]],
    [1022, 6, ["x86_64"]],
    [1044, 6, [source]],
    [1117, 8, files.map((path) => path.slice(path.lastIndexOf("/") + 1))],
    [1118, 8, folders],
  ];
  const numbers = Buffer.alloc(files.length * 4);
  for (const [i, path] of files.entries())
    numbers.writeUInt32BE(folders.indexOf(path.slice(0, path.lastIndexOf("/") + 1)), i * 4);
  const parts: Buffer[] = [numbers];
  const entries: number[][] = [[1116, 4, 0, files.length]];
  let at = numbers.length;
  for (const [tag, type, values] of texts) {
    entries.push([tag, type, at, values.length]);
    const bytes = Buffer.from(values.map((value) => `${value}\0`).join(""));
    parts.push(bytes);
    at += bytes.length;
  }
  const head = Buffer.alloc(8 + entries.length * 16);
  head.writeUInt32BE(entries.length, 0);
  head.writeUInt32BE(at, 4);
  for (const [i, fields] of entries.entries())
    for (const [j, value] of fields.entries()) head.writeUInt32BE(value, 8 + i * 16 + j * 4);
  return Buffer.concat([head, ...parts]);
}

export function ndbFile(headers: readonly Buffer[]): Buffer {
  const slots = Buffer.alloc(4096);
  slots.write("RpmP", 0, "latin1");
  slots.writeUInt32LE(1, 16);
  const blobs: Buffer[] = [];
  let block = 4096 / 16;
  for (const [i, header] of headers.entries()) {
    const size = Math.ceil((16 + header.length + 12) / 16) * 16;
    const blob = Buffer.alloc(size);
    blob.write("BlbS", 0, "latin1");
    blob.writeUInt32LE(i + 1, 4);
    blob.writeUInt32LE(header.length, 12);
    header.copy(blob, 16);
    const slot = 32 + i * 16;
    slots.write("Slot", slot, "latin1");
    for (const [j, value] of [i + 1, block, size / 16].entries()) slots.writeUInt32LE(value, slot + 4 + j * 4);
    blobs.push(blob);
    block += size / 16;
  }
  return Buffer.concat([slots, ...blobs]);
}

const pageSize = 4096;

/** One page of the hash with all keys and values; a value that is too long goes to pages of its own. */
export function bdbFile(headers: readonly Buffer[]): Buffer {
  const meta = Buffer.alloc(pageSize);
  meta.writeUInt32LE(0x061561, 12);
  meta.writeUInt32LE(pageSize, 20);
  const page = Buffer.alloc(pageSize);
  page[25] = 13;
  page.writeUInt16LE(headers.length * 2, 20);
  const overflow: Buffer[] = [];
  let end = pageSize;
  const put = (item: number, bytes: Buffer) => {
    end -= bytes.length;
    bytes.copy(page, end);
    page.writeUInt16LE(end, 26 + item * 2);
  };
  for (const [i, header] of headers.entries()) {
    put(i * 2, Buffer.from([1, i, 0, 0, 0]));
    if (header.length < 2000) {
      put(i * 2 + 1, Buffer.concat([Buffer.from([1]), header]));
      continue;
    }
    const reference = Buffer.alloc(12);
    reference[0] = 3;
    reference.writeUInt32LE(2 + overflow.length, 4);
    reference.writeUInt32LE(header.length, 8);
    put(i * 2 + 1, reference);
    for (let at = 0; at < header.length; at += pageSize - 26) {
      const part = header.subarray(at, at + pageSize - 26);
      const own = Buffer.alloc(pageSize);
      own[25] = 7;
      own.writeUInt16LE(part.length, 22);
      if (at + part.length < header.length) own.writeUInt32LE(3 + overflow.length, 16);
      part.copy(own, 26);
      overflow.push(own);
    }
  }
  return Buffer.concat([meta, page, ...overflow]);
}
