/**
 * The version resource of a Windows program or library (Microsoft, "PE Format", ".rsrc"; "VS_VERSIONINFO"): who made it and
 * which version it is. 32 and 64 bits. The bytes may be anything: every offset is checked, and what does not fit is not there.
 */
export interface VersionInfo {
  /** Four numbers from the fixed part. */
  readonly fileVersion?: string;
  readonly productVersion?: string;
  /** Of the first language: ProductName, CompanyName, FileDescription … */
  readonly strings: ReadonlyMap<string, string>;
}

const resourceDirectory = 2;
const versionType = 16;
/** Bounds of what is looked at in a damaged file. */
const mostEntries = 4096;
const mostStrings = 256;

/** Undefined for what is no PE file or has no version resource. */
export function readPeVersion(bytes: Buffer): VersionInfo | undefined {
  try {
    const resource = versionResource(bytes);
    return resource === undefined ? undefined : readVersionInfo(resource);
  } catch (error) {
    // A read past the end: the file is cut off or says so of itself.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function versionResource(bytes: Buffer): Buffer | undefined {
  if (bytes.length < 64 || bytes.readUInt16LE(0) !== 0x5a4d) return undefined;
  const header = bytes.readUInt32LE(0x3c);
  if (bytes.readUInt32LE(header) !== 0x4550) return undefined;
  const optional = header + 24;
  const magic = bytes.readUInt16LE(optional);
  if (magic !== 0x10b && magic !== 0x20b) return undefined;
  const directories = optional + (magic === 0x10b ? 96 : 112);
  if (bytes.readUInt32LE(directories - 4) <= resourceDirectory) return undefined;
  const rva = bytes.readUInt32LE(directories + resourceDirectory * 8);
  if (rva === 0) return undefined;
  const table = optional + bytes.readUInt16LE(header + 20);
  const count = bytes.readUInt16LE(header + 6);
  const offset = (at: number) => {
    for (let i = 0; i < count; i++) {
      const section = table + i * 40;
      const [start, size, file] = [12, 16, 20].map((field) => bytes.readUInt32LE(section + field)) as [
        number,
        number,
        number,
      ];
      if (at >= start && at - start < size) return file + at - start;
    }
    throw new RangeError("outside of every section");
  };
  const top = offset(rva);
  // Three levels: type, name, language; of the last two the first is taken.
  let at = entryOf(bytes, top, versionType);
  for (let level = 0; at !== undefined && level < 2; level++)
    at = (at & 0x8000_0000) === 0 ? undefined : entryOf(bytes, top + (at & 0x7fff_ffff), undefined);
  if (at === undefined || (at & 0x8000_0000) !== 0) return undefined;
  const data = offset(bytes.readUInt32LE(top + at));
  const size = bytes.readUInt32LE(top + at + 4);
  if (size > 1024 * 1024 || data + size > bytes.length) return undefined;
  return bytes.subarray(data, data + size);
}

/** The offset that a resource directory gives for a number, or for its first entry. */
function entryOf(bytes: Buffer, directory: number, id: number | undefined): number | undefined {
  const count = Math.min(bytes.readUInt16LE(directory + 12) + bytes.readUInt16LE(directory + 14), mostEntries);
  for (let i = 0; i < count; i++) {
    const entry = directory + 16 + i * 8;
    if (id === undefined || bytes.readUInt32LE(entry) === id) return bytes.readUInt32LE(entry + 4);
  }
  return undefined;
}

interface Block {
  readonly key: string;
  /** The value's bytes; a string's length is counted in units, so of strings the whole rest. */
  readonly value: Buffer;
  readonly children: Buffer;
}

const aligned = (at: number) => (at + 3) & ~3;

/** Length, length of the value, type, key, padding, value, padding, children: the shape of every block. */
function blockOf(bytes: Buffer): Block {
  const [valueLength, isText] = [bytes.readUInt16LE(2), bytes.readUInt16LE(4) === 1];
  const keyEnd = endOfText(bytes, 6);
  const start = aligned(keyEnd + 2);
  const end = Math.min(start + valueLength * (isText ? 2 : 1), bytes.length);
  return {
    key: bytes.toString("utf16le", 6, keyEnd),
    value: bytes.subarray(start, end),
    children: bytes.subarray(aligned(end)),
  };
}

function endOfText(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes.readUInt16LE(at) !== 0) at += 2;
  return at;
}

function* blocksOf(bytes: Buffer): Generator<Block> {
  for (let at = 0, seen = 0; at + 6 <= bytes.length && seen < mostStrings; seen++) {
    const length = bytes.readUInt16LE(at);
    if (length < 6 || at + length > bytes.length) return;
    yield blockOf(bytes.subarray(at, at + length));
    at += aligned(length);
  }
}

function readVersionInfo(resource: Buffer): VersionInfo | undefined {
  const [top] = blocksOf(resource);
  if (top?.key !== "VS_VERSION_INFO") return undefined;
  const strings = new Map<string, string>();
  for (const block of blocksOf(top.children)) {
    if (block.key !== "StringFileInfo") continue;
    const [table] = blocksOf(block.children);
    for (const { key, value } of table ? blocksOf(table.children) : []) {
      const text = value.toString("utf16le").replace(/\0.*$/su, "").trim();
      if (text !== "" && !strings.has(key)) strings.set(key, text);
    }
  }
  const { value } = top;
  if (value.length < 24 || value.readUInt32LE(0) !== 0xfeef04bd) return { strings };
  const four = (at: number) => [at + 2, at, at + 6, at + 4].map((place) => value.readUInt16LE(place)).join(".");
  return { fileVersion: four(8), productVersion: four(16), strings };
}
