/**
 * The patterns of ${X#pattern}, ${X%pattern} and ${X/pattern/text}: `*`, `?` and `\` before them. Matched by hand in
 * O(pattern × value): a regular expression made of foreign text can take for ever.
 */

/** One element: a character, any character, or any run of characters. */
type Element = { readonly character: string } | "one" | "many";

/** Elements × characters that one match may cost. */
const mostWork = 20_000_000;

/** undefined when an escape stands before an ordinary character (BuildKit refuses it) or the work would be too much. */
function compile(pattern: string, value: string): Element[] | undefined {
  const elements: Element[] = [];
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*") {
      if (elements.at(-1) !== "many") elements.push("many");
    } else if (character === "?") elements.push("one");
    else if (character !== "\\") elements.push({ character });
    else {
      const escaped = characters[++at];
      if (escaped === undefined || !"*?\\}/".includes(escaped)) return undefined;
      elements.push({ character: escaped });
    }
  }
  return (elements.length + 1) * (value.length + 1) > mostWork ? undefined : elements;
}

/** Which lengths of a prefix of value[from…] match, smallest and largest; undefined when none does. */
function matchLengths(
  elements: readonly Element[],
  value: readonly string[],
  from: number,
): [number, number] | undefined {
  let reachable = new Set([from]);
  for (const element of elements) {
    const next = new Set<number>();
    if (element === "many") {
      const first = Math.min(...reachable);
      for (let at = first; at <= value.length; at++) next.add(at);
    } else {
      for (const at of reachable) {
        if (at < value.length && (element === "one" || element.character === value[at])) next.add(at + 1);
      }
    }
    if (next.size === 0) return undefined;
    reachable = next;
  }
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const at of reachable) {
    low = Math.min(low, at);
    high = Math.max(high, at);
  }
  return [low - from, high - from];
}

/** `${X#pattern}`, greedy `${X##pattern}`. undefined: the pattern cannot be used. */
export function removePrefix(value: string, pattern: string, isGreedy: boolean): string | undefined {
  const elements = compile(pattern, value);
  if (elements === undefined) return undefined;
  const characters = Array.from(value);
  const found = matchLengths(elements, characters, 0);
  return found === undefined ? value : characters.slice(found[isGreedy ? 1 : 0]).join("");
}

/** `${X%pattern}`, greedy `${X%%pattern}`. undefined: the pattern cannot be used. */
export function removeSuffix(value: string, pattern: string, isGreedy: boolean): string | undefined {
  const elements = compile(pattern, value);
  if (elements === undefined) return undefined;
  const characters = Array.from(value).reverse();
  const found = matchLengths(elements.reverse(), characters, 0);
  return found === undefined
    ? value
    : characters
        .slice(found[isGreedy ? 1 : 0])
        .reverse()
        .join("");
}

/** `${X/pattern/text}`: the first longest match, or with isEvery all of them. undefined: the pattern cannot be used. */
export function replacePattern(value: string, pattern: string, text: string, isEvery: boolean): string | undefined {
  const elements = compile(pattern, value);
  const characters = Array.from(value);
  // Each place of the value may be tried, so the bound is on all of them together.
  if (elements === undefined || elements.length * characters.length ** 2 > mostWork) return undefined;
  const parts: string[] = [];
  let at = 0;
  while (at <= characters.length) {
    const found = matchLengths(elements, characters, at);
    if (found === undefined) {
      parts.push(characters[at] ?? "");
      at++;
      continue;
    }
    parts.push(text);
    const length = found[1];
    // An empty match replaces nothing of the value: go on by one character, so that the loop ends.
    if (length === 0) parts.push(characters[at] ?? "");
    at += Math.max(1, length);
    if (!isEvery) break;
    // Like Go's ReplaceAll, no empty match directly after a match that reached the end.
    if (length > 0 && at >= characters.length) break;
  }
  return parts.join("") + characters.slice(at).join("");
}
