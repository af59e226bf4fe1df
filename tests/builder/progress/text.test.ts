import test from "ava";
import fc from "fast-check";
import { chooseMode, wantsColours } from "../../../builder/progress/choose.ts";
import type { BuildEvent, ProgressMode } from "../../../builder/progress/events.ts";
import { forReader, harmless, lastOverwrite } from "../../../builder/progress/harmless.ts";
import { passwordsIn, redact, redactUrls } from "../../../builder/progress/redact.ts";
import { formatBytes } from "../../../builder/progress/units.ts";
import { cutToWidth, displayWidth } from "../../../builder/progress/width.ts";
import { holds } from "../../doubles/holds.ts";

const texts: [name: string, text: string, clean: string][] = [
  ["plain", "gcc -o a", "gcc -o a"],
  ["colours", "\x1b[1;31mred\x1b[0m", "red"],
  ["a title with BEL", "\x1b]0;title\x07after", "after"],
  ["a link with ST", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"],
  ["a device control string", "\x1bPq#0;2\x1b\\x", "x"],
  ["an unfinished title swallows its line, not the terminal", "\x1b]0;title", ""],
  ["8-bit CSI", "\x9b2Jx", "x"],
  ["reset", "\x1bcx", "x"],
  ["a lone escape at the end", "x\x1b", "x"],
  ["bells and backspaces", "a\x07\x08b", "ab"],
  ["bidirectional override", "a\u202eb\u2066c", "abc"],
  ["tab", "a\tb", "a       b"],
  ["not ASCII", "größe 宽 🎉", "größe 宽 🎉"],
];
for (const [name, text, clean] of texts) test(`harmless: ${name}`, (t) => t.is(harmless(text), clean));

test("harmless leaves no control character, whatever comes", (t) => {
  const alphabet = fc.constantFrom(
    "\x1b",
    "[",
    "]",
    "P",
    "\\",
    "\x07",
    "\x9c",
    "\x9b",
    "0",
    ";",
    "m",
    "a",
    "\r",
    "\u202e",
    "\t",
  );
  holds(
    t,
    fc.property(fc.array(alphabet, { maxLength: 40 }), (parts) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them.
      return !/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(harmless(parts.join("")));
    }),
  );
});

const overwrites: [string, string][] = [
  ["10%\r50%\r100%", "100%"],
  ["crlf\r", "crlf"],
  ["", ""],
  ["\r", ""],
  ["plain", "plain"],
];
for (const [line, shown] of overwrites)
  test(`last overwrite of ${JSON.stringify(line)}`, (t) => t.is(lastOverwrite(line), shown));

const widths: [text: string, width: number][] = [
  ["abc", 3],
  ["é", 1],
  ["e\u0301", 1],
  ["宽", 2],
  ["🎉", 2],
  ["한글", 4],
  ["…", 1],
];
for (const [text, width] of widths) test(`width of ${text}`, (t) => t.is(displayWidth(text), width));

test("a cut text fits, and a text that fits is not cut", (t) => {
  holds(
    t,
    fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), fc.integer({ min: 1, max: 40 }), (text, columns) => {
      const clean = harmless(text);
      const cut = cutToWidth(clean, columns);
      return displayWidth(cut) <= columns && (displayWidth(clean) > columns || cut === clean);
    }),
  );
});

const sizes: [bytes: number, text: string][] = [
  [0, "0B"],
  [999, "999B"],
  [1000, "1kB"],
  [5_574_000, "5.57MB"],
  [123_999, "124kB"],
  [999_999, "1MB"],
  [1.5e9, "1.5GB"],
  [1090, "1.09kB"],
  [117_600_000, "118MB"],
  [1.5e12, "1.5TB"],
];
for (const [bytes, text] of sizes) test(`${bytes} bytes are ${text}`, (t) => t.is(formatBytes(bytes), text));

const modes: [
  name: string,
  asked: ProgressMode | undefined,
  tty: boolean,
  env: Record<string, string>,
  mode: Exclude<ProgressMode, "auto">,
][] = [
  ["a terminal", undefined, true, {}, "tty"],
  ["a pipe", undefined, false, {}, "plain"],
  ["CI", undefined, true, { CI: "true" }, "plain"],
  ["a dumb terminal", "auto", true, { TERM: "dumb" }, "plain"],
  ["the flag wins", "json", true, { WBUILD_PROGRESS: "plain" }, "json"],
  ["WBUILD_PROGRESS", undefined, true, { WBUILD_PROGRESS: "plain", BUILDKIT_PROGRESS: "tty" }, "plain"],
  ["BUILDKIT_PROGRESS", "auto", false, { BUILDKIT_PROGRESS: "tty" }, "tty"],
  ["BuildKit's rawjson", undefined, false, { BUILDKIT_PROGRESS: "rawjson" }, "rawjson"],
];
for (const [name, asked, isTTY, env, mode] of modes)
  test(`face for ${name}`, (t) => t.is(chooseMode(asked, { isTTY }, env), mode));

test("an unknown face in the environment is refused", (t) => {
  t.like(
    t.throws(() => chooseMode(undefined, {}, { BUILDKIT_PROGRESS: "loud" })),
    { code: "CLI_VALUE" },
  );
});

const colours: [env: Record<string, string>, tty: boolean, wanted: boolean][] = [
  [{}, true, true],
  [{}, false, false],
  [{ NO_COLOR: "1" }, true, false],
  [{ NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
  [{ FORCE_COLOR: "1" }, false, true],
  [{ FORCE_COLOR: "0" }, true, false],
  [{ TERM: "dumb" }, true, false],
];
for (const [env, isTTY, wanted] of colours)
  test(`colours with ${JSON.stringify(env)} on a ${isTTY ? "terminal" : "pipe"}`, (t) =>
    t.is(wantsColours({ isTTY }, env), wanted));

test("no secret gets through in any event, however its output is cut into chunks", (t) => {
  const secret = "hunter2hunter3";
  holds(
    t,
    fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 60 }), (cuts) => {
      const seen: BuildEvent[] = [];
      const face = redact({ report: (event) => seen.push(event), close() {} }, [`${secret}\n`]);
      let rest = `before ${secret}${secret} hunter2hunt ${secret}after hunter`;
      for (const cut of [...cuts, rest.length]) {
        face.report({ kind: "output", id: "x", stream: "stdout", text: rest.slice(0, cut), at: 0 });
        rest = rest.slice(cut);
      }
      face.report({ kind: "failed", id: "x", message: `no such user ${secret}`, at: 1 });
      face.close();
      const output = seen.map((event) => (event.kind === "output" ? event.text : "")).join("");
      return !JSON.stringify(seen).includes(secret) && output === "before ************ hunter2hunt ******after hunter";
    }),
  );
});

test("foreign text is exact for a file and harmless for a terminal", (t) => {
  t.is(forReader({}, 'ENV A="\x1b[2J"\n'), 'ENV A="\x1b[2J"\n');
  t.is(forReader({ isTTY: true }, 'ENV A="\x1b[2J"\n'), 'ENV A=""\n');
});

const passwords: [words: string[], found: string[]][] = [
  [["https://user:secret@host/app"], ["secret"]],
  [["user:secret@host/app:1"], ["secret"]],
  [["--build-arg=HTTP_PROXY=http://user:secret@host"], ["secret"]],
  [["app:latest@sha256:00"], []],
  [["host:5000/app:1", "-v", "/a:/b", "name=a:b"], []],
];
for (const [words, found] of passwords)
  test(`passwords in ${words.join(" ")}`, (t) => t.deepEqual(passwordsIn(words), found));

test("no URL keeps its user and password", (t) =>
  t.is(redactUrls("a https://me:pw@host/x and ssh://git@host"), "a https://******@host/x and ssh://git@host"));

test("a secret that is told later is hidden from then on", (t) => {
  const seen: string[] = [];
  const secrets: string[] = [];
  const face = redact({ report: (event) => event.kind === "output" && seen.push(event.text), close() {} }, secrets);
  const say = (text: string) => face.report({ kind: "output", id: "1", stream: "stdout", text, at: 0 });
  say("before token-5678\n");
  secrets.push("token-5678");
  say("after token-5678\n");
  face.close();
  t.is(seen.join(""), "before token-5678\nafter ******\n");
});

test("the newline at the end of a secret's file still ends its line", (t) => {
  const seen: string[] = [];
  const face = { report: (event: BuildEvent) => event.kind === "output" && seen.push(event.text), close() {} };
  const redacted = redact(face, ["token-5678\n"]);
  redacted.report({ kind: "output", id: "1", stream: "stdout", text: "token-5678\nnext\n", at: 0 });
  redacted.close();
  t.is(seen.join(""), "******\nnext\n");
});
