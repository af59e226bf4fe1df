/** What --exclude and --parents leave of a folder: rules over paths relative to it. */
import type { IgnoreRule } from "../../layerfs/tree/sift.ts";
import { foldPath } from "../../layerfs/windows/names.ts";
import { WbuildError } from "../../native/error.ts";
import { IgnoreFile } from "../dockerfile/ignore.ts";
import { type IgnorePattern, readExclude } from "../dockerfile/ignore-pattern.ts";

/** Equal names are equal rules: what was learned of a folder under one is good for the next build. */
export interface NamedRule {
  readonly name: string;
  readonly rule: IgnoreRule;
  /** Little of the folder is meant: to walk all of it would be a waste. */
  readonly sparse: boolean;
}

/** All but what these patterns match, as an ignore file would have it: the last one that matches decides. */
export function excludeRule(patterns: readonly string[], os: string | undefined): NamedRule {
  const fold = foldOf(os);
  const read = patterns.flatMap((text) => (text.trim() === "" ? [] : [readPattern(fold(text))]));
  const file = new IgnoreFile("--exclude", patterns.join("\n"), read);
  return {
    name: JSON.stringify(["exclude", ...patterns]),
    sparse: false,
    rule: (path, isFolder) => file.decide(fold(path), isFolder),
  };
}

/**
 * What a clean pattern matches, with all below it; folders on the way stay where they hold something. `**` is any number
 * of folders. Nothing below a folder is looked at where no match can be.
 */
export function parentsRule(pattern: string, left: NamedRule | undefined, os: string | undefined): NamedRule {
  const fold = foldOf(os);
  // A leading ! would be an exception.
  const text = fold(pattern).replace(/^!/, "\\!");
  const wanted = text === "" ? undefined : readPattern(text);
  const onTheWay = wanted && wayTo(text, wanted);
  const kept = new Set<string>();
  const isWanted = (path: string) => {
    if (wanted === undefined) return true;
    const slash = path.lastIndexOf("/");
    return (slash > 0 && kept.has(path.slice(0, slash))) || wanted.matches(path);
  };
  return {
    name: JSON.stringify(["parents", pattern, left?.name]),
    sparse: true,
    rule(written, isFolder) {
      const path = fold(written);
      const decided = left?.rule(written, isFolder) ?? "keep";
      if (isWanted(path)) {
        // Asked from the top down: what lies below is wanted, too.
        if (isFolder) kept.add(path);
        return decided;
      }
      if (decided === "prune" || !isFolder) return "prune";
      return onTheWay?.(path) ? "drop" : "prune";
    },
  };
}

/** `a/b/./c` is `c` below the folder `a/b`; without a pivot all stands below the root. */
export function splitAtPivot(source: string): { folder: string; pattern: string } {
  const at = source.indexOf("/./");
  return at < 0 ? { folder: "", pattern: source } : { folder: source.slice(0, at), pattern: source.slice(at + 3) };
}

/** May something below a folder match? Component by component up to the first doubled star. */
function wayTo(pattern: string, wanted: IgnorePattern): (folder: string) => boolean {
  // A slash inside a class or behind a backslash ends no component.
  if (/[[\\]/.test(pattern)) return (folder) => wanted.canMatchBelow(folder);
  const parts = pattern.split("/");
  const doubled = parts.findIndex((part) => part.includes("**"));
  const firm = parts.slice(0, doubled < 0 ? parts.length - 1 : doubled);
  const steps: IgnorePattern[] = [];
  // Attack: a pattern of ten thousand components. No deeper than the folders are is it ever looked at.
  const stepAt = (depth: number): IgnorePattern => {
    const step = steps[depth - 1] ?? readPattern(firm.slice(0, depth).join("/"));
    steps[depth - 1] = step;
    return step;
  };
  return (folder) => {
    const names = folder.split("/");
    if (names.length <= firm.length) return stepAt(names.length).matches(folder);
    if (doubled < 0) return false;
    return firm.length === 0 || stepAt(firm.length).matches(names.slice(0, firm.length).join("/"));
  };
}

function readPattern(text: string): IgnorePattern {
  const read = readExclude(text);
  if (read) return read;
  throw new WbuildError("TREE_PATTERN", `${JSON.stringify(text)} is no pattern`, {
    facts: { pattern: text },
    hint: "put a backslash before a character that is to stand for itself",
  });
}

function foldOf(os: string | undefined): (path: string) => string {
  return os === "windows" ? foldPath : (path) => path;
}
