/**
 * .dockerignore: which files of a context folder are no part of the context, exactly as moby/patternmatcher decides it.
 * The Dockerfile and the ignore file get no exception: as in BuildKit they are read beside the context, so ignoring
 * them only means that COPY does not find them.
 */
import { basename, dirname, join } from "node:path";
import { WbuildError } from "../../native/error.ts";
import { dockerfileError, quoted } from "./errors.ts";
import { type IgnorePattern, parsePattern } from "./ignore-pattern.ts";
import { readSteeringFile, SteeringFileError } from "./steering-file.ts";

/** Folders whose results are remembered; then the memory starts anew. */
const remembered = 4096;
const mostPatterns = 10_000;

/**
 * keep: part of the context. drop: not, but when it is a folder something below it may be (an exception `!`).
 * prune: a folder that is out with all that is in it, so nobody need look inside.
 */
export type IgnoreDecision = "keep" | "drop" | "prune";

export class IgnoreFile {
  /** As people know it: its path. */
  readonly name: string;
  readonly text: string;
  readonly patterns: readonly IgnorePattern[];
  readonly #exceptions: readonly IgnorePattern[];
  readonly #folders = new Map<string, Uint8Array>();

  constructor(name: string, text: string, patterns: readonly IgnorePattern[]) {
    this.name = name;
    this.text = text;
    this.patterns = patterns;
    this.#exceptions = patterns.filter((pattern) => pattern.isException);
  }

  /** `path` is relative, '/'-separated and clean, as Entry.path; "" is the context itself and always kept. */
  decide(path: string, isDirectory: boolean): IgnoreDecision {
    if (this.#hiddenBy(path) === undefined) return "keep";
    if (!isDirectory) return "drop";
    return this.#exceptions.some((pattern) => pattern.canMatchBelow(path)) ? "drop" : "prune";
  }

  /** The pattern that leaves this path out, and its line; undefined when it is part of the context. */
  which(path: string): { pattern: string; line: number } | undefined {
    const found = this.#hiddenBy(path);
    return found === undefined ? undefined : { pattern: found.pattern, line: found.line };
  }

  /** The last word is had by the last pattern that matches the path or a folder above it. */
  #hiddenBy(path: string): IgnorePattern | undefined {
    if (path === "" || path === ".") return undefined;
    const slash = path.lastIndexOf("/");
    const above = slash < 0 ? undefined : this.#folder(path.slice(0, slash));
    let hidden: IgnorePattern | undefined;
    this.patterns.forEach((pattern, index) => {
      if (pattern.isException === (hidden === undefined)) return;
      if (above?.[index] || pattern.matches(path)) hidden = pattern.isException ? undefined : pattern;
    });
    return hidden;
  }

  /** For each pattern: does it match this folder or one above it? */
  #folder(path: string): Uint8Array {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    let result: Uint8Array = new Uint8Array(this.patterns.length);
    // From the top down, in a loop: paths can be as deep as they like.
    for (let slash = path.indexOf("/"); ; slash = path.indexOf("/", slash + 1)) {
      const folder = slash < 0 ? path : path.slice(0, slash);
      const above = result;
      result = this.#folders.get(folder) ?? this.#matchFolder(folder, above);
      if (slash < 0) return result;
    }
  }

  #matchFolder(folder: string, above: Uint8Array): Uint8Array {
    const result = Uint8Array.from(this.patterns, (pattern, index) =>
      above[index] || pattern.matches(folder) ? 1 : 0,
    );
    if (this.#folders.size >= remembered) this.#folders.clear();
    this.#folders.set(folder, result);
    return result;
  }
}

/** Reads the text of an ignore file. Throws DF_IGNORE_PATTERN with the line. */
export function parseIgnore(text: string, name: string): IgnoreFile {
  const patterns: IgnorePattern[] = [];
  const lines = text.replace(/^\ufeff/, "").split("\n");
  lines.forEach((line, index) => {
    const found = parsePattern(line.replace(/\r$/, ""), index + 1);
    if (found === undefined) return;
    if (!("problem" in found) && patterns.length < mostPatterns) {
      patterns.push(found);
      return;
    }
    const problem = "problem" in found ? found.problem : `there are more than ${mostPatterns} patterns`;
    const start = { line: index + 1, column: 1 };
    throw dockerfileError(
      "DF_IGNORE_PATTERN",
      `${quoted(line.trim())} is no pattern: ${problem}`,
      { span: { start, end: { line: index + 1, column: line.length + 1 } }, source: { name, text } },
      { facts: { line: index + 1 } },
    );
  });
  return new IgnoreFile(name, text, patterns);
}

/**
 * The ignore file of a build: `<Dockerfile>.dockerignore` beside the Dockerfile, else `.dockerignore` in the context;
 * undefined when there is neither. `dockerfilePath` is undefined when the Dockerfile comes from standard input.
 * Throws DF_IGNORE_UNREADABLE, DF_IGNORE_PATTERN.
 */
export async function findIgnoreFile(contextFolder: string, dockerfilePath?: string): Promise<IgnoreFile | undefined> {
  const candidates = [
    ...(dockerfilePath === undefined
      ? []
      : [join(dirname(dockerfilePath), `${basename(dockerfilePath)}.dockerignore`)]),
    join(contextFolder, ".dockerignore"),
  ];
  for (const path of candidates) {
    const text = await readText(path, contextFolder);
    if (text !== undefined) return parseIgnore(text, path);
  }
  return undefined;
}

async function readText(path: string, folder: string): Promise<string | undefined> {
  try {
    return (await readSteeringFile({ path, folder })).toString("utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    const isOurs = cause instanceof SteeringFileError;
    throw new WbuildError("DF_IGNORE_UNREADABLE", `cannot read ${path}${isOurs ? `: ${cause.message}` : ""}`, {
      ...(isOurs ? {} : { cause }),
      facts: { path },
    });
  }
}
