import test from "ava";
import { commands } from "../../../builder/cli/commands.ts";
import { completionScript } from "../../../builder/cli/completion-script.ts";
import { overview, page } from "../../../builder/cli/help.ts";
import { defineParser } from "../../../builder/cli/parse.ts";
import { golden } from "../../doubles/golden.ts";

test("the overview of all commands", (t) => golden(t, "help/overview.txt", overview("VERSION", 100)));

for (const [name, row] of Object.entries(commands))
  test(`help page of ${name}`, async (t) => {
    const command = await row.load();
    golden(t, `help/${name}.txt`, page(name, command, defineParser(name, command), 100));
  });

for (const shell of ["bash", "zsh", "fish"] as const)
  test(`completion script for ${shell} names every command and flag`, async (t) => {
    const script = await completionScript(shell, commands);
    for (const [name, row] of Object.entries(commands)) {
      t.true(script.includes(name), name);
      for (const { long, short } of defineParser(name, await row.load()).options.filter(({ hidden }) => !hidden))
        for (const flag of [long, short].filter((each) => each?.startsWith("--")))
          t.true(script.includes(shell === "fish" ? `-l ${flag?.slice(2)} ` : `${flag}`), `${name} ${flag}`);
    }
    t.notRegex(script, /-s -/, "a letter is one letter");
  });
