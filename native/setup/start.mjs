/**
 * `npm start`: set-up, then the main job on real input: offline bases, a Linux and a Windows sample built, how they were made,
 * and both run.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { main, setUp, top } from "./setup.mjs";

const linux = "hello-linux:latest";
const windows = "cool-app:latest";

/** Runs dist/wbuild in front of the user, having said so. */
function wbuild(...args) {
  console.log(`\n$ dist/wbuild ${args.join(" ")}`);
  run(join(top, "dist/wbuild"), args, `wbuild ${args[0]}`);
}

function run(program, args, name) {
  const result = spawnSync(program, args, { cwd: top, stdio: ["ignore", "inherit", "inherit"] });
  if (result.error) throw new Error(`cannot run ${program}: ${result.error.message}`);
  if (result.status !== 0) throw new Error(`${name} ended with ${result.signal ?? `exit code ${result.status}`}`);
}

function startWindows() {
  console.log("\n$ sh samples/cool-app/make.sh");
  run("sh", ["samples/cool-app/make.sh"], "make.sh");
  wbuild("base", "windows");
  wbuild("build", "-t", windows, "samples/cool-app");
  wbuild("history", windows);
  wbuild("diff", windows);
  wbuild("run", windows);
}

function isThere(program) {
  return [...(process.env.PATH ?? "").split(":"), "/usr/lib/wine"].some((folder) => existsSync(join(folder, program)));
}

await main(async () => {
  await setUp(["run"]);
  wbuild("base", "linux");
  wbuild("build", "-t", linux, "samples/hello-linux");
  wbuild("history", linux);
  wbuild("run", linux);
  const missing = ["x86_64-w64-mingw32-gcc", "wine64"].filter((program) => !isThere(program));
  if (missing.length === 0) startWindows();
  else console.log(`\nThe Windows sample is left out: this host has no ${missing.join(" and no ")}.`);
  console.log("\nThat was wbuild. Put dist/ on your PATH, or go on with docs/tour.md.");
});
