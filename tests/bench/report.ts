/** Measured rows → a table for people. */
import type { Limits } from "./limits.ts";
import { median } from "./measure.ts";
import { type Workload, workloads } from "./workloads.ts";

export interface Row {
  readonly tool: string;
  readonly workload: Workload;
  readonly kind: "cold" | "push" | "cached" | "pull";
  readonly seconds: number;
  readonly peakMib: number;
}

const kinds = { cold: "cold build", push: "build + push", cached: "cached rebuild", pull: "pull + unpack" } as const;

/** One table a workload: a line a kind of work; medians, peak memory, and each tool's time as a multiple of the first's. */
export function report(rows: readonly Row[], limits: Limits): string {
  const workload = rows[0]?.workload;
  if (!workload) return "";
  const tools = [...new Set(rows.map((row) => row.tool))];
  const lines = [`\n${workload}: ${workloads[workload]}`];
  for (const kind of ["cold", "push", "cached", "pull"] as const) {
    const cells: string[] = [];
    let first: number | undefined;
    for (const tool of tools) {
      const mine = rows.filter((row) => row.tool === tool && row.kind === kind);
      if (mine.length === 0) continue;
      const seconds = median(mine.map((row) => row.seconds));
      const peak = Math.max(...mine.map((row) => row.peakMib));
      first ??= seconds;
      const ratio = tool === tools[0] ? "" : ` ×${(seconds / first).toFixed(1)}`;
      cells.push(`${tool} ${seconds.toFixed(3)} s ${Math.round(peak)} MiB${ratio}`.padEnd(34));
    }
    if (cells.length > 0) lines.push(`  ${kinds[kind].padEnd(15)}${cells.join(" ").trimEnd()}`);
  }
  lines.push(`  ${floor(workload, limits)}`);
  return lines.join("\n");
}

/** The machine's own speed, to see how far is left to go. */
function floor(workload: Workload, limits: Limits): string {
  const start = `node -e 0: ${limits.nodeStart.toFixed(3)} s`;
  if (workload !== "d4" || !limits.zstdText || !limits.zstdRandom) return start;
  const rate = (mib: number) => `${(mib / 1024).toFixed(1)} GiB/s`;
  return (
    `${start}; one core reads ${rate(limits.read)}, sha256 ${rate(limits.sha256)}, ` +
    `zstd -3 text ${rate(limits.zstdText)}, random ${rate(limits.zstdRandom)}`
  );
}
