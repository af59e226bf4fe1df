import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { commands } from "../../builder/cli/commands.ts";
import { defineParser } from "../../builder/cli/parse.ts";
import { version } from "../../builder/version.ts";
import { top } from "../doubles/cli.ts";
import { goldenFile } from "../doubles/golden.ts";
import { commandsPage } from "./cli-pages.ts";

for (const [name, row] of Object.entries(commands))
  test(`${name} has help with an example that names it, and says what each flag does`, async (t) => {
    const command = await row.load();
    t.true(command.about.trim().length > 30, "about is too short");
    t.true(command.examples.length > 0);
    for (const [line, does] of command.examples) {
      t.regex(line, name === "build" ? /\bwbuild\b/ : new RegExp(`\\bwbuild ${name}\\b`));
      t.true(does.length > 3, line);
    }
    const seen = new Set<string>();
    for (const { long = "", short, description } of defineParser(name, command).options) {
      t.true(description.length > 5, `${long} has no description`);
      for (const flag of [long, short].filter((flag) => flag !== undefined)) {
        t.false(seen.has(flag), `${flag} is there twice`);
        seen.add(flag);
      }
    }
  });

test("the version is package.json's", (t) => {
  t.is(version, JSON.parse(readFileSync(join(top, "package.json"), "utf8")).version);
});

test("docs/cli/README.md is made from the help pages", async (t) =>
  goldenFile(t, "docs/cli/README.md", await commandsPage()));
