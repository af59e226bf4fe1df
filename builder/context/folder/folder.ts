/** A folder of this host as build context. Files are known again by their stat data, so a warm build reads none. */
import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { type Digest, digestOf } from "../../../layerfs/store/digest.ts";
import type { FactTable } from "../../../layerfs/store/facts.ts";
import { type FolderEntry, type FolderTree, folderTree } from "../../../layerfs/tree/folder.ts";
import type { FolderSweep } from "../../../layerfs/tree/folder-sweep.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { WbuildError } from "../../../native/error.ts";
import { nearest } from "../../diagnose/nearest.ts";
import type { IgnoreFile } from "../../dockerfile/ignore.ts";
import type { BuildContext } from "../context.ts";
import { cleanSource, digestOfSelection, isPattern, membersOf, type Query, type Selected, select } from "../select.ts";
import { FileDigests } from "./fingerprint.ts";
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
    const name = sweepName(selected);
    const sweep = swept.get(name) ?? sweepSelected(disk, selected);
    swept.set(name, sweep);
    return sweep;
  };
  const notes = new Map<string, Promise<Noted>>();
  const noted = (query: Query): Promise<Noted> => {
    const name = queryName(query);
    const note = notes.get(name) ?? takeNote(disk, tree, query, sweepOf);
    notes.set(name, note);
    return note;
  };

  return {
    root,
    tree,

    async note(query) {
      await noted(query);
    },

    async contentKey(query) {
      const { selections, stamp } = await noted(query);
      const name = `context ${scope} ${digestOf(queryName(query))}`;
      const known = readStamp(facts.get(name));
      if (known && known.stamp === stamp) return known.key;
      const key = await digestOfSelection(tree, selections, async (selected) => {
        const sweep = await sweepOf(selected);
        if (sweep) return sweeps.contentDigest(sweepName(selected), sweep);
        // Of a part of a folder each file is asked for by itself.
        if (!selected.only) await digests.load([selected.root.path]);
        return undefined;
      });
      if (digests.settled && sweeps.settled) facts.set(name, JSON.stringify({ stamp, key }));
      digests.save();
      return key;
    },

    sweep: sweepOf,

    async rememberSweep(selected, found) {
      const sweep = await sweepOf(selected);
      if (sweep) sweeps.remember(sweepName(selected), sweep, found, openedAt);
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

/** Sources alone are named as they always were: what was learned of them stays known. */
function queryName({ sources, parents, exclude }: Query): string {
  return JSON.stringify(parents || exclude ? [sources, { parents, exclude }] : sources);
}

function sweepName({ root, only }: Selected): string {
  return only ? `${root.path} ${only.name}` : root.path;
}

async function sweepSelected(disk: FolderTree, { root, only }: Selected): Promise<FolderSweep | undefined> {
  if (only?.sparse) return undefined;
  const sweep = await disk.sweep(root.path);
  return only && sweep ? sweep.sift(only.rule) : sweep;
}

type SweepOf = (selected: Selected) => Promise<FolderSweep | undefined>;

async function takeNote(disk: FolderTree, tree: Tree, query: Query, sweepOf: SweepOf): Promise<Noted> {
  const { selected } = await select(tree, query);
  const stamps: string[] = [];
  for (const one of selected) stamps.push(`${one.path} ${await stampOf(disk, tree, one, sweepOf)}`);
  return { selections: selected, stamp: digestOf(JSON.stringify([query.sources, stamps])) };
}

/** Of a part of a folder nothing else counts: what changes beside it is not seen. */
async function stampOf(disk: FolderTree, tree: Tree, selected: Selected, sweepOf: SweepOf): Promise<Digest> {
  if (!selected.only) return disk.stamp(selected.root.path);
  const sweep = selected.root.type === "directory" ? await sweepOf(selected) : undefined;
  if (sweep) return digestOf(sweep.bytes);
  const lines = (await membersOf(tree, selected)).map(({ relative, entry }) => {
    const { type, mode, size, mtimeNs, target, ino, dev, ctimeNs } = entry as FolderEntry;
    const times = relative === "" ? "" : `${mtimeNs} ${ctimeNs} ${ino} ${dev}`;
    return `${JSON.stringify([relative, target ?? ""])} ${type} ${mode} ${size} ${times}`;
  });
  return digestOf(lines.join("\n"));
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
    : /^(\.\/)*\.\.(\/|$)/.test(source)
      ? "nothing above the context can be copied: build a higher folder with -f, or name it with --build-context"
      : near
        ? `did you mean ${near}?`
        : undefined;
  return new WbuildError("CTX_NO_SOURCE", what, {
    facts: { pattern: source, ignoredBy: hidden },
    ...(hint ? { hint } : {}),
  });
}
