/**
 * The header of an installed rpm as its database keeps it: a count of index entries, the length of the data, the entries
 * (tag, type, offset, count), the data; all numbers big-endian. The bytes may be anything: every offset is checked.
 */
import { type Package, plain, present } from "../package.ts";

/** Bounds: a kernel package has 20 000 files. */
const mostEntries = 65_536;
const mostStrings = 1_000_000;

const tag = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  summary: 1004,
  vendor: 1011,
  licence: 1014,
  packager: 1015,
  url: 1020,
  arch: 1022,
  sourceRpm: 1044,
  dirIndexes: 1116,
  baseNames: 1117,
  dirNames: 1118,
} as const;

const type = { int32: 4, string: 6, stringArray: 8, i18nString: 9 } as const;

interface Field {
  readonly type: number;
  readonly offset: number;
  readonly count: number;
}

/** Undefined for what is no header, or has no name and version, and for the keys that rpm keeps as packages. */
export function readRpmHeader(bytes: Uint8Array, foundIn: string): Package | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [entries, length] = [view.getUint32(0), view.getUint32(4)];
  const start = 8 + entries * 16;
  if (entries > mostEntries || start + length > bytes.length) return undefined;
  const data = Buffer.from(bytes.buffer, bytes.byteOffset + start, length);
  const fields = new Map<number, Field>();
  for (let i = 0; i < entries; i++) {
    const at = 8 + i * 16;
    const offset = view.getInt32(at + 8);
    const field = { type: view.getUint32(at + 4), offset, count: view.getUint32(at + 12) };
    if (offset >= 0 && offset < length) fields.set(view.getUint32(at), field);
  }
  const strings = (wanted: number) => stringsOf(data, fields.get(wanted));
  const text = (wanted: number, most?: number) => plain(strings(wanted)[0], most);
  const [name, version, release] = [text(tag.name, 200), text(tag.version, 200), text(tag.release, 200)];
  if (!name || !version || name === "gpg-pubkey") return undefined;
  const epoch = numbersOf(data, fields.get(tag.epoch))[0];
  const source = /^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/.exec(text(tag.sourceRpm) ?? "");
  return {
    ecosystem: "rpm",
    name,
    version: release === undefined ? version : `${version}-${release}`,
    foundIn,
    files: filesOf(strings(tag.dirNames), strings(tag.baseNames), numbersOf(data, fields.get(tag.dirIndexes))),
    ...present({
      epoch: epoch === 0 ? undefined : epoch,
      architecture: text(tag.arch, 50),
      licence: text(tag.licence),
      supplier: text(tag.vendor, 300) ?? text(tag.packager, 300),
      description: text(tag.summary),
      homepage: text(tag.url),
      source: source ? { name: source[1] ?? "", version: source[2] ?? "" } : undefined,
    }),
  };
}

function stringsOf(data: Buffer, field: Field | undefined): string[] {
  if (!field || ![type.string, type.stringArray, type.i18nString].includes(field.type as 6)) return [];
  const found: string[] = [];
  const count = field.type === type.string ? 1 : Math.min(field.count, mostStrings);
  let at = field.offset;
  while (found.length < count && at < data.length) {
    const end = data.indexOf(0, at);
    if (end < 0) break;
    found.push(data.toString("utf8", at, end));
    at = end + 1;
  }
  return found;
}

function numbersOf(data: Buffer, field: Field | undefined): number[] {
  if (!field || field.type !== type.int32) return [];
  const count = Math.min(field.count, Math.floor((data.length - field.offset) / 4));
  return Array.from({ length: count }, (_, i) => data.readUInt32BE(field.offset + i * 4));
}

/** Absolute paths in three lists: folders, names, and for each name the number of its folder. */
function filesOf(folders: readonly string[], names: readonly string[], indexes: readonly number[]): string[] {
  return names.flatMap((name, i) => {
    const folder = folders[indexes[i] ?? -1];
    return folder === undefined ? [] : [`${folder}${name}`.replace(/^\/+/, "")];
  });
}
