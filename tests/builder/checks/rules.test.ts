/** Each check speaks of what it is about and leaves the rest alone; what is said of all checks. */
import { readFileSync } from "node:fs";
import test from "ava";
import { ruleNames, rules, ruleUrl } from "../../../builder/checks/rule.ts";
import { parseIgnore } from "../../../builder/dockerfile/ignore.ts";
import { brief, look } from "./look.ts";
import { ruleCases } from "./rule-cases.ts";

const ignore = parseIgnore("tmp/*\nlogs\nkept/*\n!kept/this\n", ".dockerignore");

for (const rule of ruleNames) {
  test(rule, async (t) => {
    for (const { text, lines, says, buildArgs } of ruleCases[rule]) {
      const found = (await look(text, { ignore, buildArgs: buildArgs ?? {} })).filter((each) => each.rule === rule);
      t.deepEqual(
        brief(found),
        lines.map((each) => `${rule} ${each}`),
        text,
      );
      if (says) t.regex(found[0]?.message ?? "", says);
    }
  });
}

test("every rule has a description, and a page of Docker's but the one that has none", (t) => {
  t.is(ruleNames.length, 22);
  for (const rule of ruleNames) t.true(rules[rule].description.length > 10, rule);
  t.deepEqual(
    ruleNames.filter((rule) => ruleUrl(rule) === undefined),
    ["InvalidBaseImagePlatform"],
  );
  t.is(ruleUrl("JSONArgsRecommended"), "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/");
});

test("every rule is explained in docs/checks.md", (t) => {
  const page = readFileSync(new URL("../../../docs/checks.md", import.meta.url), "utf8");
  const explained = [...page.matchAll(/^### (\w+)$/gm)].map(([, name = ""]) => name);
  t.deepEqual(explained, [...ruleNames].sort());
});

test("findings come in the order of the file, each once", async (t) => {
  const found = await look("from app as X\nCMD a\nMAINTAINER me\nCMD b\nEXPOSE 80/TCP 80/TCP\n");
  t.deepEqual(brief(found), [
    "StageNameCasing 1",
    "ConsistentInstructionCasing 1",
    "JSONArgsRecommended 2",
    "MultipleInstructionsDisallowed 2",
    "MaintainerDeprecated 3",
    "JSONArgsRecommended 4",
    "ExposeProtoCasing 5",
  ]);
});

test("only the stages that are asked for are looked into, but all are read", async (t) => {
  const text = "FROM app AS One\nCMD a\nFROM app AS two\nCMD b\n";
  const all = await look(text);
  t.deepEqual(brief(all), ["StageNameCasing 1", "JSONArgsRecommended 2", "JSONArgsRecommended 4"]);
  const { parseDockerfile } = await import("../../../builder/dockerfile/parse.ts");
  const { stages } = parseDockerfile({ name: "Dockerfile", text });
  t.deepEqual(brief(await look(text, { stages: stages.slice(1) })), ["StageNameCasing 1", "JSONArgsRecommended 4"]);
});
