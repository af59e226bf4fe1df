/** Run by rootless.test.ts as an ordinary user: enters a user namespace, there runs one container and prints what it was. */
import { mkdtempSync } from "node:fs";
import { canMakeContainers, enterUserNamespace, insideUserNamespace, mappedIds } from "../../../native/core/userns.ts";
import { type Options, runScript } from "./box.ts";

if (!canMakeContainers()) {
  const argv = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.exit(await enterUserNamespace(argv, { ...process.env, MARK: "kept" }));
}
const [folder, script, options] = process.argv.slice(2);
const base = mkdtempSync(`${folder}/run-`);
const { mkdirSync } = await import("node:fs");
let count = 0;
const place = {
  folder: base,
  root: `${folder}/root`,
  layer() {
    const made = { upper: `${base}/upper${count}`, work: `${base}/work${count}` };
    count++;
    mkdirSync(made.upper);
    mkdirSync(made.work);
    return made;
  },
  remove() {},
};
try {
  const { exit, stdout, stderr, warnings } = await runScript(
    place,
    script ?? "",
    JSON.parse(options ?? "{}") as Options,
  );
  process.stdout.write(
    JSON.stringify({
      inside: insideUserNamespace(),
      ids: mappedIds(),
      mark: process.env.MARK,
      exit,
      stdout,
      stderr,
      warnings,
    }),
  );
} catch (error) {
  process.stdout.write(JSON.stringify({ error: (error as Error).message, code: (error as { code?: string }).code }));
}
process.exit(4);
