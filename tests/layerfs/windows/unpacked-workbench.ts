/** What the tests of unpacked Windows layers share: layers of a few members, unpacked and made fit for Wine. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { decodeIndex } from "../../../layerfs/layer/layer-index.ts";
import { unpackLayer } from "../../../layerfs/layer/unpack.ts";
import type { TreeLayer } from "../../../layerfs/tree/laid.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { normalizeUnpacked } from "../../../layerfs/windows/unpacked.ts";
import { decodeWalk, walkFolder } from "../../../native/addon/addon.ts";
import { inPieces, type Member, scratch, tarOf } from "../layer/workbench.ts";

export interface Unpacked {
  readonly folder: string;
  readonly layer: TreeLayer;
  /** Every path below, as `type path target`. */
  lines(): Promise<string[]>;
  again(): Promise<void>;
}

/** Unpacks a layer of these members as a build does, on the layers below. */
export async function unpack(
  t: ExecutionContext,
  lowers: readonly Unpacked[],
  members: readonly Member[],
): Promise<Unpacked> {
  const folder = join(await scratch(t), "layer");
  mkdirSync(folder);
  const { index } = await unpackLayer({ bytes: inPieces(tarOf(...members)) }, folder, {
    form: "overlay",
    lower: lowers.map((one) => one.folder).reverse(),
  });
  const changes = decodeIndex(index);
  const below = await treeOf(lowers);
  await normalizeUnpacked(folder, changes, below);
  return {
    folder,
    layer: { changes: async () => changes, folder: async () => folder },
    async lines() {
      const found = decodeWalk((await walkFolder(folder)).records);
      return found.map(({ type, path, target }) => `${type} ${path}${target === undefined ? "" : ` ${target}`}`);
    },
    again: () => normalizeUnpacked(folder, changes, below),
  };
}

export const treeOf = (layers: readonly Unpacked[]): Promise<Tree> =>
  stackTree(
    layers.map((one) => one.layer),
    { names: "windows" },
  );

export const folder = (name: string, pax?: Member["pax"]): Member => ({
  name,
  type: "5",
  mode: "0000000\0",
  ...(pax ? { pax } : {}),
});
export const file = (name: string, body: string, pax?: Member["pax"]): Member => ({
  name,
  body,
  mode: "0000000\0",
  ...(pax ? { pax } : {}),
});
export const link = (name: string, target: string): Member => ({ name, type: "2", link: target });
