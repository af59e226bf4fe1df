/**
 * `npm run fuzz [NAME …] [-- --minutes N]`: runs the property tests of tests/fuzz again and again, each time from
 * fresh seeds, until the time is over or one fails. fast-check prints the seed and the path of what failed.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { main, setUp, top } from "./setup.mjs";

await main(async () => {
  const { values, positionals } = parseArgs({ options: { minutes: { type: "string" } }, allowPositionals: true });
  const minutes = Number(values.minutes ?? 5);
  if (!(minutes > 0)) throw new Error(`--minutes takes a number above 0, not ${values.minutes}`);
  const all = readdirSync(join(top, "tests/fuzz")).filter((file) => file.endsWith(".test.ts"));
  const files = all.filter((file) => positionals.length === 0 || positionals.some((name) => file.startsWith(name)));
  if (files.length === 0) {
    const names = all.map((file) => file.replace(".test.ts", "")).join(", ");
    throw new Error(`no fuzz test has a name that begins with ${positionals.join(" or ")}; there are: ${names}`);
  }
  await setUp([]);
  const end = Date.now() + minutes * 60_000;
  let rounds = 0;
  while (Date.now() < end) {
    const args = files.map((file) => join("tests/fuzz", file));
    const result = spawnSync(join(top, "node_modules/.bin/ava"), args, {
      cwd: top,
      encoding: "utf8",
      env: { ...process.env, WBUILD_FUZZ: "1" },
    });
    rounds++;
    if (result.status !== 0) {
      console.log(`${result.stdout}${result.stderr}`);
      throw new Error(`round ${rounds} failed`);
    }
    const seconds = Math.max(0, Math.round((end - Date.now()) / 1000));
    console.log(`round ${rounds}: ${files.length} files hold, ${seconds} s to go`);
  }
});
