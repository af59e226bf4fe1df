/** The rules about entries that speak of other paths: deletions and hard links. */
import { foldPath } from "../names.ts";
import { isContent } from "./known-names.ts";
import type { Tell } from "./metadata-rules.ts";
import type { PathTree } from "./path-tree.ts";
import type { TarEntry } from "./tar-entries.ts";

/** Where an entry stands. */
export interface Ground {
  readonly number: number;
  readonly isBase: boolean;
  readonly isComplete: boolean;
  readonly tree: PathTree;
  readonly tell: Tell;
}

/** False when memory for paths is spent. */
export function checkWhiteout({ type, size, pax }: TarEntry, parts: readonly string[], ground: Ground): boolean {
  const { number, isBase, isComplete, tree, tell } = ground;
  if (isBase) tell("whiteout-base", "the base deletes something");
  const hidden = parts.at(-1)?.slice(".wh.".length) ?? "";
  if (hidden === ".wh..opq") {
    tell("whiteout-opaque", "Windows knows no such marker");
    return true;
  }
  if (hidden === "" || hidden === "." || hidden === ".." || hidden.startsWith(".wh.")) {
    tell("whiteout-name", "it hides no possible name");
    return true;
  }
  const isMarked = [...pax.keys()].some((key) => key.startsWith("MSWINDOWS."));
  if (type !== "0" || size > 0 || isMarked) tell("whiteout-form", "it is more than an empty file");
  const victim = [...parts.slice(0, -1), hidden];
  if (!isContent(victim)) {
    tell("whiteout-place", "it deletes something outside of Files");
    return true;
  }
  const node = tree.find(victim);
  if (node?.kind !== undefined && node.layer === number) tell("whiteout-beside-entry", "the layer brings it too");
  else if (parts[0] === "UtilityVM" && isComplete && node?.kind === undefined) {
    tell("whiteout-victim", "no layer below has it");
  }
  return tree.hide(victim, number);
}

export function checkHardLink({ link }: TarEntry, parts: readonly string[], ground: Ground): void {
  const { number, isBase, isComplete, tree, tell } = ground;
  const target = link.split("/");
  if (!isContent(parts) || !isContent(target)) {
    tell("hardlink-place", "it or its target is outside of Files");
    return;
  }
  const node = tree.find(target);
  const shown = JSON.stringify(link.slice(0, 200));
  if (foldPath(link) === foldPath(parts.join("/"))) {
    tell("hardlink-target", "it links to itself");
    return;
  }
  if (node?.kind === undefined) {
    if (isBase || isComplete) tell("hardlink-target", `${shown} is not there`);
    return;
  }
  if (isBase && node.layer !== number) {
    tell("hardlink-target", `${shown} is not there`);
    return;
  }
  if (node.kind === "directory") {
    tell("hardlink-target", `${shown} is a directory`);
    return;
  }
  if (node.layer === number && node.name !== target.at(-1)) tell("hardlink-spelling", `it is not spelled ${shown}`);
}
