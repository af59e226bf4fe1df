/** WWW-Authenticate: what a registry wants before it answers (RFC 9110 section 11.6.1). Parsed by oci-registry-client. */
import { Parse_WWW_Authenticate } from "oci-registry-client/build/www-authenticate.js";

export interface Challenge {
  /** Lower case: `basic`, `bearer`, … */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const maxHeader = 16 * 1024;

/** All challenges of a header; ones that are not understood are left out, as a later one may be. Never throws. */
export function parseChallenges(header: string): Challenge[] {
  if (header.length > maxHeader) return [];
  return split(header).flatMap((text) => {
    const scheme = /^[A-Za-z][\w-]*/.exec(text)?.[0];
    if (scheme === undefined) return [];
    // The library's parser wants parameters; a bare `Basic` has none.
    if (text.trim() === scheme) return [{ scheme: scheme.toLowerCase(), parameters: new Map() }];
    try {
      const parsed = new Parse_WWW_Authenticate(text);
      if (parsed.err !== undefined) return [];
      const parameters = new Map(Object.entries(parsed.parms).map(([key, value]) => [key.toLowerCase(), value]));
      return [{ scheme: parsed.scheme.toLowerCase(), parameters }];
    } catch {
      return [];
    }
  });
}

/**
 * One header may hold several challenges, parted by the same comma that parts parameters: a new one starts where a
 * word stands before a space or the end instead of before "=".
 */
function split(header: string): string[] {
  const parts: string[] = [];
  for (const piece of header.match(/(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g) ?? []) {
    const text = piece.trim();
    const isStart = /^[A-Za-z][\w-]*(?:\s+[^\s=]|$)/.test(text) && !/^[\w-]+\s*=/.test(text);
    if (isStart || parts.length === 0) parts.push(text);
    else parts.push(`${parts.pop() ?? ""},${text}`);
  }
  return parts;
}
