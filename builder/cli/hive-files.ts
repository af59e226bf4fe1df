/** Files of `wbuild hive`: regf with the logs beside it, Wine's text; read whole, written whole or not at all. */
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Hive } from "../../layerfs/hive/key.ts";
import { readHive } from "../../layerfs/hive/regf/read.ts";
import { writeHive } from "../../layerfs/hive/regf/write.ts";
import { isWineText, readWineText, type WineText, writeWineText } from "../../layerfs/hive/wine-text.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { harmless } from "../progress/harmless.ts";
import type { Cli } from "./command.ts";

export interface HiveFile {
  readonly path: string;
  readonly hive: Hive;
  /** Set when the file is Wine's text. */
  readonly wine: WineText | undefined;
}

/** A file's bytes, and those of the logs beside it: FILE.LOG, FILE.LOG1, FILE.LOG2 in any case. Throws HIVE_FILE. */
export async function readWithLogs(path: string): Promise<{ bytes: Buffer; logs: readonly Buffer[] }> {
  const bytes = await readBytes(path);
  if (isWineText(bytes)) return { bytes, logs: [] };
  const folder = dirname(resolve(path));
  const start = `${basename(path)}.log`.toLowerCase();
  const beside = await readdir(folder).catch(() => []);
  const names = beside.filter((name) => [start, `${start}1`, `${start}2`].includes(name.toLowerCase())).sort();
  const logs: Buffer[] = [];
  for (const name of names) {
    const place = join(folder, name);
    // What is no file (a pipe, a device) would be waited for.
    if ((await stat(place).catch(() => undefined))?.isFile()) logs.push(await readBytes(place));
  }
  return { bytes, logs };
}

export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw unusable(path, "read", cause);
  }
}

function unusable(path: string, verb: "read" | "written", cause: unknown): WbuildError {
  const { code } = cause as NodeJS.ErrnoException;
  return new WbuildError("HIVE_FILE", `${JSON.stringify(path)} cannot be ${verb} (${code ?? String(cause)})`, {
    facts: { path, code },
    cause,
  });
}

/**
 * Opens a hive, and says on standard error when its logs were applied. Damage is refused, or with `tolerant` told there
 * and left out. Throws HIVE_FILE, HIVE_FORMAT, HIVE_DAMAGED, HIVE_WINE_TEXT.
 */
export async function openHive(path: string, cli: Cli, tolerant = false): Promise<HiveFile> {
  const warn = (text: string) => cli.stderr.write(`warning: ${harmless(`${path}: ${text}`)}\n`);
  const { bytes, logs } = await readWithLogs(path);
  if (isWineText(bytes)) {
    const wine = readWineText(bytes);
    return { path, hive: wine, wine };
  }
  const onDamage = ({ offset, record, what }: { offset: number; record: string; what: string }) =>
    warn(`${what} (${record} at offset 0x${offset.toString(16)})`);
  const hive = readHive(bytes, { logs, ...(tolerant ? { onDamage } : {}) });
  if (hive.recovered) warn("it was not closed in order; the logs beside it were applied");
  else if (hive.dirty) warn("it was not closed in order, and no log beside it helps: its last changes may be missing");
  return { path, hive, wine: undefined };
}

/** Writes a hive in the form of the file it comes from. Throws HIVE_FILE, and what the writers throw. */
export async function saveHive(path: string, hive: Hive, like: HiveFile): Promise<void> {
  const { wine } = like;
  if (wine === undefined || hive.differencing) return saveBytes(path, writeHive(hive, { fileName: basename(path) }));
  const { relativeTo, arch } = wine;
  return saveBytes(path, writeWineText(hive, arch === undefined ? { relativeTo } : { relativeTo, arch }));
}

/** The file appears whole or not at all; a device or pipe is written to. Throws HIVE_FILE, and what making the bytes throws. */
export async function saveBytes(path: string, bytes: Uint8Array | Iterable<Uint8Array>): Promise<void> {
  const target = resolve(path);
  try {
    const there = await stat(target).catch(() => undefined);
    // The accident: root writes to /dev/null, and a rename would put a file in its place.
    if (there && !there.isFile()) return await writeFile(target, bytes);
    const folder = await mkdtemp(join(dirname(target), ".wbuild-"));
    try {
      const draft = join(folder, "hive");
      await writeFile(draft, bytes, there ? { mode: there.mode & 0o777 } : {});
      await rename(draft, target);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } catch (cause) {
    throw isWbuildError(cause) ? cause : unusable(path, "written", cause);
  }
}
