/** What this machine can do at best: no builder can read, hash and compress faster than this. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { median } from "./measure.ts";

export interface Limits {
  /** `node -e 0`, seconds: what every start of the CLI pays. */
  readonly nodeStart: number;
  /** MiB/s on one core, from the page cache. */
  readonly read: number;
  readonly sha256: number;
  readonly zstdText: number | undefined;
  readonly zstdRandom: number | undefined;
}

function seconds(work: () => void): number {
  const began = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - began) / 1e9;
}

function times(count: number, work: () => void): number {
  return median(Array.from({ length: count }, () => seconds(work)));
}

/** d4: the context folder of that workload, whose two files are 256 MiB each. */
export function measureLimits(d4: string | undefined): Limits {
  const nodeStart = times(11, () => execFileSync(process.execPath, ["-e", "0"]));
  const block = Buffer.alloc(64 << 20, "some bytes");
  const sha256 = 64 / times(3, () => createHash("sha256").update(block).digest());
  if (!d4) return { nodeStart, read: Number.NaN, sha256, zstdText: undefined, zstdRandom: undefined };
  const read = 256 / times(3, () => readAll(join(d4, "big/random")));
  return {
    nodeStart,
    read,
    sha256,
    zstdText: zstd(join(d4, "big/text")),
    zstdRandom: zstd(join(d4, "big/random")),
  };
}

function readAll(path: string): void {
  const buffer = Buffer.allocUnsafe(1 << 20);
  const file = openSync(path, "r");
  while (readSync(file, buffer) > 0);
  closeSync(file);
}

function zstd(path: string): number | undefined {
  try {
    return (
      256 /
      times(3, () => execFileSync("zstd", ["-3", "-T1", "-q", "-c", path], { stdio: ["ignore", "ignore", "ignore"] }))
    );
  } catch {
    return undefined;
  }
}
