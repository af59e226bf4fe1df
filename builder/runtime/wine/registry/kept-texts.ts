/**
 * Registries that steps began with, kept as Wine's texts: most steps of a build begin with one that an earlier build made
 * already, and to merge and write a Windows registry takes longer than to run a command in it.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

const names = ["system", "user", "userdef"] as const;

/** Each gives its text in pieces, which last as long as the call. */
export type TextMakers = Readonly<Record<(typeof names)[number], (take: (piece: Uint8Array) => void) => void>>;

/** A Windows registry has 20 to 60 MB as text. */
const mostKept = 8;

/**
 * Makes the folder `into` with the texts kept under `stamp` in a folder, else those that `make` gives, which are then kept. They
 * are the kept files themselves: whoever writes into one writes into other steps' registries. Losing the folder loses nothing.
 */
export function keptTexts(folder: string, stamp: string, into: string, make: () => TextMakers): void {
  const name = createHash("sha256").update(stamp).digest("hex").slice(0, 32);
  const place = join(folder, name);
  try {
    linkAll(place, into);
    utimesSync(place, new Date(), new Date());
    return;
  } catch {
    // Not there, or only in part since somebody who was removing it was killed: made again.
    for (const path of [into, place]) rmSync(path, { recursive: true, force: true });
  }
  const texts = make();
  mkdirSync(into, { mode: 0o700 });
  for (const each of names) {
    const file = openSync(join(into, each), "wx", 0o600);
    try {
      texts[each]((piece) => {
        for (let at = 0; at < piece.length; ) at += writeSync(file, piece, at);
      });
    } finally {
      closeSync(file);
    }
  }
  try {
    mkdirSync(folder, { recursive: true });
    forget(folder);
    const draft = mkdtempSync(join(folder, ".new-"));
    try {
      linkAll(into, join(draft, "texts"));
      renameSync(join(draft, "texts"), place);
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  } catch {
    // Another process kept the same, or the disk is full: the step goes on with what it has.
  }
}

/** Links, not copies: they are large, and what is linked stays when the other folder is removed. */
function linkAll(from: string, to: string): void {
  mkdirSync(to, { mode: 0o700 });
  for (const each of names) linkSync(join(from, each), join(to, each));
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
