/** Paragraphs of `Name: value` lines with continuations: dpkg's status, copyright files, Python's METADATA (RFC 822). */
import { mostPackages } from "../package.ts";

/** Paragraphs in order; names in lower case, of repeated ones the first. Lines that fit nothing are left out. */
export function readParagraphs(text: string): ReadonlyMap<string, string>[] {
  const found: Map<string, string>[] = [];
  let current = new Map<string, string>();
  let last: string | undefined;
  const end = () => {
    if (current.size > 0 && found.length < mostPackages) found.push(current);
    current = new Map();
    last = undefined;
  };
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "") end();
    else if (line.startsWith(" ") || line.startsWith("\t")) {
      // A very long value is no value: only its first lines are of use here.
      const value = last === undefined ? undefined : current.get(last);
      if (last !== undefined && value !== undefined && value.length < 65_536)
        current.set(last, `${value}\n${line.trim()}`);
    } else {
      const at = line.indexOf(":");
      if (at < 1) {
        last = undefined;
        continue;
      }
      const name = line.slice(0, at).toLowerCase();
      last = current.has(name) ? undefined : name;
      if (last !== undefined) current.set(last, line.slice(at + 1).trim());
    }
  }
  end();
  return found;
}

/** The first line of a value. */
export function firstLine(value: string | undefined): string | undefined {
  return value?.split("\n", 1)[0];
}
