/** Reads tar and PAX as their specifications say, without anything of ours: a second opinion on what layers hold. */
import { gunzipSync } from "node:zlib";

export interface NaiveEntry {
  readonly name: string;
  /** The byte of the header: "0" file, "1" hard link, "2" symlink, "5" folder. */
  readonly type: string;
  readonly link: string;
  readonly content: Buffer;
  readonly pax: Readonly<Record<string, string>>;
}

/** All entries of a tar, gzip or plain, PAX headers taken together with what they describe. */
export function naiveTar(bytes: Buffer): NaiveEntry[] {
  const tar = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  const found: NaiveEntry[] = [];
  let pax: Record<string, string> = {};
  for (let at = 0; at + 512 <= tar.length; ) {
    const header = tar.subarray(at, at + 512);
    if (header.every((byte) => byte === 0)) break;
    const text = (from: number, to: number) => header.toString("latin1", from, to).replace(/\0.*$/s, "");
    const size = Number.parseInt(text(124, 136), 8) || 0;
    const type = text(156, 157) || "0";
    const content = tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
    if (type === "x") {
      pax = naivePax(content);
      continue;
    }
    const name = pax.path ?? [text(345, 500), text(0, 100)].filter((part) => part !== "").join("/");
    found.push({ name, type, link: pax.linkpath ?? text(157, 257), content, pax });
    pax = {};
  }
  return found;
}

function naivePax(bytes: Buffer): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(" ", at);
    const length = Number(bytes.toString("latin1", at, blank));
    const record = bytes.toString("utf8", blank + 1, at + length - 1);
    records[record.slice(0, record.indexOf("="))] = record.slice(record.indexOf("=") + 1);
    at += length;
  }
  return records;
}
