/** COPY: entries of the context or of another stage, placed onto the stack so far. Mounts nothing, needs no privilege. */

import type { Change } from "../../layerfs/layer/entry.ts";
import { decodeIndex, digestsOfIndex } from "../../layerfs/layer/layer-index.ts";
import { type Digest, digestOf } from "../../layerfs/store/digest.ts";
import { resolveOwner } from "../../layerfs/tree/accounts.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { driveTree } from "../../layerfs/windows/drive.ts";
import { WbuildError } from "../../native/error.ts";
import type { BuildContext } from "../context/context.ts";
import { digestOfSelection, isPattern, type Query, type Selected, select } from "../context/select.ts";
import type { CopyOp, MkdirOp, Node } from "../graph/graph.ts";
import { commitLayer } from "./commit.ts";
import { windowsRules } from "./name-rules.ts";
import { type Dress, Placement } from "./place.ts";
import { placeAll, placeDocuments } from "./place-all.ts";
import { placeWhole, type Whole } from "./place-whole.ts";
import { type LayerStack, storedLayer } from "./stack.ts";
import type { Performed, Step, World } from "./step.ts";
import { ownedSecurity, windowsChanges } from "./windows-layer.ts";

export const copyStep: Step<CopyOp> = {
  async contentKey(op, inputs, world) {
    if (op.from === "context") {
      const keys: Digest[] = [];
      // Texts of the Dockerfile are part of the op.
      if (op.sources.length > 0) keys.push(await contextOf(op, world).contentKey(queryOf(op)));
      for (const one of fetchedOps(op)) keys.push(await contextOf(one, world).contentKey(queryOf(one)));
      const [first = digestOfNothing, ...more] = keys;
      return more.length === 0 ? first : digestOf(`add/1 ${keys.join(" ")}`);
    }
    const tree = await sourceTree(op, inputs, world);
    return digestOfSelection(tree, await selectAll(op, tree, world));
  },

  async perform(node, inputs, world) {
    const { op } = node;
    const below = inputs[0] as LayerStack;
    const { placement, dress } = await placementOn(below, op);
    if (op.sources.length > 0) {
      const source = await sourceTree(op, inputs, world);
      await noteSources(op, world);
      const selection = await selectAll(op, source, world);
      const whole = await placeWhole(op, selection, placement, dress, {
        sweep: (selected) => contextOf(op, world).sweep(selected),
        isFirst: below.layers.length === 0,
        ...(world.style.epochSeconds === undefined ? {} : { epochSeconds: world.style.epochSeconds }),
      });
      if (whole) return commitPlacement(node, placement, below, world, whole);
      await placeAll(op, source, selection, placement);
    }
    await placeDocuments(op, placement);
    return commitPlacement(node, placement, below, world);
  },
};

const digestOfNothing = digestOf("copy/1 []");

/** What an ADD takes from elsewhere, as ops of their own with the same target. */
export function fetchedOps({ fetched = [], documents: _, ...op }: CopyOp): CopyOp[] {
  const isMany = fetched.length + op.sources.length > 1;
  const target = isMany && !op.target.endsWith("/") ? `${op.target}/` : op.target;
  return fetched.map(({ context, source }) => ({ ...op, context, sources: [source], target }));
}

/** What an op asks its source for. */
function queryOf({ sources, parents, exclude, fromOs }: CopyOp): Query {
  return {
    sources,
    ...(parents ? { parents } : {}),
    ...(exclude && exclude.length > 0 ? { exclude } : {}),
    ...(fromOs ? { fromOs } : {}),
  };
}

/** The context's state is noted before anything of it is read. */
export async function noteSources(op: CopyOp, world: World): Promise<void> {
  if (op.from === "context") await contextOf(op, world).note(queryOf(op));
}

/** Where the bytes come from. */
export async function sourceTree(op: CopyOp, inputs: readonly LayerStack[], world: World): Promise<Tree> {
  if (op.from === "context") return contextOf(op, world).tree;
  const tree = await (inputs[1] as LayerStack).tree();
  return op.fromOs === "windows" ? driveTree(tree) : tree;
}

/** Undefined for what takes nothing from a context, and for a build without one. */
function knownContext(op: CopyOp | MkdirOp, world: World): BuildContext | undefined {
  if (op.kind === "mkdir" || op.from !== "context") return undefined;
  return op.context === undefined ? world.context : world.remote?.get(op.context);
}

function contextOf(op: CopyOp, world: World): BuildContext {
  const context = knownContext(op, world);
  if (context) return context;
  throw new WbuildError("CTX_NONE", "this build has no context to copy from", {
    hint: "give a folder: wbuild build -f Dockerfile FOLDER",
  });
}

/**
 * All sources of an op. A pattern may match nothing, as in BuildKit; when none of them does, that is told. Throws
 * CTX_NO_SOURCE for a name that is not there.
 */
export async function selectAll(op: CopyOp, tree: Tree, world: World): Promise<readonly Selected[]> {
  const { selected, missing: source } = await select(tree, queryOf(op));
  if (source === undefined) return selected;
  if (!isPattern(source)) throw await missing(op, source, tree, world);
  const { message, hint } = await missing(op, source, tree, world);
  world.warn(`${op.kind.toUpperCase()} copies nothing: ${message}${hint === undefined ? "" : ` (${hint})`}`);
  return selected;
}

async function missing(op: CopyOp, source: string, tree: Tree, world: World): Promise<WbuildError> {
  const context = knownContext(op, world);
  if (context) return context.missing(source);
  const what = isPattern(source)
    ? `nothing matches ${JSON.stringify(source)}`
    : `${JSON.stringify(source)} is not there`;
  const names = (await tree.list("")).map((entry) => entry.path).slice(0, 20);
  return new WbuildError("CTX_NO_SOURCE", `${what} in the stage or image that --from names`, {
    facts: { pattern: source, top: names },
  });
}

/** Where an op's files go: onto the stack below, by the rules of its system. Throws STEP_USER. */
export async function placementOn(below: LayerStack, op: CopyOp): Promise<{ placement: Placement; dress: Dress }> {
  const tree = await below.tree();
  if (op.os === "windows") {
    const dress = op.chown === undefined ? {} : { security: ownedSecurity(op.chown) };
    return { placement: new Placement(driveTree(tree), dress, windowsRules), dress };
  }
  const dress = await dressOf(op, tree);
  return { placement: new Placement(tree, dress), dress };
}

async function dressOf(op: CopyOp, target: Tree): Promise<Dress> {
  return {
    ...(op.chown === undefined ? {} : { owner: await resolveOwner(target, op.chown) }),
    ...(op.chmod === undefined ? {} : { chmod: op.chmod }),
  };
}

const digestSize = 32;

/** A Windows layer has files of its own in front: its hives. */
function filesIn(changes: readonly Change[]): number {
  return changes.filter((change) => change.kind === "set" && change.entry.type === "file").length;
}

/** Writes what was placed as a layer. The layer's folder, if somebody needs it, is unpacked from the blob. */
export async function commitPlacement(
  node: Node & { readonly op: CopyOp | MkdirOp },
  placement: Placement,
  below: LayerStack,
  world: World,
  whole?: Whole,
): Promise<Performed> {
  const placed = placement.changes();
  const changes = node.op.os === "windows" ? await windowsChanges(placed, below, world) : placed;
  const input = whole ? [...changes, whole.batch] : changes;
  const commit = commitLayer(node, input, world, { fileDigests: true });
  const stored = commit.layer.then((layer) => storedLayer(world.store, below, layer));
  stored.catch(() => undefined);
  // The layer writer hashes every file anyway: the context takes its digests over instead of reading all again.
  const context = knownContext(node.op, world);
  const content = commit.index.then((index) =>
    whole
      ? context?.rememberSweep(whole.selected, digestsOfIndex(index).subarray(digestSize * filesIn(changes)))
      : context?.remember(changes, decodeIndex(index)),
  );
  world.background(content);
  return {
    layer: {
      committed: commit.layer,
      changes: async () => (await stored).changes(),
      folder: async () => (await stored).folder(),
    },
    finished: commit.layer,
    content,
  };
}
