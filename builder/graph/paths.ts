/** Paths and modes of COPY and ADD as a graph keeps them. */
import { posix } from "node:path";
import type { SourceText } from "../diagnose/source.ts";
import { dockerfileError, quoted } from "../dockerfile/errors.ts";
import type { Word } from "../dockerfile/instruction.ts";

/** Absolute and clean; a trailing slash stays where the text means a folder (`x/`, `.`, `x/..`). */
export function targetPath(workdir: string | undefined, text: string): string {
  const last = text.slice(text.lastIndexOf("/") + 1);
  const isFolder = text.endsWith("/") || last === "." || last === "..";
  const joined = posix.join("/", text.startsWith("/") ? "" : (workdir ?? ""), text);
  const clean = joined.length > 1 ? joined.replace(/\/+$/, "") : joined;
  return isFolder && clean !== "/" ? `${clean}/` : clean;
}

/** `--chmod=755`. Throws DF_CHMOD. */
export function parseMode(word: Word, source: SourceText): number {
  if (/^[0-7]{1,4}$/.test(word.text)) return Number.parseInt(word.text, 8);
  throw dockerfileError(
    "DF_CHMOD",
    `${quoted(word.text)} is no file mode`,
    { span: word.span, source },
    { facts: { found: word.text }, hint: "write it in octal, such as --chmod=755" },
  );
}
