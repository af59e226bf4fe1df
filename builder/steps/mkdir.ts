/** WORKDIR: makes the folder, with all above it, where it is missing. */
import { resolveUser } from "../../layerfs/tree/accounts.ts";
import { driveTree } from "../../layerfs/windows/drive.ts";
import type { MkdirOp } from "../graph/graph.ts";
import { commitPlacement } from "./copy.ts";
import { windowsRules } from "./name-rules.ts";
import { Placement } from "./place.ts";
import type { LayerStack } from "./stack.ts";
import type { Step } from "./step.ts";

export const mkdirStep: Step<MkdirOp> = {
  async perform(node, inputs, world) {
    const below = inputs[0] as LayerStack;
    const tree = await below.tree();
    const owner = node.op.user ? await resolveUser(tree, node.op.user) : undefined;
    const placement =
      node.op.os === "windows"
        ? new Placement(driveTree(tree), {}, windowsRules)
        : new Placement(tree, owner ? { owner: { uid: owner.uid, gid: owner.gid } } : {});
    const path = await placement.locate(node.op.path);
    if ((await placement.at(path))?.type !== "directory") await placement.folder(path);
    return commitPlacement(node, placement, below, world);
  },
};
