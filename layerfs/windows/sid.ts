/** Security identifiers: their bytes (MS-DTYP 2.4.2.2) and their text `S-1-…` (2.4.2.1), both ways. */
import { WbuildError } from "../../native/error.ts";

const maxParts = 15;

/** A SID at the start of these bytes, and how many of them it takes. Throws WIN_SECURITY. */
export function decodeSid(bytes: Uint8Array): { readonly sid: string; readonly length: number } {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = b[1] ?? 0;
  const length = 8 + 4 * count;
  if (b[0] !== 1 || count > maxParts || b.length < length) {
    throw new WbuildError("WIN_SECURITY", "a security descriptor has an impossible SID");
  }
  const authority = b.readUIntBE(2, 6);
  // Text of authorities that need more than 32 bits is hexadecimal.
  const parts = [
    authority < 2 ** 32 ? String(authority) : `0x${authority.toString(16).padStart(12, "0").toUpperCase()}`,
  ];
  for (let i = 0; i < count; i++) parts.push(String(b.readUInt32LE(8 + 4 * i)));
  return { sid: `S-1-${parts.join("-")}`, length };
}

/** Throws WIN_SECURITY for text that is no SID. */
export function encodeSid(sid: string): Uint8Array {
  const [, , authorityText = "", ...parts] = sid.split("-");
  const isSid = /^S-1-(?:\d{1,10}|0x[0-9A-Fa-f]{12})(?:-\d{1,10}){0,15}$/.test(sid);
  const authority = Number(authorityText);
  if (!isSid || authority >= 2 ** 48 || parts.some((part) => Number(part) > 0xffffffff)) {
    throw new WbuildError("WIN_SECURITY", `${JSON.stringify(sid.slice(0, 200))} is no SID`, {
      hint: "it has the form S-1-5-32-544",
    });
  }
  const b = Buffer.alloc(8 + 4 * parts.length);
  b[0] = 1;
  b[1] = parts.length;
  b.writeUIntBE(authority, 2, 6);
  for (const [i, part] of parts.entries()) b.writeUInt32LE(Number(part), 8 + 4 * i);
  return b;
}
