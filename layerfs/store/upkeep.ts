/** Once an hour whoever opens the store tidies up after killed processes, beside its own work. */
import { execFile } from "node:child_process";
import { statSync, utimesSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { removeLeftovers } from "./collect.ts";
import type { Database } from "./database.ts";
import type { Layout } from "./layout.ts";

const everyMs = 3_600_000;

export interface Upkeep {
  stop(): void;
}

/** Starts it when it is due. It never fails and never keeps the process waiting: what it does not finish, the next does. */
export function startUpkeep(db: Database, layout: Layout, nowMs: number): Upkeep | undefined {
  try {
    const last = statSync(layout.upkeep, { throwIfNoEntry: false })?.mtimeMs;
    if (last !== undefined && Math.abs(nowMs - last) < everyMs) return undefined;
    writeFileSync(layout.upkeep, "", { mode: 0o600, flag: "a" });
    utimesSync(layout.upkeep, nowMs / 1000, nowMs / 1000);
    // A store that was made a moment ago has nothing to tidy.
    if (last === undefined) return undefined;
  } catch {
    // A store that may only be read is no reason to fail.
    return undefined;
  }
  let stopped = false;
  const timer = setTimeout(() => {
    work(db, layout, () => stopped).catch(() => undefined);
  }, 0);
  timer.unref();
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

async function work(db: Database, layout: Layout, stopped: () => boolean): Promise<void> {
  // What cannot be removed now is told by the next collection that somebody asks for.
  await removeLeftovers(layout, stopped).catch(() => undefined);
  if (!stopped()) await syncSnapshots(db, layout, stopped);
}

/** Once synced, unpacked layers outlive the next boot. */
async function syncSnapshots(db: Database, layout: Layout, stopped: () => boolean): Promise<void> {
  const rows = db.all<{ folder: string }>("SELECT folder FROM snapshots WHERE boot IS NOT NULL");
  if (rows.length === 0) return;
  await promisify(execFile)("sync", ["-f", layout.root]);
  if (stopped()) return;
  db.transaction(() => {
    for (const { folder } of rows) db.run("UPDATE snapshots SET boot = NULL WHERE folder = ?", folder);
  });
}
