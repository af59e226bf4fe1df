import test from "ava";
import type { Command } from "../../../builder/cli/command.ts";
import { commands } from "../../../builder/cli/commands.ts";
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
