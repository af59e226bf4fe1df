/** Measured rows → a table for people. */
import type { Limits } from "./limits.ts";
import { median } from "./measure.ts";
import { descriptions, type Workload } from "./workloads.ts";

export interface Row {
  readonly tool: string;
  readonly workload: Workload;
  /** What was timed: one of the kinds below, or its description. */
  readonly kind: string;
  readonly seconds: number;
  readonly peakMib: number;
}

const kinds: Readonly<Record<string, string>> = {
  cold: "cold build",
  push: "build + push",
  cached: "cached rebuild",
  pull: "pull + unpack",
  remote: "from the registry",
};

/** One table a workload: a line a kind of work; medians, peak memory, and each tool's time as a multiple of the first's. */
export function report(rows: readonly Row[], limits: Limits): string {
  const workload = rows[0]?.workload;
  if (!workload) return "";
  const tools = [...new Set(rows.map((row) => row.tool))];
  const lines = [`\n${workload}: ${descriptions[workload]}`];
  const found = [...new Set(rows.map((row) => row.kind))];
  const isBuild = found.every((kind) => kind in kinds);
  const width = isBuild ? 18 : Math.max(...found.map((kind) => kind.length)) + 1;
  for (const kind of isBuild ? Object.keys(kinds) : found) {
    const cells: string[] = [];
    let first: number | undefined;
    for (const tool of tools) {
      const mine = rows.filter((row) => row.tool === tool && row.kind === kind);
      if (mine.length === 0) continue;
      const seconds = median(mine.map((row) => row.seconds));
      const peak = Math.max(...mine.map((row) => row.peakMib));
      first ??= seconds;
      const ratio = cells.length === 0 ? "" : ` ×${(seconds / first).toFixed(1)}`;
      cells.push(`${tool} ${seconds.toFixed(3)} s ${Math.round(peak)} MiB${ratio}`.padEnd(34));
    }
    if (cells.length > 0) lines.push(`  ${(kinds[kind] ?? kind).padEnd(width)}${cells.join(" ").trimEnd()}`);
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
