/** Wildcards of COPY and ADD: Go's filepath.Match, component by component, as Dockerfiles have them. */
import { WbuildError } from "../../native/error.ts";
import { joinPath } from "./names.ts";
import type { Tree } from "./tree.ts";

type Token =
  | { readonly kind: "star" }
  | { readonly kind: "any" }
  | { readonly kind: "one"; readonly text: string }
  | { readonly kind: "set"; readonly not: boolean; readonly ranges: readonly (readonly [from: number, to: number])[] };

/**
 * Paths that a pattern matches, in byte order of their components. Components without a wildcard follow links; once a
 * wildcard was passed, only real folders are entered. `fold` gives one name for all that the tree cannot tell apart.
 * Throws TREE_PATTERN for a pattern that Go would refuse.
 */
export async function matchPaths(
  tree: Tree,
  pattern: string,
  fold: (name: string) => string = (name) => name,
): Promise<string[]> {
  const parts = splitPattern(pattern).map((part) => compile(fold(part), pattern));
  let found: string[] = [""];
  let passedWildcard = false;
  for (const tokens of parts) {
    const next: string[] = [];
    const literal = literalOf(tokens);
    for (const folder of found) {
      if (literal !== undefined) {
        const path = joinPath(folder, literal);
        if (await isThere(tree, folder, path, passedWildcard)) next.push(path);
        continue;
      }
      const real = passedWildcard ? folder : await tree.resolve(folder, true);
      if (real === undefined) continue;
      const prefix = real === "" ? 0 : real.length + 1;
      for (const entry of await tree.list(real)) {
        const name = entry.path.slice(prefix);
        if (matches(tokens, fold(name))) next.push(joinPath(folder, name));
      }
    }
    passedWildcard ||= literal === undefined;
    found = next;
  }
  return found;
}

async function isThere(tree: Tree, folder: string, path: string, exactly: boolean): Promise<boolean> {
  if (exactly && (await tree.stat(folder))?.type !== "directory") return false;
  return (await tree.resolve(path, false)) !== undefined;
}

/** True when a name (one path component) matches a pattern of one component. Throws TREE_PATTERN. */
export function matchName(pattern: string, name: string): boolean {
  return matches(compile(pattern, pattern), name);
}

/** Components between slashes; empty ones and "." mean nothing. A slash inside a class ends the component, as in Go. */
function splitPattern(pattern: string): string[] {
  return pattern.split("/").filter((part) => part !== "" && part !== ".");
}

function compile(part: string, whole: string): Token[] {
  const tokens: Token[] = [];
  // By characters, not UTF-16 units: "?" is one emoji, too.
  const text = [...part];
  let at = 0;
  const bad = (why: string) =>
    new WbuildError("TREE_PATTERN", `${JSON.stringify(whole)} is no pattern: ${why}`, {
      facts: { pattern: whole },
      hint: "put a backslash before a character that is to stand for itself",
    });
  /** A character of a class, perhaps escaped. */
  const member = (): string => {
    const escaped = text[at] === "\\";
    if (escaped) at++;
    const character = text[at++];
    if (character === undefined) throw bad("a [ is never closed");
    if (!escaped && (character === "-" || character === "]")) throw bad(`${character} has nothing before it in [ ]`);
    return character;
  };
  while (at < text.length) {
    const character = text[at++] ?? "";
    if (character === "*") {
      if (tokens.at(-1)?.kind !== "star") tokens.push({ kind: "star" });
    } else if (character === "?") {
      tokens.push({ kind: "any" });
    } else if (character === "\\") {
      const next = text[at++];
      if (next === undefined) throw bad("it ends with a backslash");
      tokens.push({ kind: "one", text: next });
    } else if (character === "[") {
      const not = text[at] === "^";
      if (not) at++;
      const ranges: [number, number][] = [];
      do {
        const from = codeOf(member());
        let to = from;
        if (text[at] === "-") {
          at++;
          to = codeOf(member());
        }
        ranges.push([from, to]);
      } while (text[at] !== "]");
      at++;
      tokens.push({ kind: "set", not, ranges });
    } else {
      tokens.push({ kind: "one", text: character });
    }
  }
  return tokens;
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

function literalOf(tokens: readonly Token[]): string | undefined {
  let text = "";
  for (const token of tokens) {
    if (token.kind !== "one") return undefined;
    text += token.text;
  }
  return text;
}

function accepts(token: Token | undefined, character: string): boolean {
  if (token === undefined || token.kind === "star") return false;
  if (token.kind === "any") return true;
  if (token.kind === "one") return token.text === character;
  const code = codeOf(character);
  return token.ranges.some(([from, to]) => from <= code && code <= to) !== token.not;
}

/** Only the last star is ever tried again, so a hostile pattern costs at most its length times the name's. */
function matches(tokens: readonly Token[], name: string): boolean {
  const characters = [...name];
  let token = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < characters.length) {
    if (tokens[token]?.kind === "star") {
      star = token++;
      starAt = at;
    } else if (accepts(tokens[token], characters[at] ?? "")) {
      token++;
      at++;
    } else if (star >= 0) {
      token = star + 1;
      at = ++starAt;
    } else {
      return false;
    }
  }
  while (tokens[token]?.kind === "star") token++;
  return token === tokens.length;
}
