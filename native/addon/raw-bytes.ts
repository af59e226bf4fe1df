/**
 * Names as bytes and as strings. Linux names are bytes; those that are no UTF-8 pass through JavaScript as lone
 * surrogates U+DC80…U+DCFF, one a byte (as PEP 383 does), so that every name survives the way there and back.
 */
import { WbuildError } from "../error.ts";

const surrogate = /[\ud800-\udfff]/;

/** The name's bytes. Throws LAYER_NAME for a string that stands for no bytes: another lone surrogate or a NUL. */
export function bytesOfName(name: string): Buffer {
  if (name.includes("\0")) throw unusable(name);
  if (!surrogate.test(name)) return Buffer.from(name, "utf8");
  const parts: Buffer[] = [];
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) parts.push(Buffer.of(code - 0xdc00));
    else if (code >= 0xd800 && code <= 0xdfff) throw unusable(name);
    else parts.push(Buffer.from(character, "utf8"));
  }
  return Buffer.concat(parts);
}

/** The string that `bytesOfName` turns back into exactly these bytes. */
export function nameOfBytes(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8", 0, buffer.length);
  // U+FFFD is what the decoder writes for a bad byte; it may also stand there in its own right.
  if (!text.includes("\ufffd") || buffer.equals(Buffer.from(text, "utf8"))) return text;
  let out = "";
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceLength(buffer, at);
    out += length === 0 ? String.fromCharCode(0xdc00 + (buffer[at] ?? 0)) : buffer.toString("utf8", at, at + length);
    at += length || 1;
  }
  return out;
}

/** Bytes of the well-formed UTF-8 sequence that starts here (Unicode 15, table 3-7), or 0. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) === 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const second = bytes[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

/** The name for people: control characters and stray bytes are escaped, so that a hostile name cannot drive a terminal. */
export function showName(name: string): string {
  const cut = name.length > 300 ? `${name.slice(0, 300)}…` : name;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return cut.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]/gu, (bad) => {
    const code = bad.codePointAt(0) ?? 0;
    return code >= 0xdc80 && code <= 0xdcff ? `\\x${(code - 0xdc00).toString(16)}` : `\\u{${code.toString(16)}}`;
  });
}

function unusable(name: string): WbuildError {
  return new WbuildError("LAYER_NAME", `no file can have the name ${JSON.stringify(name.slice(0, 300))}`, {
    facts: { name: name.slice(0, 300) },
  });
}
