/** Strings. Lengths and places count characters as people see them (grapheme clusters), as HCL's functions do. */
import { asList, asNumber, asText, badValue, type Value } from "../value.ts";
import { bounded } from "./bounded.ts";
import { formatText } from "./format.ts";
import { type FunctionTable, given, ofText } from "./function.ts";

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

function characters(text: string): string[] {
  return [...segmenter.segment(text)].map(({ segment }) => segment);
}

function text(value: Value | undefined, name: string): string {
  return asText(given(value, name), `an argument of ${name}`);
}

function texts(value: Value | undefined, name: string): string[] {
  return asList(given(value, name), `the list of ${name}`).map((item) => asText(item, `an item of ${name}'s list`));
}

/** Attack: a pattern that takes quadratic time on a text, and what a text of megabytes makes of it. */
const longestMatched = 10_000;

/** RE2's syntax, as far as JavaScript's is the same. Throws BAKE_VALUE. */
function regular(pattern: Value | undefined, subject: string, name: string, flags = ""): RegExp {
  if (subject.length > longestMatched) throw badValue(`${name} takes texts of up to ${longestMatched} characters`);
  const source = text(pattern, name);
  const inline = /^\(\?([ims]+)\)/.exec(source);
  try {
    return new RegExp(source.slice(inline?.[0].length ?? 0).replaceAll("(?P<", "(?<"), `u${flags}${inline?.[1] ?? ""}`);
  } catch (error) {
    throw badValue(`${name}: ${(error as Error).message}`);
  }
}

/** The whole match, or its groups where the pattern has some: a list, or an object of named ones. */
function captured(found: RegExpMatchArray): Value {
  if (found.groups)
    return Object.fromEntries(Object.entries(found.groups).map(([name, value]) => [name, value ?? null]));
  return found.length > 1 ? found.slice(1).map((group) => group ?? null) : found[0];
}

function cut(all: readonly string[], offset: number, length: number): string {
  const start = offset < 0 ? Math.max(0, all.length + offset) : offset;
  return all.slice(start, length < 0 ? undefined : start + length).join("");
}

function trimSet(value: Value | undefined, set: Value | undefined): string {
  const characters = new Set([...text(set, "trim")]);
  const all = [...text(value, "trim")];
  while (all.length > 0 && characters.has(all[0] as string)) all.shift();
  while (all.length > 0 && characters.has(all.at(-1) as string)) all.pop();
  return all.join("");
}

/** `$1` and `${name}` in Go's replacements. */
function goReplacement(
  replacement: string,
  found: readonly string[],
  groups: Readonly<Record<string, string>> | undefined,
): string {
  return replacement.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
    if (whole === "$$") return "$";
    const name = braced ?? bare ?? "";
    return (/^\d+$/.test(name) ? found[Number(name)] : groups?.[name]) ?? "";
  });
}

export const textFunctions: FunctionTable = {
  basename: ofText("basename", (path) => (path === "" ? "." : path.replace(/\/+$/, "").split("/").at(-1) || "/")),
  chomp: ofText("chomp", (value) => value.replace(/[\r\n]+$/, "")),
  dirname: ofText("dirname", (path) => {
    const at = path.lastIndexOf("/");
    return at < 0 ? "." : path.slice(0, at).replace(/\/+$/, "") || "/";
  }),
  format: (form, ...args) => formatText(text(form, "format"), args),
  formatlist: (form, ...args) => {
    const lengths = args.filter((arg) => Array.isArray(arg)).map((arg) => (arg as readonly Value[]).length);
    const count = lengths[0] ?? 1;
    if (lengths.some((length) => length !== count)) throw badValue("formatlist needs lists of one length");
    return Array.from({ length: count }, (_, i) =>
      formatText(
        text(form, "formatlist"),
        args.map((arg) => (Array.isArray(arg) ? (arg[i] as Value) : arg)),
      ),
    );
  },
  indent: (spaces, value) =>
    text(value, "indent").replaceAll(
      "\n",
      `\n${" ".repeat(Math.min(1000, Math.max(0, asNumber(given(spaces, "indent"), "the first argument of indent"))))}`,
    ),
  join: (separator, ...lists) => lists.flatMap((list) => texts(list, "join")).join(text(separator, "join")),
  lower: ofText("lower", (value) => value.toLowerCase()),
  regex: (pattern, value) => {
    const subject = text(value, "regex");
    const wanted = regular(pattern, subject, "regex");
    const found = bounded("regex", () => wanted.exec(subject));
    if (!found) throw badValue(`regex: ${JSON.stringify(subject.slice(0, 80))} does not match`);
    return captured(found);
  },
  regexall: (pattern, value) => {
    const subject = text(value, "regexall");
    const wanted = regular(pattern, subject, "regexall", "g");
    return bounded("regexall", () => [...subject.matchAll(wanted)]).map(captured);
  },
  regex_replace: (value, pattern, replacement) => {
    const subject = text(value, "regex_replace");
    const by = text(replacement, "regex_replace");
    const wanted = regular(pattern, subject, "regex_replace", "g");
    const replaced = (...found: unknown[]) => {
      const groups = typeof found.at(-1) === "object" ? (found.at(-1) as Record<string, string>) : undefined;
      return goReplacement(
        by,
        found.filter((part): part is string => typeof part === "string"),
        groups,
      );
    };
    return bounded("regex_replace", () => subject.replace(wanted, replaced));
  },
  replace: (value, from, to) => text(value, "replace").replaceAll(text(from, "replace"), () => text(to, "replace")),
  reverse: ofText("reverse", (value) => characters(value).reverse().join("")),
  sanitize: ofText("sanitize", (value) => [...value].map((one) => (/[A-Za-z0-9_-]/.test(one) ? one : "_")).join("")),
  split: (separator, value) => text(value, "split").split(text(separator, "split")),
  strlen: ofText("strlen", (value) => characters(value).length),
  substr: (value, offset, length) =>
    cut(
      characters(text(value, "substr")),
      asNumber(given(offset, "substr"), "the offset of substr"),
      asNumber(given(length, "substr"), "the length of substr"),
    ),
  title: ofText("title", (value) =>
    value.replace(/(^|\s)(\p{Ll})/gu, (_, before: string, letter: string) => before + letter.toUpperCase()),
  ),
  trim: trimSet,
  trimprefix: (value, prefix) => {
    const [whole, start] = [text(value, "trimprefix"), text(prefix, "trimprefix")];
    return whole.startsWith(start) ? whole.slice(start.length) : whole;
  },
  trimspace: ofText("trimspace", (value) => value.trim()),
  trimsuffix: (value, suffix) => {
    const [whole, end] = [text(value, "trimsuffix"), text(suffix, "trimsuffix")];
    return end !== "" && whole.endsWith(end) ? whole.slice(0, -end.length) : whole;
  },
  upper: ofText("upper", (value) => value.toUpperCase()),
};
