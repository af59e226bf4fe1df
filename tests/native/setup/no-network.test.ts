/** A first start without a network: npm is asked once, and says in our words what is missing. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { top } from "../../doubles/cli.ts";
import { scratchFolder } from "../../doubles/scratch.ts";

const cases: [what: string, ping: string, ci: string, words: RegExp][] = [
  ["no name can be looked up", "npm error code EAI_AGAIN", "ci --include=dev --offline", /cannot be reached/],
  ["nobody answers", "npm error code ETIMEDOUT", "ci --include=dev --offline", /cannot be reached/],
  ["a mirror does not know the question", "npm error code E404", "ci --include=dev", /failed with exit code 1$/],
];
for (const [what, ping, ci, words] of cases)
  test(`packages are not there, and ${what}`, (t) => {
    const folder = scratchFolder(t);
    mkdirSync(join(folder, "bin"));
    for (const name of ["native/setup", "package.json", "package-lock.json"])
      cpSync(join(top, name), join(folder, name), { recursive: true });
    const programs = {
      npm: `echo "$@" >> ${folder}/asked\n[ "$1" != ping ] || echo '${ping}' >&2\nexit 1`,
      // Whatever package is asked for: nothing is to be installed here.
      "dpkg-query": 'for name; do echo "$name installed"; done',
    };
    for (const [name, script] of Object.entries(programs))
      writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const env = { PATH: `${folder}/bin:${process.env.PATH}`, HOME: folder };
    const args = [join(folder, "native/setup/setup.mjs")];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: "utf8" });
    t.is(status, 1);
    t.is(readFileSync(join(folder, "asked"), "utf8"), `ping\n${ci}\n`);
    t.regex(stdout, /needs the network/);
    t.regex(stderr.trim(), words);
  });
