/** Random streams of changes, and the slow, obvious way to apply them. */
import fc from "fast-check";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { entryOf } from "./files.ts";

type Op =
  | { readonly kind: "delete" }
  | { readonly kind: "file"; readonly text: string }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "link" }
  | { readonly kind: "directory"; readonly clear: boolean; readonly said: boolean; readonly children: Children };
type Children = Readonly<Record<string, Op>>;

const names = ["a", "b", "c", "é"];

const { children } = fc.letrec<{ op: Op; children: Children }>((tie) => ({
  op: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constant({ kind: "delete" } as const),
    fc.string({ maxLength: 5 }).map((text) => ({ kind: "file", text }) as const),
    fc.constantFrom("a", "/b", "../c", "nowhere").map((target) => ({ kind: "symlink", target }) as const),
    fc.constant({ kind: "link" } as const),
    fc
      .tuple(fc.boolean(), fc.boolean(), tie("children"))
      .map(([clear, said, below]) => ({ kind: "directory", clear, said, children: below }) as const),
  ),
  children: fc.dictionary(fc.constantFrom(...names), tie("op"), { maxKeys: 3, noNullPrototype: true }),
}));

/** A layer's changes in the order that entry.ts asks for. */
export const randomLayer: fc.Arbitrary<Change[]> = children.map((top) => {
  const changes: Change[] = [];
  const files: string[] = [];
  const visit = (folder: string, ops: Children) => {
    for (const name of Object.keys(ops).sort()) {
      const op = ops[name] as Op;
      const path = folder === "" ? name : `${folder}/${name}`;
      if (op.kind === "delete") changes.push({ kind: "delete", path });
      else if (op.kind === "file") {
        files.push(path);
        const bytes = Buffer.from(op.text);
        const content = { kind: "bytes", bytes } as const;
        changes.push({ kind: "set", entry: entryOf(path, "file", { size: bytes.length, content }) });
      } else if (op.kind === "symlink") {
        changes.push({ kind: "set", entry: entryOf(path, "symlink", { target: op.target }) });
      } else if (op.kind === "link") {
        const target = files.at(-1);
        if (target !== undefined) changes.push({ kind: "set", entry: entryOf(path, "hardlink", { target }) });
      } else {
        // A layer may leave a folder out that it has something in.
        const isSaid = op.said || op.clear || Object.keys(op.children).length === 0;
        if (isSaid) changes.push({ kind: "set", entry: entryOf(path, "directory") });
        if (op.clear) changes.push({ kind: "clear", path });
        visit(path, op.children);
      }
    }
  };
  visit("", top);
  return changes;
});

/** path → what is there, as text. */
export type Model = Map<string, string>;

export function naiveStack(layers: readonly (readonly Change[])[]): Model {
  const model: Model = new Map();
  const removeBelow = (path: string) => {
    for (const key of [...model.keys()]) if (key.startsWith(`${path}/`)) model.delete(key);
  };
  for (const changes of layers) {
    for (const change of changes) {
      if (change.kind === "clear" && model.get(change.path) === "directory") removeBelow(change.path);
      if (change.kind !== "delete") continue;
      const parts = change.path.split("/");
      for (let i = 1; i < parts.length; i++) model.set(parts.slice(0, i).join("/"), "directory");
      model.delete(change.path);
      removeBelow(change.path);
    }
    for (const change of changes) {
      if (change.kind !== "set") continue;
      const { path, type, target, content } = change.entry;
      const parts = path.split("/");
      for (let i = 1; i < parts.length; i++) {
        const above = parts.slice(0, i).join("/");
        model.set(above, "directory");
      }
      if (type !== "directory") removeBelow(path);
      const text = content?.kind === "bytes" ? Buffer.from(content.bytes).toString() : "";
      const shown = { file: `file ${text}`, symlink: `symlink ${target}`, hardlink: model.get(target ?? "") };
      model.set(
        path,
        type === "file" || type === "symlink" || type === "hardlink" ? (shown[type] ?? "?") : "directory",
      );
    }
  }
  return model;
}
