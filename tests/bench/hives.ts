/**
 * The workload `hives`: one SYSTEM hive read, written, compared and merged by our library, and listed whole by programs; a
 * million values. Each in a process of its own.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import type { HiveWork } from "./hive-work.ts";
import { type Command, measure } from "./measure.ts";
import type { Row } from "./report.ts";
import { has } from "./tools.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** Of Windows 10 1709. It is nobody's to hand out, so it may not be there. */
const real = here("../../../shared/testdata/hives/SYSTEM_WIN_10_1709.xz");

export interface BenchOptions {
  readonly folder: string;
  readonly runs: number;
  readonly log: string;
  readonly tell: (text: string) => void;
  /** True when somebody pressed Ctrl-C: what is known is kept. */
  readonly stopped: () => boolean;
}

const counts = [100_000, 300_000, 1_000_000];

/** Rows with the times of whole processes, and for the library also those within the process. */
export async function benchHives({ folder, runs, log, tell, stopped }: BenchOptions): Promise<Row[]> {
  const [worker, file, changed] = [
    join(folder, "hive-work.mjs"),
    join(folder, "SYSTEM"),
    join(folder, "SYSTEM.changed"),
  ];
  const [result, exported] = [join(folder, "result.json"), join(folder, "exported")];
  buildSync({ entryPoints: [here("hive-work.ts")], bundle: true, platform: "node", format: "esm", outfile: worker });
  const work = (...operands: string[]): Command => ({ argv: [process.execPath, worker, result, ...operands] });
  const done = (): HiveWork => JSON.parse(readFileSync(result, "utf8"));

  if (existsSync(real)) writeFileSync(file, execFileSync("xz", ["-dc", real], { maxBuffer: 64 << 20 }));
  else await measure(work("make", file, "43000", "90000"), log);
  await measure(work("change", changed, file), log);
  await measure(work("read", file), log);
  const { keys, values } = done();
  tell(`hives: ${existsSync(real) ? "SYSTEM of Windows 10" : "a hive made here"}, ${keys} keys, ${values} values`);

  const rows: Row[] = [];
  const add = (tool: string, kind: string, seconds: number, peakMib: number) =>
    rows.push({ tool, workload: "hives", kind, seconds, peakMib });
  const listers = listingPrograms(file, exported).filter(({ program, name }) => {
    if (has(program)) return true;
    tell(`without ${name}: it is not installed`);
    return false;
  });
  for (let run = 0; run < runs && !stopped(); run++) {
    for (const what of ["read", "write", "diff", "merge"]) {
      const { seconds, peakMib } = await measure(work(what, file, changed), log);
      add("library", `${what}, whole process`, seconds, peakMib);
      add("library", what, done().seconds[what] ?? Number.NaN, peakMib);
    }
    for (const { name, command } of listers) {
      const { seconds, peakMib } = await measure(command, log);
      add(name, "list whole", seconds, peakMib);
    }
    for (const count of counts) {
      const { peakMib } = await measure(work("values", String(count)), log);
      for (const [what, seconds] of Object.entries(done().seconds))
        add("library", `${what} ${count / 1000}k values`, seconds, peakMib);
    }
  }
  return rows;
}

/** Programs that print every key and value of a hive; each into nothing. */
function listingPrograms(file: string, exported: string): { name: string; program: string; command: Command }[] {
  const wbuild = here("../../dist/wbuild");
  const into = (line: string): Command => ({ argv: ["sh", "-c", `exec ${line} > /dev/null 2>&1`] });
  return [
    { name: "wbuild hive show", program: wbuild, command: into(`"${wbuild}" hive show "${file}"`) },
    {
      name: "wbuild hive export",
      program: wbuild,
      command: into(`"${wbuild}" hive export "${file}" -o "${exported}"`),
    },
    ...["hivexml", "reglookup", "regfexport"].map((name) => ({
      name,
      program: name,
      command: into(`${name} "${file}"`),
    })),
  ];
}
