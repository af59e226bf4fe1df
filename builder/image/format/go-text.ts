/** How Go writes quoted strings, byte sizes and ages: histories and listings look as docker's do, so tools can read them. */

const named: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
};

/** strconv.Quote with either quote: what is not printable is escaped. */
export function goQuote(text: string, quote = '"'): string {
  let out = quote;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (character === quote) out += `\\${quote}`;
    else if (named[character] !== undefined) out += named[character];
    else if (point < 0x20 || point === 0x7f) out += `\\x${point.toString(16).padStart(2, "0")}`;
    else if (!/[\p{C}\p{Z}]/u.test(character) || character === " ") out += character;
    else if (point < 0x10000) out += `\\u${point.toString(16).padStart(4, "0")}`;
    else out += `\\U${point.toString(16).padStart(8, "0")}`;
  }
  return out + quote;
}

/** `%q` of a list of strings: `["a" "b"]`, without commas. */
export function goQuoteList(items: readonly string[]): string {
  return `[${items.map((item) => goQuote(item)).join(" ")}]`;
}

/** Reads what goQuoteList wrote; undefined when the text is something else. Commas are accepted too. */
export function readQuotedList(text: string): string[] | undefined {
  const body = /^\[(.*)\]$/s.exec(text.trim())?.[1];
  if (body === undefined) return undefined;
  const items: string[] = [];
  const item = /[\s,]*"((?:[^"\\]|\\.)*)"/sy;
  let at = 0;
  for (let found = item.exec(body); found !== null; found = item.exec(body)) {
    items.push(unescapeGo(found[1] ?? ""));
    at = item.lastIndex;
  }
  return body.slice(at).trim() === "" ? items : undefined;
}

const unnamed: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(named).map(([character, text]) => [text[1] ?? "", character]),
);

function unescapeGo(text: string): string {
  return text.replace(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/gis, (_, x, u, long, plain) => {
    if (plain !== undefined) return unnamed[plain] ?? plain;
    const point = Number.parseInt(x ?? u ?? long, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : "\ufffd";
  });
}

/** `%q` of a number, as Go prints one: the character of that code, quoted. */
export function goQuoteNumber(value: number): string {
  const isCharacter = Number.isInteger(value) && value >= 0 && value <= 0x10ffff;
  return goQuote(isCharacter ? String.fromCodePoint(value) : "\ufffd", "'");
}

/** How long ago, as docker says it: `2 weeks ago`. Both in milliseconds since 1970. */
export function humanAge(then: number, now: number): string {
  const seconds = Math.floor((now - then) / 1000);
  const hours = Math.round((now - then) / 3_600_000);
  const minutes = Math.floor(seconds / 60);
  const text =
    seconds < 1
      ? "Less than a second"
      : seconds < 60
        ? many(seconds, "second")
        : minutes === 1
          ? "About a minute"
          : minutes < 60
            ? many(minutes, "minute")
            : hours === 1
              ? "About an hour"
              : hours < 48
                ? many(hours, "hour")
                : hours < 24 * 14
                  ? many(Math.floor(hours / 24), "day")
                  : hours < 24 * 60
                    ? many(Math.floor(hours / 24 / 7), "week")
                    : hours < 24 * 365 * 2
                      ? many(Math.floor(hours / 24 / 30), "month")
                      : many(Math.floor(hours / 24 / 365), "year");
  return `${text} ago`;
}

function many(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
