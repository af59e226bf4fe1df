import test from "ava";
import type { Command } from "../../../builder/cli/command.ts";
import { commands } from "../../../builder/cli/commands.ts";
import { instead, insteadOfFlag } from "../../../builder/cli/docker-words.ts";
import { asksForHelp, defineParser, findCommand, passOn, readFlags } from "../../../builder/cli/parse.ts";

const names = Object.keys(commands);
const found: readonly (readonly [argv: string, name: string, rest: string])[] = [
  [".", "build", "."],
  ["-t x .", "build", "-t x ."],
  ["build .", "build", "."],
  ["./images", "build", "./images"],
  ["-", "build", "-"],
  ["https://example.com/x.git", "build", "https://example.com/x.git"],
  ["tests", "build", "tests"],
  ["images", "images", ""],
  ["--debug images -q", "images", "--debug -q"],
  ["--home /x images", "images", "--home /x"],
  ["--home=/x run a b", "run", "--home=/x a b"],
  ["", "help", ""],
  ["--debug", "help", "--debug"],
  ["help run", "help", "run"],
];
for (const [argv, name, rest] of found)
  test(`wbuild ${argv}: ${name}`, (t) => {
    const split = (text: string) => text.split(" ").filter((word) => word !== "");
    t.deepEqual(findCommand(split(argv), names), { name, rest: split(rest) });
  });

const wrong: readonly (readonly [word: string, near: string | undefined])[] = [
  ["biuld", "build"],
  ["IMAGES", "images"],
  ["zzzzzzzz", undefined],
];
for (const [word, near] of wrong)
  test(`wbuild ${word} is no command`, (t) => {
    t.like(
      t.throws(() => findCommand([word], names)),
      { code: "CLI_COMMAND", facts: { nearest: near } },
    );
  });

const sample: Command = {
  operands: "IMAGE [ARG...]",
  about: "",
  examples: [["wbuild sample x", "x"]],
  define(parser) {
    passOn(parser)
      .argument("<image>")
      .argument("[args...]")
      .option("--pull", "")
      .option("-w, --workdir <path>", "")
      .option("-H, --human", "", true)
      .option("--no-human", "");
  },
  run: async () => 0,
};
function read(words: string) {
  const parser = defineParser("sample", sample);
  const rest = words.split(" ");
  if (asksForHelp(parser, rest)) return "help";
  readFlags("sample", sample, parser, rest);
  return { ...parser.opts(), args: parser.args };
}
const flags: readonly (readonly [words: string, expected: unknown])[] = [
  ["x", { human: true, args: ["x"] }],
  ["--pull x", { human: true, pull: true, args: ["x"] }],
  ["--pull=true x", { human: true, pull: true, args: ["x"] }],
  ["--pull=false x", { human: true, args: ["x"] }],
  ["--human=false x", { human: false, args: ["x"] }],
  ["-H x", { human: true, args: ["x"] }],
  ["-w /d x --pull -w y", { human: true, workdir: "/d", args: ["x", "--pull", "-w", "y"] }],
  ["x --pull=true", { human: true, args: ["x", "--pull=true"] }],
  ["x --help", { human: true, args: ["x", "--help"] }],
  ["-w true --pull=1 x", { human: true, workdir: "true", pull: true, args: ["x"] }],
  ["-w /d --help", "help"],
  ["--help x", "help"],
];
for (const [words, expected] of flags) test(`reads: ${words}`, (t) => t.deepEqual(read(words), expected));

test("an unknown flag names the nearest one", (t) => {
  t.like(
    t.throws(() => read("--wrokdir /d x")),
    { code: "CLI_FLAG", facts: { nearest: "--workdir" } },
  );
});

const refused: readonly (readonly [words: string, code: string, message: RegExp, hint: RegExp | undefined])[] = [
  ["--pull=always x", "CLI_VALUE", /--pull takes true or false, not "always"/, undefined],
  ["--pulll=true x", "CLI_FLAG", /no flag --pulll$/, /did you mean --pull\?/],
  ["-w x", "CLI_USAGE", /needs IMAGE/, /"x" is the value of -w: add IMAGE/],
  ["--workdir .", "CLI_USAGE", /needs IMAGE/, /"\." is the value of --workdir/],
  ["--pull", "CLI_USAGE", /needs IMAGE/, /for example `wbuild sample x`/],
];
for (const [words, code, message, hint] of refused)
  test(`refuses: ${words}`, (t) => {
    const error = t.throws(() => read(words)) as Error & { code: string; hint?: string };
    t.is(error.code, code);
    t.regex(error.message, message);
    if (hint) t.regex(error.hint ?? "", hint);
  });

const dockers: readonly (readonly [line: string, hint: RegExp])[] = [
  ["ps", /lives as long as its `wbuild run`/],
  ["buildx build .", /leave that word out/],
  ["list-tags x", /`wbuild tags`/],
  ["build --builder x .", /no daemon/],
  ["build -D .", /--debug/],
  ["build --squash .", /`wbuild squash IMAGE`/],
  ["run -d x", /put & behind it/],
];
for (const [line, expected] of dockers)
  test(`says what to do in place of docker's ${line}`, async (t) => {
    const error = await t.throwsAsync(async () => {
      const { name, rest } = findCommand(line.split(" "), names);
      const command = await commands[name]?.load();
      if (command) readFlags(name, command, defineParser(name, command), rest);
    });
    t.regex((error as Error & { hint?: string }).hint ?? "", expected);
  });

test("no word that has a hint is a command of ours, and no flag one of that command", async (t) => {
  for (const word of names) t.is(instead(word), undefined, word);
  for (const [name, row] of Object.entries(commands)) {
    const command = await row.load();
    for (const { long, short } of defineParser(name, command).options)
      for (const flag of [long, short]) t.is(insteadOfFlag(name, flag ?? ""), undefined, `${name} ${flag}`);
  }
});
