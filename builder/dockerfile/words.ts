/**
 * Word expansion: quotes, escapes and $VARIABLES, as BuildKit's shell lexer has them (Dockerfile reference,
 * "Environment replacement"). Total: any text gives a string or a WbuildError, in time linear but for patterns.
 */
import type { SourceText, Span } from "../diagnose/source.ts";
import { dockerfileError, quoted } from "./errors.ts";
import type { Word } from "./instruction.ts";
import { removePrefix, removeSuffix, replacePattern } from "./patterns.ts";

/** The value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** Characters. `${A:-$B$B}` in a chain of ENVs doubles at each step: a billion-laughs attack on memory. */
const largest = 1024 * 1024;
/** `${a:-${a:-${a:-…` nests as deep as the file is long: an attack on the call stack. */
const deepest = 100;
const unclosed = "a brace after $ is not closed by }";

/**
 * The word with variables replaced and quotes and escapes resolved. What is not set becomes nothing.
 * `source` only names the file in errors. Throws DF_EXPANSION (unclosed quote or brace, bad modifier, `${X:?message}`).
 */
export function expandWord(word: Word, scope: Lookup, escapeChar: string, source?: SourceText): string {
  return expand(word, scope, escapeChar, source).text;
}

/** A here-document's text with its variables replaced: quotes mean nothing in it, and a backslash takes the meaning of a $. */
export function expandText(text: Word, scope: Lookup, source?: SourceText): string {
  return expand(text, scope, "\\", source, true).text;
}

/** Like expandWord, then cut into words at the blanks that no quote or escape protects (EXPOSE). */
export function expandWords(word: Word, scope: Lookup, escapeChar: string, source?: SourceText): string[] {
  return expand(word, scope, escapeChar, source).words;
}

function expand(
  word: Word,
  scope: Lookup,
  escapeChar: string,
  source: SourceText | undefined,
  isText = false,
): Expansion {
  const fail = (message: string, hint: string | undefined, at: number) =>
    dockerfileError(
      "DF_EXPANSION",
      message,
      { span: isText ? lineAt(word, at) : word.span, source: source ?? { name: "Dockerfile", text: "" } },
      { facts: { word: word.text.slice(0, 1000) }, ...(hint === undefined ? {} : { hint }) },
    );
  return new Expander(word.text, scope, escapeChar, fail, isText).run();
}

/** The line of a text of several lines that an offset is in. */
function lineAt({ text, span }: Word, at: number): Span {
  const before = text.slice(0, at).split("\n");
  const line = span.start.line + before.length - 1;
  const start = at - (before.at(-1)?.length ?? 0);
  const end = text.indexOf("\n", start);
  const length = (end < 0 ? text.length : end) - start;
  return { start: { line, column: 1 }, end: { line, column: length + 1 } };
}

type Fail = (message: string, hint?: string) => Error;

interface Expansion {
  readonly text: string;
  readonly words: string[];
}

const blank = /\s/u;

/** Collects text, and beside it the words that unprotected blanks make of it. */
class Output {
  text = "";
  readonly #words: string[] = [];
  #word = "";
  #inWord = false;
  readonly #fail: Fail;

  constructor(fail: Fail) {
    this.#fail = fail;
  }

  /** Text whose blanks separate words. */
  open(text: string): void {
    this.#add(text);
    for (const character of text) {
      if (!blank.test(character)) {
        this.#word += character;
        this.#inWord = true;
      } else if (this.#inWord && this.#word !== "") {
        this.#words.push(this.#word);
        this.#word = "";
        this.#inWord = false;
      }
    }
  }

  /** Text that stays together. */
  whole(text: string): void {
    this.#add(text);
    this.#word += text;
    this.#inWord = true;
  }

  end(): Expansion {
    return { text: this.text, words: this.#word === "" ? this.#words : [...this.#words, this.#word] };
  }

  #add(text: string): void {
    if (this.text.length + text.length > largest) throw this.#fail("the expanded text is larger than 1 MiB");
    this.text += text;
  }
}

class Expander {
  readonly #text: string;
  readonly #scope: Lookup;
  readonly #escape: string;
  readonly #fail: Fail;
  readonly #isText: boolean;
  #at = 0;
  #depth = 0;
  /** Where the variable that is read begins. */
  #variable = 0;

  constructor(
    text: string,
    scope: Lookup,
    escapeChar: string,
    fail: (message: string, hint: string | undefined, at: number) => Error,
    isText: boolean,
  ) {
    this.#text = text;
    this.#scope = scope;
    this.#escape = escapeChar;
    this.#fail = (message, hint) => fail(message, hint, this.#variable);
    this.#isText = isText;
  }

  run(): Expansion {
    return this.#until("", false);
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  get #ended(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Reads up to `stop` (consumed), or to the end when it is "". `raw` keeps escape characters, for patterns. */
  #until(stop: string, raw: boolean): Expansion {
    if (++this.#depth > deepest) throw this.#fail("too many braces inside each other");
    const output = new Output(this.#fail);
    while (!this.#ended) {
      const character = this.#peek();
      if (character === stop) {
        this.#at++;
        this.#depth--;
        return output.end();
      }
      if (character === "'" && !this.#isText) output.whole(this.#singleQuoted());
      else if (character === '"' && !this.#isText) output.whole(this.#doubleQuoted(raw));
      else if (character === "$") output.open(this.#dollar());
      else {
        this.#at++;
        if (character !== this.#escape) output.open(character);
        else {
          if (raw) output.whole(character);
          if (this.#ended) break;
          output.whole(this.#peek());
          this.#at++;
        }
      }
    }
    if (stop !== "") {
      throw this.#fail(stop === "}" ? unclosed : "a replacement in braces needs a second /, before the new text");
    }
    this.#depth--;
    return output.end();
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw this.#fail("a ' is not closed", "close the quote, or escape it");
    const inside = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inside;
  }

  /** Inside "…" the escape character escapes only itself, `"` and `$`; before anything else it stays. */
  #doubleQuoted(raw: boolean): string {
    this.#at++;
    const parts: string[] = [];
    while (!this.#ended) {
      const character = this.#peek();
      if (character === "$") {
        parts.push(this.#dollar());
        continue;
      }
      this.#at++;
      if (character === '"') return parts.join("");
      if (character !== this.#escape) parts.push(character);
      else {
        if (raw) parts.push(character);
        const escaped = this.#peek();
        if (escaped === "") continue;
        if (escaped === '"' || escaped === "$" || escaped === this.#escape) {
          parts.push(escaped);
          this.#at++;
        } else if (!raw) parts.push(character);
      }
    }
    throw this.#fail('a " is not closed', "close the quote, or escape it");
  }

  #dollar(): string {
    this.#variable = this.#at++;
    if (this.#peek() !== "{") {
      const name = this.#name();
      return name === "" ? "$" : (this.#scope(name) ?? "");
    }
    this.#at++;
    if (this.#ended) throw this.#fail(unclosed);
    if ("{}:".includes(this.#peek())) throw this.#fail("a brace after $ is not followed by a name");
    const name = this.#name();
    const operator = this.#peek();
    this.#at++;
    const value = this.#scope(name);
    if (operator === "") throw this.#fail(unclosed);
    if (operator === "}") return value ?? "";
    if (operator === "/") return this.#replaced(value ?? "");
    const isColon = operator === ":";
    const modifier = isColon ? this.#peek() : operator;
    if (isColon) this.#at++;
    if (modifier === "" || !(isColon ? "+-?" : "+-?#%").includes(modifier)) {
      throw this.#fail(
        `${quoted(`\${${name}${isColon ? ":" : ""}${modifier}`).slice(1, -1)} is no known form`,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the forms as people write them
        "known are ${X}, ${X:-default}, ${X:+instead}, ${X:?message}, ${X#prefix}, ${X%suffix} and ${X/pattern/text}",
      );
    }
    return this.#modified(name, value, modifier, isColon);
  }

  #modified(name: string, value: string | undefined, modifier: string, emptyIsUnset: boolean): string {
    const isPattern = modifier === "#" || modifier === "%";
    const word = this.#until("}", isPattern).text;
    const isSet = value !== undefined && !(emptyIsUnset && value === "");
    switch (modifier) {
      case "-":
        return isSet ? value : word;
      case "+":
        return isSet ? word : "";
      case "?":
        if (isSet) return value;
        throw this.#fail(`${name}: ${word === "" ? `is ${value === undefined ? "not set" : "empty"}` : word}`);
      default: {
        const isGreedy = word.startsWith(modifier);
        const pattern = isGreedy ? word.slice(1) : word;
        const remove = modifier === "#" ? removePrefix : removeSuffix;
        return this.#pattern(pattern, () => remove(value ?? "", pattern, isGreedy));
      }
    }
  }

  #replaced(value: string): string {
    const isEvery = this.#peek() === "/";
    if (isEvery) this.#at++;
    const pattern = this.#until("/", true).text;
    const replacement = this.#until("}", true).text;
    return this.#pattern(pattern, () => replacePattern(value, pattern, replacement, isEvery));
  }

  #pattern(pattern: string, run: () => string | undefined): string {
    const result = run();
    if (result === undefined) throw this.#fail(`the pattern ${JSON.stringify(pattern.slice(0, 80))} cannot be used`);
    return result;
  }

  /** Letters, digits and _; digits alone when it begins with one; or a single special parameter, which is never set. */
  #name(): string {
    const rest = /(?:\p{Nd}+|[@*#?\-$!]|[\p{L}_][\p{L}\p{Nd}_]*)/uy;
    rest.lastIndex = this.#at;
    const name = rest.exec(this.#text)?.[0] ?? "";
    this.#at += name.length;
    return name;
  }
}
