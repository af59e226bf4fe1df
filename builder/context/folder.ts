/** A folder of this host as build context. Files are known again by their stat data, so a warm build reads none. */
import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { type Digest, digestOf } from "../../layerfs/store/digest.ts";
import type { FactTable } from "../../layerfs/store/facts.ts";
import { type FolderTree, folderTree } from "../../layerfs/tree/folder.ts";
import type { FolderSweep } from "../../layerfs/tree/folder-sweep.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { WbuildError } from "../../native/error.ts";
import { nearest } from "../diagnose/nearest.ts";
import type { IgnoreFile } from "../dockerfile/ignore.ts";
import type { BuildContext } from "./context.ts";
import { FileDigests } from "./fingerprint.ts";
import { cleanSource, digestOfSelection, isPattern, type Selected, selectSource } from "./select.ts";
import { nowNs, Sweeps } from "./sweeps.ts";

/** Opens a context folder. Throws CTX_NO_FOLDER. */
export async function openFolder(
  path: string,
  ignore: IgnoreFile | undefined,
  facts: FactTable,
): Promise<BuildContext & { readonly root: string }> {
  let root: string;
  try {
    root = await realpath(resolve(path));
  } catch (cause) {
    throw new WbuildError("CTX_NO_FOLDER", `cannot open the build context ${JSON.stringify(path)}`, { cause });
  }
  const disk = folderTree(root, ignore ? { ignore: (name, isFolder) => ignore.decide(name, isFolder) } : {});
  const scope = digestOf(JSON.stringify([root, ignore?.text ?? null]));
  const digests = new FileDigests(facts, scope, disk);
  const tree = digests.tree;

  const sweeps = new Sweeps(facts, scope);
  const openedAt = nowNs();
  const swept = new Map<string, Promise<FolderSweep | undefined>>();
  const sweepOf = (selected: Selected): Promise<FolderSweep | undefined> => {
    const { path } = selected.root;
    const sweep = swept.get(path) ?? disk.sweep(path);
    swept.set(path, sweep);
    return sweep;
  };
  const notes = new Map<string, Promise<Noted>>();
  const noted = (sources: readonly string[]): Promise<Noted> => {
    const name = JSON.stringify(sources);
    const note = notes.get(name) ?? takeNote(disk, tree, sources);
    notes.set(name, note);
    return note;
  };

  return {
    root,
    tree,

    async note(sources) {
      await noted(sources);
    },

    async contentKey(sources) {
      const { selections, stamp } = await noted(sources);
      const name = `context ${scope} ${digestOf(JSON.stringify(sources))}`;
      const known = readStamp(facts.get(name));
      if (known && known.stamp === stamp) return known.key;
      const key = await digestOfSelection(tree, selections, async (selected) => {
        const sweep = await sweepOf(selected);
        if (sweep) return sweeps.contentDigest(selected.root.path, sweep);
        await digests.load([selected.root.path]);
        return undefined;
      });
      if (digests.settled && sweeps.settled) facts.set(name, JSON.stringify({ stamp, key }));
      digests.save();
      return key;
    },

    sweep: sweepOf,

    async rememberSweep(selected, found) {
      const sweep = await sweepOf(selected);
      if (sweep) sweeps.remember(selected.root.path, sweep, found, openedAt);
    },

    remember: (given, written) => digests.remember(given, written),

    missing: (source) => missing(tree, ignore, source),
  };
}

interface Noted {
  readonly selections: readonly Selected[];
  /** Over the stat data of everything selected. */
  readonly stamp: Digest;
}

async function takeNote(disk: FolderTree, tree: Tree, sources: readonly string[]): Promise<Noted> {
  const selections: Selected[] = [];
  for (const source of sources) selections.push(...(await selectSource(tree, source)));
  const stamps: string[] = [];
  for (const { path, root } of selections) stamps.push(`${path} ${await disk.stamp(root.path)}`);
  return { selections, stamp: digestOf(JSON.stringify([sources, stamps])) };
}

function readStamp(fact: Uint8Array | string | undefined): { stamp: Digest; key: Digest } | undefined {
  return typeof fact === "string" ? JSON.parse(fact) : undefined;
}

async function missing(
  tree: BuildContext["tree"],
  ignore: IgnoreFile | undefined,
  source: string,
): Promise<WbuildError> {
  const clean = cleanSource(source);
  const hidden = isPattern(clean) ? undefined : ignore?.which(clean);
  const what = isPattern(clean)
    ? `nothing in the build context matches ${JSON.stringify(source)}`
    : `${JSON.stringify(source)} is not in the build context`;
  const folder = clean.slice(0, Math.max(0, clean.lastIndexOf("/")));
  const near = nearest(
    clean,
    (await tree.list(folder)).map((entry) => entry.path),
  );
  const hint = hidden
    ? `line ${hidden.line} of ${ignore?.name} (${hidden.pattern}) leaves it out`
    : near
      ? `did you mean ${near}?`
      : undefined;
  return new WbuildError("CTX_NO_SOURCE", what, {
    facts: { pattern: source, ignoredBy: hidden },
    ...(hint ? { hint } : {}),
  });
}
