/** `npm start`: set-up, then the main job on real input: an offline base, a build of samples/hello-linux, its history, a run. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { main, setUp, top } from "./setup.mjs";

const tag = "hello-linux:latest";

/** Runs dist/wbuild in front of the user, having said so. */
function wbuild(...args) {
  console.log(`\n$ dist/wbuild ${args.join(" ")}`);
  const result = spawnSync(join(top, "dist/wbuild"), args, { cwd: top, stdio: ["ignore", "inherit", "inherit"] });
  if (result.error) throw new Error(`cannot run dist/wbuild: ${result.error.message}`);
  if (result.status !== 0)
    throw new Error(`wbuild ${args[0]} ended with ${result.signal ?? `exit code ${result.status}`}`);
}

await main(async () => {
  await setUp(["run"]);
  wbuild("base", "linux");
  wbuild("build", "-t", tag, "samples/hello-linux");
  wbuild("history", tag);
  wbuild("run", tag);
  console.log("\nThat was wbuild. Put dist/ on your PATH, or go on with docs/tour.md.");
});
