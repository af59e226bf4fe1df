/** The door for programs to compare images: two of them, or one layer with what lies below it. */
import type { Change } from "../layerfs/layer/entry.ts";
import type { Store } from "../layerfs/store/store.ts";
import type { Tree } from "../layerfs/tree/tree.ts";
import { driveFolder } from "../layerfs/tree/windows-path.ts";
import { driveTree } from "../layerfs/windows/drive.ts";
import { WbuildError } from "../native/error.ts";
import type { Image } from "../registry/oci/image.ts";
import { type Difference, diffLayer, diffTrees } from "./image/inspect/diff.ts";
import { diffRegistries, diffRegistryLayer, type RegistryLayer, type Warn } from "./image/inspect/registry-diff.ts";
import type { RegistryDifference } from "./image/inspect/registry-text.ts";
import { openImage } from "./open-image.ts";
import { LayerStack } from "./steps/stack.ts";

export interface ImageDifference {
  readonly files: readonly Difference[];
  /** Of Windows images. */
  readonly registry: readonly RegistryDifference[];
}

/** How `after` differs from `before`; damaged hives are told. Throws IMG_PLATFORM for a Linux and a Windows image. */
export async function diffImages(
  store: Store,
  before: Image,
  after: Image,
  warn: Warn = () => undefined,
): Promise<ImageDifference> {
  const [left, right] = [openImage(store, before), openImage(store, after)];
  if ((left.os === "windows") !== (right.os === "windows")) {
    throw new WbuildError("IMG_PLATFORM", `an image for ${left.os} and one for ${right.os} cannot be compared`);
  }
  if (left.os !== "windows") return { files: await diffTrees(await left.tree(), await right.tree()), registry: [] };
  return {
    files: await diffTrees(driveTree(await left.tree()), driveTree(await right.tree()), left.os),
    registry: await diffRegistries(await registryLayers(left), await registryLayers(right), warn),
  };
}

/** What a layer changes in those below it. `layer` counts from 1, the lowest; absent: the last. Nothing without layers. */
export async function diffOwnLayer(
  store: Store,
  image: Image,
  layer?: number,
  warn: Warn = () => undefined,
): Promise<ImageDifference> {
  const { layers, os } = openImage(store, image);
  const number = layer ?? layers.length;
  const top = layers[number - 1];
  if (!top) return { files: [], registry: [] };
  const below = stackOf(layers.slice(0, number - 1), os);
  const tree = await below.tree();
  if (os !== "windows")
    return { files: await diffLayer(tree, (await top.passing?.()) ?? (await top.changes())), registry: [] };
  const changes = await top.changes();
  const whole = stackOf(layers.slice(0, number), os);
  return {
    files: await diffLayer(driveTree(tree), await onDrive(changes, tree, await whole.tree()), os),
    registry: await diffRegistryLayer(await registryLayers(whole), warn),
  };
}

function stackOf(layers: LayerStack["layers"], os: string): LayerStack {
  const once = os !== "windows";
  return layers.reduce((stack, layer) => stack.with(layer), LayerStack.of(os, { once }));
}

/** The registry of a Windows stack, layer by layer. */
export async function registryLayers({ layers, os }: LayerStack): Promise<RegistryLayer[]> {
  const found: RegistryLayer[] = [];
  for (const [at, layer] of layers.entries())
    found.push({ tree: await stackOf(layers.slice(0, at + 1), os).tree(), changes: await layer.changes() });
  return found;
}

/** The changes below C:, with paths counted from there, spelled as the image with and without the layer has them. */
async function onDrive(changes: readonly Change[], below: Tree, withLayer: Tree): Promise<Change[]> {
  const prefix = `${driveFolder}/`;
  const found: Change[] = [];
  for (const change of changes) {
    const written = change.kind === "set" ? change.entry.path : change.path;
    if (!written.startsWith(prefix)) continue;
    const tree = change.kind === "delete" ? below : withLayer;
    const path = ((await tree.stat(written))?.path ?? written).slice(prefix.length);
    found.push(change.kind === "set" ? { kind: "set", entry: { ...change.entry, path } } : { ...change, path });
  }
  return found;
}
