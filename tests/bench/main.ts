/**
 * `npm run bench [d1 d2 … hives windows pull push copy memory] [-- --runs N --tools wbuild,buildah,docker,docker@sid]`: the same work for every builder, in turn;
 * what only wbuild does, alone or beside the tools that do a part of it.
 * Prints medians, peak memory and ratios; appends a JSON line to bench-results/results.jsonl.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startRegistry } from "../doubles/docker-registry.ts";
import { benchHives } from "./hives.ts";
import { type Limits, measureLimits } from "./limits.ts";
import { type Command, type Measure, measure } from "./measure.ts";
import { benchMemory } from "./memory.ts";
import { type Row, report } from "./report.ts";
import { makeScratch } from "./scratch.ts";
import { baseCommand, openTools, type Tool } from "./tools.ts";
import { benchTransfers } from "./transfers.ts";
import { benchWindows } from "./windows.ts";
import {
  type BuildWorkload,
  base,
  descriptions,
  isBuild,
  type Workload,
  writeBase,
  writeWorkload,
} from "./workloads.ts";

const top = fileURLToPath(new URL("../..", import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "3" },
    tools: { type: "string", default: "wbuild,buildah,docker" },
    scratch: { type: "string", default: "ext4" },
    network: { type: "string", default: "none" },
  },
});
const names = (positionals.length > 0 ? positionals : Object.keys(descriptions)) as Workload[];
for (const name of names)
  if (!(name in descriptions))
    throw new Error(`no workload ${name}: there are ${Object.keys(descriptions).join(", ")}`);
const buildNames = names.filter(isBuild);
const runs = Number(values.runs);
if (!(runs >= 1)) throw new Error(`--runs takes a number from 1, not ${values.runs}`);
if (process.getuid?.() !== 0) throw new Error("the bench mounts a scratch and starts daemons: run it as root");

using scratch = makeScratch(values.scratch);
// Registries and tools put their temporary files where the work is.
process.env.TMPDIR = scratch.path;
// Node 20 reads these authorities at every start, whoever needs them: 40 ms that say nothing of any tool.
delete process.env.NODE_EXTRA_CA_CERTS;
console.log(`scratch: ${scratch.kind}; ${runs} runs; network of the steps: ${values.network}`);

const contexts = join(scratch.path, "contexts");
if (buildNames.length > 0) writeBase(join(contexts, "base"), readFileSync(findBusybox()));
for (const name of buildNames) writeWorkload(name, join(contexts, name));
const limits: Limits = measureLimits(names.includes("d4") ? join(contexts, "d4") : undefined);
const log = join(scratch.path, "log");

const rows: Row[] = [];
const tools = await openTools(
  buildNames.length > 0 ? values.tools.split(",") : ["wbuild"],
  (name) => ({ folder: join(scratch.path, name), network: values.network }),
  (text) => console.log(text),
);
let stopped = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // The command that runs ends by the same Ctrl-C, or soon; then the mounts and the daemon go, and what is known is kept.
  process.on(signal, () => {
    stopped = true;
  });
}
try {
  for (const name of names) {
    if (isBuild(name)) {
      for (let run = 0; run < runs; run++) for (const tool of tools) if (!stopped) await oneRound(tool, name);
    } else if (!stopped) rows.push(...(await oneOfAKind(name)));
    console.log(
      report(
        rows.filter((row) => row.workload === name),
        limits,
      ),
    );
  }
} finally {
  for (const tool of tools) await tool[Symbol.asyncDispose]();
  if (rows.length > 0) save();
}

/** Cold build, cached rebuild; forget; build and push to an empty registry; forget; pull what was pushed (d3). */
async function oneRound(tool: Tool, workload: BuildWorkload): Promise<void> {
  const context = join(contexts, workload);
  const tag = `localhost/bench-${workload}:latest`;
  await start(tool);
  await timed(tool, workload, "cold", tool.build(context, tag));
  await timed(tool, workload, "cached", tool.build(context, tag));
  await start(tool);
  await using registry = await startRegistry();
  const reference = `${registry.host}/bench/${workload}:latest`;
  await timed(tool, workload, "push", tool.buildAndPush(context, reference));
  if (workload === "d2") await fromRegistry(tool, context, registry.host);
  if (workload !== "d3") return;
  tool.reset();
  await timed(tool, workload, "pull", tool.pull(reference));
}

/** The build again on a machine that has nothing: base and cache come from the registry. */
async function fromRegistry(tool: Tool, context: string, host: string): Promise<void> {
  if (!tool.remote) return;
  const name = `${host}/bench/base:latest`;
  const copy = `${context}-from-registry`;
  cpSync(context, copy, { recursive: true });
  const file = join(copy, "Dockerfile");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(base, name));
  await measure(tool.remote.push(base, name), log);
  const reference = `${host}/bench/shared:latest`;
  await measure(tool.remote.share(copy, reference), log);
  tool.reset();
  await timed(tool, "d2", "remote", tool.remote.rebuild(copy, reference));
}

/** What no builder is compared with. */
async function oneOfAKind(name: Exclude<Workload, BuildWorkload>): Promise<Row[]> {
  const folder = join(scratch.path, name);
  mkdirSync(folder);
  const options = { folder, runs, log, tell: console.log, stopped: () => stopped };
  if (name === "memory") return await benchMemory(options);
  if (name === "pull" || name === "push" || name === "copy")
    return await benchTransfers(name, { ...options, tools: values.tools.split(",") });
  return name === "hives" ? await benchHives(options) : await benchWindows(options);
}

async function start(tool: Tool): Promise<void> {
  tool.reset();
  await measure(baseCommand(tool, join(contexts, "base")), log);
}

async function timed(tool: Tool, workload: Workload, kind: Row["kind"], command: Command): Promise<void> {
  // What others left to be written must not be paid for here.
  execFileSync("sync");
  tool.daemon?.startCounting();
  const result: Measure = await measure(command, log);
  const peakMib = Math.max(result.peakMib, tool.daemon?.peakMib() ?? 0);
  rows.push({ tool: tool.name, workload, kind, seconds: result.seconds, peakMib });
}

function findBusybox(): string {
  for (const path of ["/bin/busybox", "/usr/bin/busybox"]) {
    try {
      readFileSync(path);
      return path;
    } catch {
      // Not here.
    }
  }
  throw new Error("the base needs busybox: install the package busybox-static");
}

function save(): void {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: top, encoding: "utf8" }).trim();
  const record = {
    date: new Date().toISOString(),
    commit: git("rev-parse", "HEAD"),
    changed: git("status", "--porcelain", "--untracked-files=no") !== "",
    host: {
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      memoryGib: totalmem() / 2 ** 30,
      kernel: release(),
      node: process.version,
    },
    scratch: scratch.kind,
    network: values.network,
    tools: Object.fromEntries(tools.map((tool) => [tool.name, tool.version])),
    limits,
    rows,
  };
  mkdirSync(join(top, "bench-results"), { recursive: true });
  const file = join(top, "bench-results/results.jsonl");
  appendFileSync(file, `${JSON.stringify(record)}\n`);
  console.log(`appended to ${file}`);
}
