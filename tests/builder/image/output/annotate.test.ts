import test from "ava";
import { annotationsOn, checkAnnotations } from "../../../../builder/image/output/annotate.ts";
import type { Annotation } from "../../../../builder/image/output/output-spec.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const armv7 = { os: "linux", architecture: "arm", variant: "v7" };
const list: readonly Annotation[] = [
  { on: "manifest", platform: armv7, key: "a", value: "arm" },
  { on: "manifest", key: "b", value: "first" },
  { on: "manifest", key: "a", value: "all" },
  { on: "manifest", key: "b", value: "last" },
  { on: "index", key: "i", value: "x" },
  { on: "manifest-descriptor", key: "__proto__", value: "harmless" },
];

test("a document carries its own lines: the last of a name, those for its platform over those for all", (t) => {
  t.deepEqual(annotationsOn(list, "manifest", amd64), { annotations: { a: "all", b: "last" } });
  t.deepEqual(annotationsOn(list, "manifest", armv7), { annotations: { a: "arm", b: "last" } });
  t.deepEqual(annotationsOn(list, "index"), { annotations: { i: "x" } });
  t.deepEqual(annotationsOn(list, "index-descriptor"), {});
  const { annotations = {} } = annotationsOn(list, "manifest-descriptor", amd64);
  t.is(JSON.stringify(annotations), '{"__proto__":"harmless"}');
});

test("the variant and version that a platform leaves out are no difference", (t) => {
  const one: Annotation[] = [
    { on: "manifest", platform: { os: "windows", architecture: "amd64" }, key: "w", value: "1" },
  ];
  t.deepEqual(annotationsOn(one, "manifest", { os: "windows", architecture: "amd64", "os.version": "10.0.20348.1" }), {
    annotations: { w: "1" },
  });
  const arm: Annotation[] = [{ on: "manifest", platform: { os: "linux", architecture: "arm" }, key: "w", value: "1" }];
  t.deepEqual(annotationsOn(arm, "manifest", armv7), { annotations: { w: "1" } });
});

test("an index's annotation without an index is refused", (t) => {
  t.notThrows(() => checkAnnotations(list, true));
  t.is(
    t.throws(() => checkAnnotations(list, false))?.message,
    "annotation i is for an index, and one image alone has none",
  );
});
