/** Ignore files on hostile text: they end, and decide as a plain, slow reading of the rules does. */
import test from "ava";
import fc from "fast-check";
import { parseIgnore } from "../../builder/dockerfile/ignore.ts";
import { parsePattern } from "../../builder/dockerfile/ignore-pattern.ts";
import { holds } from "../doubles/holds.ts";
import { orRefused } from "./or-refused.ts";

const runs = Number(process.env.FUZZ_RUNS ?? 600);
const pieces = fc.constantFrom(
  "*",
  "**",
  "**/",
  "/**",
  "?",
  "/",
  "a",
  "b",
  "ab",
  ".",
  "..",
  "!",
  "[a-b]",
  "[^a]",
  "[",
  "]",
  "\\",
  "\\*",
  "#",
  " ",
  "é",
);
const pattern = fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join(""));
const path = fc
  .array(fc.stringMatching(/^[abé.*[\]\\]{1,3}$/), { minLength: 1, maxLength: 5 })
  .map((parts) => parts.filter((part) => part !== "." && part !== "..").join("/"))
  .filter((each) => each !== "");

/** The rule as it is told: each pattern in turn, on the path and on each folder above it. */
function decidesSlowly(text: string, name: string): boolean {
  let hidden = false;
  for (const [index, line] of text.split("\n").entries()) {
    const found = parsePattern(line, index + 1);
    if (found === undefined || "problem" in found) continue;
    const above = name.split("/").map((_, count, all) => all.slice(0, count + 1).join("/"));
    if (above.some((each) => found.matches(each))) hidden = !found.isException;
  }
  return hidden;
}

test("an ignore file decides as its rules say, whatever was asked before", (t) => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 6 }), fc.array(path, { maxLength: 6 }), (patterns, paths) => {
      const text = patterns.join("\n");
      const file = orRefused(() => parseIgnore(text, "x"));
      if (file === undefined) return;
      for (const each of paths) {
        t.is(file.decide(each, false) !== "keep", decidesSlowly(text, each), JSON.stringify([text, each]));
        t.is(file.which(each) === undefined, file.decide(each, true) === "keep");
      }
    }),
    { numRuns: runs * 2 },
  );
});

test("nothing below a pruned folder is kept", (t) => {
  holds(
    t,
    fc.property(fc.array(pattern, { maxLength: 6 }), path, path, (patterns, folder, below) => {
      const file = orRefused(() => parseIgnore(patterns.join("\n"), "x"));
      if (file?.decide(folder, true) !== "prune") return;
      t.not(file.decide(`${folder}/${below}`, false), "keep", JSON.stringify([patterns, folder, below]));
    }),
    { numRuns: runs * 3 },
  );
});

/** The slow twin of the matcher: backtracking over the pattern's own words, good for short input only. */
function twin(text: string, name: string): boolean {
  const source = Array.from(text);
  let expression = "^";
  for (let at = 0; at < source.length; at++) {
    const character = source[at] ?? "";
    if (character === "*" && source[at + 1] === "*") {
      at += source[at + 2] === "/" ? 2 : 1;
      expression += at + 1 >= source.length ? ".*" : "(.*/)?";
    } else if (character === "*") expression += "[^/]*";
    else if (character === "?") expression += "[^/]";
    else expression += character.replace(/[.+()|{}$^[\]\\]/g, "\\$&");
  }
  return new RegExp(`${expression}$`, "su").test(name);
}

test("many stars are matched as few stars are", (t) => {
  const stars = fc
    .array(fc.constantFrom("*", "**/", "/**", "?", "a", "b", "/"), { maxLength: 9 })
    .map((parts) => parts.join(""));
  holds(
    t,
    fc.property(stars, path, (text, name) => {
      const found = parsePattern(text, 1);
      if (found === undefined || "problem" in found) return;
      // Text right behind a doubled star that opens the pattern is compared as the end of the path: a rule of its own.
      if (/^\*\*[^/*]/.test(found.pattern)) return;
      t.is(found.matches(name), twin(found.pattern, name), JSON.stringify([found.pattern, name]));
    }),
    { numRuns: runs * 5 },
  );
});

test("any bytes: a result or a WbuildError, soon", (t) => {
  holds(
    t,
    fc.property(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.string({ unit: "binary", maxLength: 60 }),
      (text, name) => {
        orRefused(() => parseIgnore(text, "x"))?.decide(name, true);
      },
    ),
    { numRuns: runs },
  );
});
