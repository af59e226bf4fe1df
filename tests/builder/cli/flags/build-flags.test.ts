import test from "ava";
import { buildCommand } from "../../../../builder/cli/build.ts";
import type { Cli } from "../../../../builder/cli/command.ts";
import { commands } from "../../../../builder/cli/commands.ts";
import { completionScript } from "../../../../builder/cli/completion-script.ts";
import { requestOf } from "../../../../builder/cli/flags/build-flags.ts";
import { page } from "../../../../builder/cli/help.ts";
import { defineParser, readFlags } from "../../../../builder/cli/parse.ts";

const cli = { env: {}, cwd: "/", keepSecret: () => undefined } as unknown as Cli;

async function request(...words: string[]) {
  const parser = defineParser("build", buildCommand);
  readFlags("build", buildCommand, parser, words);
  return requestOf(parser, cli);
}

test("docker's flags for what is always so here change nothing", async (t) => {
  const plain = await request("-t", "app", ".");
  t.deepEqual(await request("--rm", "--force-rm", "--compress", "-t", "app", "."), plain);
  t.deepEqual(await request("--rm=true", "--force-rm=false", "-t", "app", "."), plain);
});

test("they are neither shown nor completed", async (t) => {
  const hidden = /--force-rm|--compress\b(?!ion)/;
  t.notRegex(page("build", buildCommand, defineParser("build", buildCommand), 100), hidden);
  for (const shell of ["bash", "zsh", "fish"] as const)
    t.notRegex(await completionScript(shell, commands), /force-rm|compress[ '"\]](?!ion)/, shell);
});

const memories: [text: string, bytes: number | undefined][] = [
  ["512m", 512 * 1024 ** 2],
  ["6m", 6 * 1024 ** 2],
  ["0", undefined],
];
for (const [text, bytes] of memories)
  test(`--memory ${text} is ${bytes === undefined ? "no limit" : `${bytes} bytes`}, as with docker`, async (t) => {
    t.is((await request("--memory", text, ".")).limits.memoryBytes, bytes);
  });

test("--memory below what docker takes for the least is refused", async (t) => {
  await t.throwsAsync(request("--memory", "1k", "."), { message: /^--memory: "1k" is not 6m or more/ });
});
