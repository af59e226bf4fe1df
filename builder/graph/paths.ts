/** Paths and modes of COPY and ADD as a graph keeps them. */
import { posix } from "node:path";
import type { SourceText } from "../diagnose/source.ts";
import { dockerfileError, quoted } from "../dockerfile/errors.ts";
import type { Copy, Instruction, Word } from "../dockerfile/instruction.ts";
import { swallowedBackslash, windowsSource, windowsTarget } from "../image/config/windows-path.ts";
import { type FileMode, readFileMode } from "./file-mode.ts";

/** Absolute and clean; a trailing slash stays where the text means a folder (`x/`, `.`, `x/..`). */
export function targetPath(workdir: string | undefined, text: string): string {
  const last = text.slice(text.lastIndexOf("/") + 1);
  const isFolder = text.endsWith("/") || last === "." || last === "..";
  const joined = posix.join("/", text.startsWith("/") ? "" : (workdir ?? ""), text);
  const clean = joined.length > 1 ? joined.replace(/\/+$/, "") : joined;
  return isFolder && clean !== "/" ? `${clean}/` : clean;
}

/** The system of the image that is made, and of the files a COPY takes. */
export interface CopySystems {
  readonly os: string;
  readonly fromOs: string | undefined;
}

/**
 * Sources and target as the op keeps them. Where one side is Windows, backslashes separate and drives fall away, as dockerd
 * and BuildKit have it. Throws DF_WINDOWS_PATH.
 */
export function copyPaths(step: Copy, workdir: string | undefined, { os, fromOs }: CopySystems, source: SourceText) {
  const isWindows = os === "windows";
  const sourceOf = (word: Word) => {
    if (!isWindows && fromOs !== "windows") return word.text;
    const pivot = step.parents ? word.text.search(/[\\/]\.[\\/]/) : -1;
    if (pivot < 0) return windowsSource(word, source);
    const part = (text: string) => windowsSource({ ...word, text }, source);
    return `${part(word.text.slice(0, pivot))}/./${part(word.text.slice(pivot + 3))}`;
  };
  const target = isWindows ? windowsTarget(workdir, step.target, source) : targetPath(workdir, step.target.text);
  return { sources: step.sources.map(sourceOf), target };
}

/**
 * What the default escape character seems to do to a path of an instruction, as a warning: `C:\app` loses its backslash, and
 * one at the end of a line takes the next line in, so that `COPY a C:\` comes out as `C:RUN`. No error in Docker either.
 */
export function swallowedPath(raw: Instruction): string | undefined {
  const words = (): readonly Word[] => {
    switch (raw.kind) {
      case "WORKDIR":
        return [raw.path];
      case "COPY":
      case "ADD":
        return [...raw.sources, raw.target];
      case "ENV":
        return raw.pairs.map((pair) => pair.value);
      case "VOLUME":
        return raw.paths;
      default:
        return [];
    }
  };
  const way = "begin the file with # escape=`, or write / or \\\\";
  const swallowed = words().find((word) => swallowedBackslash(word.text))?.text;
  if (swallowed !== undefined) return `\\ is the escape character here, so ${swallowed} loses its backslashes: ${way}`;
  const joined = raw.kind === "ENV" ? undefined : words().find((word) => /^[A-Za-z]:[^\\/]/.test(word.text))?.text;
  return joined && `${joined} has no backslash behind the drive; one at the end of a line continues the line: ${way}`;
}

/** `--chmod=755`, `--chmod=u=rwX,go=rX`. Throws DF_CHMOD. */
export function parseMode(word: Word, source: SourceText): FileMode {
  const mode = readFileMode(word.text);
  if (mode !== undefined) return mode;
  throw dockerfileError(
    "DF_CHMOD",
    `${quoted(word.text)} is no file mode`,
    { span: word.span, source },
    { facts: { found: word.text }, hint: "write it in octal, such as --chmod=755, or as chmod takes it: u=rwX,go=rX" },
  );
}
