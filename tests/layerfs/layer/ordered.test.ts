import test from "ava";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { checkOrder, set } from "./workbench.ts";

/** "a/" is a folder, "a" a file, "-a" a deletion, "!a" a cleared folder, "." the root. */
function changesOf(text: string): Change[] {
  return text.split(" ").map((word): Change => {
    const rest = word.slice(1);
    if (word === "!.") return { kind: "clear", path: "" };
    if (word.startsWith("-")) return { kind: "delete", path: rest };
    if (word.startsWith("!")) return { kind: "clear", path: rest };
    if (word === ".") return set("", { type: "directory" });
    return word.endsWith("/") && word !== "/" ? set(word.slice(0, -1), { type: "directory" }) : set(word);
  });
}

const good = ["a", "a/ a/b -a/c d", "a/ !a a/b", ". a/ a/b", "a/b/c", "a/b a-b", "b a", ". !. a"];
for (const text of good) {
  test(`ordered: passes "${text}"`, (t) => t.notThrows(() => checkOrder(changesOf(text))));
}

const bad: [text: string, code: string, path: string, before?: string][] = [
  ["a a", "LAYER_ORDER", "a", "a"],
  ["a -a", "LAYER_ORDER", "a", "a"],
  ["a/b a/", "LAYER_ORDER", "a", "a/b"],
  ["a/b/c a/", "LAYER_ORDER", "a", "a/b/c"],
  ["a .", "LAYER_ORDER", "", "a"],
  ["a/ a/b !a", "LAYER_ORDER", "a", "a/b"],
  ["a !a", "LAYER_ORDER", "a", "a"],
  ["!a", "LAYER_ORDER", "a", ""],
  ["/a", "LAYER_PATH", "/a"],
  ["a//b", "LAYER_PATH", "a//b"],
  ["a/../b", "LAYER_PATH", "a/../b"],
  ["./a", "LAYER_PATH", "./a"],
  ["-", "LAYER_PATH", ""],
];
for (const [text, code, path, before] of bad) {
  test(`ordered: refuses "${text}"`, (t) => {
    const error = t.throws(() => checkOrder(changesOf(text)), { code });
    const facts = (error as unknown as { facts: unknown }).facts;
    t.deepEqual(facts, before === undefined ? { path } : { path, before });
  });
}
