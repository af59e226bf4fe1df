import test from "ava";
import { mayImport, roomOf } from "./arrows.ts";
import { importsOf, sourceFiles } from "./sources.ts";

const files = sourceFiles(".ts");
const graph = new Map(files.map((file) => [file, importsOf(file)]));

/** How a file is reached from the program's entry: the path by which an import got in. */
function pathTo(file: string): string {
  const came = new Map<string, string>();
  const queue = ["builder/cli/main.ts"];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    if (at === file) {
      const path = [at];
      for (let up = came.get(at); up !== undefined; up = came.get(up)) path.unshift(up);
      return path.join(" → ");
    }
    for (const next of graph.get(at) ?? [])
      if (!came.has(next) && next !== "builder/cli/main.ts") {
        came.set(next, at);
        queue.push(next);
      }
  }
  return `${file} (which nothing imports)`;
}

test("no file imports a room that its own may not know", (t) => {
  const wrong = files.flatMap((from) =>
    (graph.get(from) ?? [])
      .filter((to) => !mayImport(from, to))
      .map((to) => `${roomOf(from)} may not import ${to}: ${pathTo(from)} → ${to}`),
  );
  t.deepEqual(wrong, []);
});

test("no file imports itself by way of others, not even types", (t) => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" → "));
    if (path.includes(file) || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  t.deepEqual(circles, []);
});

test("every import leads to a file", (t) => {
  const known = new Set(files);
  const lost = files.flatMap((from) =>
    (graph.get(from) ?? []).filter((to) => to.endsWith(".ts") && !known.has(to)).map((to) => `${from} → ${to}`),
  );
  t.deepEqual(lost, []);
});

test("every source file is reached from the program", (t) => {
  const reached = new Set<string>();
  const queue = ["builder/cli/main.ts"];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    if (reached.has(at)) continue;
    reached.add(at);
    queue.push(...(graph.get(at) ?? []));
  }
  t.deepEqual(
    files.filter((file) => !reached.has(file)),
    [],
    "dead code: nothing that the program loads imports it",
  );
});

const rows: [from: string, to: string, may: boolean][] = [
  ["builder/cli/build.ts", "builder/build.ts", true],
  ["builder/cli/build.ts", "registry/client.ts", true],
  ["builder/build.ts", "builder/cli/flags/flags.ts", false],
  ["builder/steps/run.ts", "builder/cli/flags/flags.ts", false],
  ["builder/dockerfile/parse.ts", "builder/graph/graph.ts", false],
  ["builder/runtime/linux.ts", "builder/steps/run.ts", false],
  ["builder/image/move/copy.ts", "builder/image/stored/local.ts", true],
  ["builder/image/stored/local.ts", "builder/image/move/copy.ts", false],
  ["builder/image/output/annotate.ts", "builder/build-request.ts", false],
  ["registry/pull.ts", "layerfs/store/digest.ts", true],
  ["registry/pull.ts", "layerfs/layer/read.ts", false],
  ["registry/pull.ts", "builder/image/stored/local.ts", false],
  ["layerfs/layer/write.ts", "native/addon/addon.ts", true],
  ["layerfs/layer/write.ts", "native/core/sandbox.ts", false],
  ["layerfs/layer/write.ts", "registry/client.ts", false],
  ["native/core/sandbox.ts", "layerfs/store/store.ts", false],
  ["native/core/sandbox.ts", "native/error.ts", true],
];
for (const [from, to, may] of rows)
  test(`${from} ${may ? "may" : "may not"} import ${to}`, (t) => t.is(mayImport(from, to), may));

test("imports of every form are seen", (t) => {
  const text = `
    import { a } from "./a.ts";
    import type { B } from "../b.ts";
    export { c } from "./c.ts";
    const d = await import("./d.ts");
    type E = typeof import("./e.ts");
    import "./f.ts";
    import fs from "node:fs";`;
  t.deepEqual(
    importsOf("builder/x/y.ts", text),
    ["a", "c", "d", "e", "f"]
      .map((name) => `builder/x/${name}.ts`)
      .concat("builder/b.ts")
      .sort(),
  );
});
