/**
 * Registries that steps began with, kept as Wine's texts: most steps of a build begin with one that an earlier build made
 * already, and to merge and write a Windows registry takes longer than to run a command in it.
 */
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { RegistryTexts } from "./changes.ts";

const names = ["system", "user", "userdef"] as const;
/** A Windows registry has 20 to 60 MB as text. */
const mostKept = 8;

/** The texts kept under `stamp` in a folder, else those that `make` gives, which are then kept. Losing the folder loses nothing. */
export function keptTexts(folder: string, stamp: string, make: () => RegistryTexts): RegistryTexts {
  const name = createHash("sha256").update(stamp).digest("hex").slice(0, 32);
  const place = join(folder, name);
  try {
    const texts = readAll(place);
    utimesSync(place, new Date(), new Date());
    return texts;
  } catch {
    // Not there, or being removed: made again.
  }
  const texts = make();
  try {
    mkdirSync(folder, { recursive: true });
    forget(folder);
    const draft = mkdtempSync(join(folder, ".new-"));
    for (const each of names) writeFileSync(join(draft, each), texts[each]);
    renameSync(draft, place);
  } catch {
    // Another process kept the same, or the disk is full: the step goes on with what it has.
  }
  return texts;
}

function readAll(place: string): RegistryTexts {
  const [system, user, userdef] = names.map((each) => readFileSync(join(place, each)));
  if (!system || !user || !userdef) throw new TypeError("three texts are read");
  return { system, user, userdef };
}

/** Makes room for one more: those that were not used for longest go, and drafts of killed processes. */
function forget(folder: string): void {
  const kept = readdirSync(folder)
    .map((name) => ({ name, used: statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.used - a.used);
  const hourAgo = Date.now() - 3_600_000;
  const drafts = kept.filter(({ name, used }) => name.startsWith(".new-") && used < hourAgo);
  const old = kept.filter(({ name }) => !name.startsWith(".")).slice(mostKept - 1);
  for (const { name } of [...drafts, ...old]) rmSync(join(folder, name), { recursive: true, force: true });
}
