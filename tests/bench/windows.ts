/**
 * The workload `windows`: RUN, COPY, run and export with a base image made from the host's Wine, and with one whose registry is
 * as large as that of a Windows Server. No other builder for Linux can carry a Windows RUN out.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import type { BenchOptions } from "./hives.ts";
import { type Command, measure } from "./measure.ts";
import type { Row } from "./report.ts";
import { has } from "./tools.ts";
import { writeWorkload } from "./workloads.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const software = "Windows/System32/config/SOFTWARE";
const small = "wbuild.local/windows:latest";
const large = "localhost/bench-large-registry:latest";
const largeKeys = 200_000;
/** A median of three says little of a time that is half Wine's. */
const fewestRuns = 5;

/** Whole processes of `wbuild`. */
export async function benchWindows({ folder, runs, log, tell, stopped }: BenchOptions): Promise<Row[]> {
  if (!has("wine64") && !has("wine") && !existsSync("/usr/lib/wine/wine64")) {
    tell("without the workload windows: Wine is not installed");
    return [];
  }
  const program = here("../../dist/wbuild");
  const env = { WBUILD_HOME: join(folder, "home") };
  const wbuild = (...args: string[]): Command => ({ argv: [program, ...args], env });
  const build = (context: string, tag: string, ...args: string[]) =>
    wbuild("build", "--progress", "plain", "--network", "none", "-t", tag, ...args, context);

  const rows: Row[] = [];
  const timed = async (kind: string, command: Command) =>
    rows.push({ tool: "wbuild", workload: "windows", kind, ...(await measure(command, log)) });
  const context = join(folder, "context");
  mkdirSync(context, { recursive: true });
  let words = 0;
  /** A step that no cache knows. */
  const echo = (base: string): Command => {
    writeFileSync(join(context, "Dockerfile"), `FROM ${base}\nRUN cmd /c echo hi ${words++}\n`);
    return build(context, "localhost/bench-windows:latest");
  };
  const files = join(folder, "files");
  writeWorkload("d3", files);
  const copyFrom = (base: string) => writeFileSync(join(files, "Dockerfile"), `FROM ${base}\nCOPY tree/ C:/tree/\n`);
  const tree = "localhost/bench-windows-tree:latest";

  for (let run = 0; run < Math.max(runs, fewestRuns) && !stopped(); run++) {
    const isFirst = run === 0;
    if (run < runs) {
      rmSync(env.WBUILD_HOME, { recursive: true, force: true });
      await timed("base windows", wbuild("base", "windows"));
      await timed("first RUN", echo(small));
      copyFrom(small);
      await timed("COPY 20,000 files", build(files, tree));
      await timed("the same, cached", build(files, tree));
      await timed("export of these", wbuild("export", "-o", join(folder, "exported.tar"), tree));
      await makeLarge(folder, wbuild, build, log);
      await timed("first RUN, large", echo(large));
    }
    if (isFirst) tell(`windows: large: ${largeKeys} keys and twice as many values more in SOFTWARE`);
    await timed("RUN cmd /c echo", echo(small));
    await timed("RUN, large", echo(large));
    await timed("run cmd /c echo", wbuild("run", "--network", "none", small, "cmd", "/c", "echo", "hi"));
    await timed("run, large", wbuild("run", "--network", "none", large, "cmd", "/c", "echo", "hi"));
  }
  return rows;
}

/** The base with a larger SOFTWARE hive, as a base of its own. */
async function makeLarge(
  folder: string,
  wbuild: (...args: string[]) => Command,
  build: (context: string, tag: string, ...args: string[]) => Command,
  log: string,
): Promise<void> {
  const [context, worker] = [join(folder, "large"), join(folder, "hive-work.mjs")];
  const top = join(context, "base");
  if (!existsSync(join(context, "Dockerfile"))) {
    mkdirSync(context, { recursive: true });
    writeFileSync(join(context, "Dockerfile"), `FROM ${small}\n`);
    await measure(wbuild("build", "--progress", "plain", "-o", top, context), log);
    buildSync({ entryPoints: [here("hive-work.ts")], bundle: true, platform: "node", format: "esm", outfile: worker });
    const grown = join(folder, "SOFTWARE");
    const grow = [process.execPath, worker, join(folder, "result.json"), "grow", grown, join(top, software)];
    await measure({ argv: [...grow, String(largeKeys)] }, log);
    await measure({ argv: ["mv", grown, join(top, software)] }, log);
    writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY base/ C:/\n");
  }
  await measure(build(context, large, "--platform", "windows(10.0.20348.2700)/amd64"), log);
}
