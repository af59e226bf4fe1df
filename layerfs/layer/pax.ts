/** PAX extended headers (POSIX.1-2001, pax, "pax Extended Header"): records as bytes. Values stay raw. */
import { WbuildError } from "../../native/error.ts";
import { fromRawBytes } from "./raw-path.ts";

const maxRecords = 256;
/** Records that say again what a header field says; all others belong to the file. */
const headerKeys = new Set(
  "path linkpath size uid gid uname gname mtime atime ctime devmajor devminor charset hdrcharset comment".split(" "),
);

/** The records of a PAX header; the last one of a key counts. Throws LAYER_PAX for lengths that lie. */
export function decodePax(bytes: Uint8Array): Map<string, Uint8Array> {
  const out = new Map<string, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? "" : Buffer.from(bytes.subarray(at, space)).toString("latin1");
    const length = /^[0-9]{1,7}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (length < digits.length + 3 || end > bytes.length || bytes[end - 1] !== 0x0a) throw lying();
    const equals = bytes.indexOf(0x3d, space);
    if (equals <= space + 1 || equals >= end) throw lying();
    if (out.size >= maxRecords) throw lying();
    out.set(fromRawBytes(bytes.subarray(space + 1, equals)), bytes.slice(equals + 1, end - 1));
    at = end;
  }
  return out;
}

/** Nanoseconds since 1970 of a PAX time; more than nine digits of a fraction are cut. Throws LAYER_HEADER. */
export function paxTime(text: string): bigint {
  const parts = /^(-?)([0-9]{1,16})(?:\.([0-9]*))?$/.exec(text);
  if (parts === null) throw new WbuildError("LAYER_HEADER", "an entry has an impossible time");
  const nanos = BigInt(parts[2] ?? "0") * 1_000_000_000n + BigInt((parts[3] ?? "").slice(0, 9).padEnd(9, "0"));
  return parts[1] === "-" ? -nanos : nanos;
}

/** The records that belong to the file itself; overlayfs's own are left out, they would make it show other files. */
export function filePax(records: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> | undefined {
  const out = new Map<string, Uint8Array>();
  for (const [key, value] of records) {
    if (headerKeys.has(key) || /^SCHILY\.xattr\.(?:trusted|user)\.overlay\./.test(key)) continue;
    if (value.length > 0 || key.startsWith("SCHILY.xattr.")) out.set(key, value);
  }
  return out.size === 0 ? undefined : out;
}

function lying(): WbuildError {
  return new WbuildError("LAYER_PAX", "a PAX header has lengths that lie");
}
