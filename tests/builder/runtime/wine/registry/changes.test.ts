/** From Wine's texts before and after to the deltas of an image. */
import { isDeepStrictEqual } from "node:util";
import test from "ava";
import fc from "fast-check";
import {
  type RegistryTexts,
  registryChanges,
  registryDifference,
} from "../../../../../builder/runtime/wine/registry/changes.ts";
import { deltaOverImage } from "../../../../../builder/runtime/wine/registry/image-delta.ts";
import type { ImageRegistry } from "../../../../../builder/runtime/wine/registry/image-hives.ts";
import { differingSections } from "../../../../../builder/runtime/wine/registry/section-diff.ts";
import { currentControlSet, sessionTrees } from "../../../../../builder/runtime/wine/registry/session-trees.ts";
import { diffHives } from "../../../../../layerfs/hive/diff.ts";
import type { Hive, HiveKey } from "../../../../../layerfs/hive/key.ts";
import { mergeHives } from "../../../../../layerfs/hive/merge.ts";
import { readHive } from "../../../../../layerfs/hive/regf/read.ts";
import { hiveOf, KeyTree } from "../../../../../layerfs/hive/tree.ts";
import { readWineText, writeWineText } from "../../../../../layerfs/hive/wine-text.ts";
import type { DeltaName } from "../../../../../layerfs/windows/deltas.ts";

/** `{ a: { "@x": "value" } }`: keys, and values with an @. */
interface Shape {
  readonly [name: string]: string | Shape;
}

function keyOf(name: string, shape: Shape): KeyTree {
  const key = new KeyTree(name);
  for (const [part, content] of Object.entries(shape)) {
    if (typeof content === "string") {
      key.setValue({ name: part.slice(1), type: 1, data: Buffer.from(`${content}\0`, "utf16le") });
    } else key.setSubkey(keyOf(part, content));
  }
  return key;
}

function shapeOf(key: HiveKey): Shape {
  const values = key
    .values()
    .map((value) => [`@${value.name}`, Buffer.from(value.data).toString("utf16le").slice(0, -1)]);
  const keys = key.subkeys().map((subkey) => [subkey.name, shapeOf(subkey)]);
  return Object.fromEntries([...values, ...keys].sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)));
}

const textOf = (shape: Shape) =>
  Buffer.from(writeWineText(hiveOf(keyOf("", shape)), { arch: "win64", relativeTo: "REGISTRY\\Machine" }));
const hive = (shape: Shape): Hive => hiveOf(keyOf("ROOT", shape));
const none = textOf({});

function imageOf(shape: Partial<Record<DeltaName, Shape>>, user?: Shape): ImageRegistry {
  const machine = new Map(Object.entries(shape).map(([name, keys]) => [name as DeltaName, hive(keys)]));
  const profile = { folder: "Users/Me", user: user && hive(user), classes: undefined };
  return { machine, deltas: new Map(), profile };
}

const changesBetween = (
  before: RegistryTexts,
  after: RegistryTexts,
  ...rest: Parameters<typeof registryChanges> extends [unknown, ...infer Rest] ? Rest : never
) => registryChanges(registryDifference({ before, after }), ...rest);

const leaf = fc.dictionary(fc.constantFrom("@a", "@b", "@"), fc.constantFrom("1", "2"), { maxKeys: 2 });
const shapes: fc.Arbitrary<Shape> = fc.letrec<{ node: Shape }>((tie) => ({
  node: fc
    .tuple(
      leaf,
      fc.dictionary(fc.constantFrom("k", "l", "M", "nn"), fc.oneof({ maxDepth: 4 }, leaf, tie("node")), { maxKeys: 3 }),
    )
    .map(([values, keys]) => ({ ...values, ...keys })),
})).node;

test("any two registries: the delta from their differing sections leads from one to the other", (t) => {
  fc.assert(
    fc.property(shapes, shapes, (a, b) => {
      const texts = differingSections(textOf(a), textOf(b));
      if (!texts) return t.deepEqual(shapeOf(keyOf("", a)), shapeOf(keyOf("", b)));
      const change = diffHives(readWineText(texts.before), readWineText(texts.after));
      const delta = deltaOverImage(change.root, hive(a));
      t.deepEqual(shapeOf(mergeHives([hive(a), delta]).root), shapeOf(keyOf("", b)));
    }),
  );
});

const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key${i}`, { "@v": String(i) }]));

test("what is equal is not in the texts that are compared", (t) => {
  const texts = differingSections(textOf(many), textOf({ ...many, key150: { "@v": "new" } }));
  t.deepEqual(shapeOf(readWineText(texts?.before ?? none).root), { key150: { "@v": "150" } });
  t.deepEqual(shapeOf(readWineText(texts?.after ?? none).root), { key150: { "@v": "new" } });
});

test("texts in another order are compared by name", (t) => {
  const [header = "", ...sections] = textOf(many)
    .toString("latin1")
    .split(/\n(?=\[)/)
    .map((section) => section.replace(/\n*$/, "\n\n"));
  const text = (parts: readonly string[]) => Buffer.from([header, ...parts].join(""), "latin1");
  t.is(differingSections(text(sections), text(sections.toReversed())), undefined);
});

test("long runs of keys that came, went or moved: what differs, and nothing else", (t) => {
  const block = fc.record({ at: fc.nat(299), count: fc.nat(150) });
  fc.assert(
    fc.property(block, block, fc.uniqueArray(fc.nat(299), { maxLength: 5 }), (gone, come, changed) => {
      const names = Object.keys(many);
      const left = names.filter((_, at) => at < gone.at || at >= gone.at + gone.count);
      const now: Record<string, Shape> = Object.fromEntries(left.map((name) => [name, many[name] as Shape]));
      for (let i = 0; i < come.count; i++) now[`key${come.at}-${i}`] = { "@v": "come" };
      for (const at of changed) if (`key${at}` in now) now[`key${at}`] = { "@v": "changed" };
      const texts = differingSections(textOf(many), textOf(now));
      const differing = (from: Shape, to: Shape) =>
        Object.fromEntries(Object.entries(from).filter(([name, key]) => !isDeepStrictEqual(key, to[name])));
      const [was, is] = [texts?.before, texts?.after].map((text) => shapeOf(readWineText(text ?? none).root));
      t.deepEqual(was, shapeOf(keyOf("", differing(many, now))));
      t.deepEqual(is, shapeOf(keyOf("", differing(now, many))));
    }),
  );
});

const wineKeys: Shape = { Software: { Wine: { "@v": "1" }, Own: { "@w": "wine" } }, System: {} };

test("deleting what only Wine had says nothing to the image", (t) => {
  const image = imageOf({ Software: { Acme: { "@level": "1" } } });
  const before = textOf({ ...wineKeys, Software: { ...(wineKeys.Software as Shape), Acme: { "@level": "1" } } });
  const after = textOf({ Software: { Acme: { "@level": "1" } }, System: {} });
  const { deltas, files } = changesBetween(
    { system: before, user: none, userdef: none },
    { system: after, user: none, userdef: none },
    () => image,
    (text) => t.fail(text),
  );
  t.is(deltas.size, 0);
  t.deepEqual(files, []);
});

test("a value, a deleted value, a new key and a deleted key are in the delta of their hive, and nothing else", (t) => {
  const base = { Acme: { "@level": "1", "@old": "x", Gone: { "@a": "1" }, Kept: { "@a": "1" } } };
  const now = { Acme: { "@level": "2", Kept: { "@a": "1" }, New: { "@b": "1" } } };
  const { deltas } = changesBetween(
    { system: textOf({ Software: base, System: { S: {} } }), user: none, userdef: none },
    { system: textOf({ Software: now, System: { S: {} } }), user: none, userdef: none },
    () => imageOf({ Software: base, System: { S: {} } }),
    (text) => t.fail(text),
  );
  t.deepEqual([...deltas.keys()], ["Software"]);
  const delta = readHive(deltas.get("Software") ?? new Uint8Array());
  t.true(delta.differencing);
  t.deepEqual(
    delta.root
      .subkey("Acme")
      ?.subkeys()
      .map((key) => `${key.name} ${key.layer}`),
    ["Gone tombstone", "New merge"],
  );
  t.deepEqual(shapeOf(mergeHives([hive(base), delta]).root), shapeOf(keyOf("", now)));
});

test("a change under HKCU makes the account's NTUSER.DAT, one under Software\\Classes its UsrClass.dat", (t) => {
  const { files, deltas } = changesBetween(
    { system: none, user: textOf({ Environment: { "@TEMP": "t" } }), userdef: none },
    {
      system: none,
      user: textOf({
        Environment: { "@TEMP": "t" },
        Mine: { "@a": "1" },
        Software: { Classes: { ".x": { "@": "f" } } },
      }),
      userdef: none,
    },
    () => imageOf({}, { Environment: { "@TEMP": "t" } }),
    (text) => t.fail(text),
  );
  t.is(deltas.size, 0);
  const shapesOf = files.map(({ path, bytes }) => [path, shapeOf(readHive(bytes).root)]);
  t.deepEqual(shapesOf, [
    ["Users/Me/NTUSER.DAT", { Environment: { "@TEMP": "t" }, Mine: { "@a": "1" } }],
    ["Users/Me/AppData/Local/Microsoft/Windows/UsrClass.dat", { ".x": { "@": "f" } }],
  ]);
});

test("a key directly under HKLM has no hive: that is said", (t) => {
  const told: string[] = [];
  const changed = { system: textOf({ Foo: { "@a": "1" } }), user: none, userdef: none };
  changesBetween(
    { system: none, user: none, userdef: none },
    changed,
    () => imageOf({}),
    (text) => told.push(text),
  );
  t.deepEqual(told, ["HKLM\\Foo was changed, which no hive of an image holds: the change is lost"]);
});

test("the session: the image's keys over Wine's, CurrentControlSet a link, foreign services not started", (t) => {
  const start = (number: number) => ({ name: "Start", type: 4, data: Uint8Array.of(number, 0, 0, 0) });
  const wineSystem = keyOf("System", {
    CurrentControlSet: { Services: { PlugPlay: { "@ImagePath": "wine" } }, Only: { "@a": "w" } },
  });
  const system = keyOf("ROOT", {
    ControlSet001: { Services: { PlugPlay: { "@ImagePath": "svchost" }, Big: { "@ImagePath": "b" } } },
  });
  const big = system.subkey("ControlSet001")?.subkey("Services")?.subkey("Big");
  (big as KeyTree).setValue(start(2));
  const machine = keyOf("", { Software: { Both: { "@a": "wine", "@b": "wine" } } });
  machine.setSubkey(wineSystem);
  const wine = { machine: hiveOf(machine), user: hive({ Software: { Wine: {} } }), userdef: hive({}) };
  const image: ImageRegistry = {
    machine: new Map<DeltaName, Hive>([
      ["System", hiveOf(system)],
      ["Software", hive({ Both: { "@a": "image" } })],
    ]),
    deltas: new Map(),
    profile: { folder: "Users/Me", user: hive({ Mine: {} }), classes: hive({ ".x": {} }) },
  };
  const trees = sessionTrees(wine, image);
  const set = trees.machine.root.subkey("System")?.subkey("ControlSet001");
  const both = trees.machine.root.subkey("Software")?.subkey("Both");
  t.deepEqual(shapeOf(both as HiveKey), { "@a": "image", "@b": "wine" });
  t.is(trees.machine.root.subkey("System")?.subkey("CurrentControlSet")?.flags, 0x10);
  t.deepEqual(shapeOf(set?.subkey("Only") as HiveKey), { "@a": "w" });
  t.deepEqual(shapeOf(set?.subkey("Services")?.subkey("PlugPlay") as HiveKey), { "@ImagePath": "wine" });
  t.deepEqual([...(set?.subkey("Services")?.subkey("Big")?.value("Start")?.data ?? [])], [3, 0, 0, 0]);
  t.deepEqual(shapeOf(trees.user.root), {
    Mine: {},
    Software: { Classes: { ".x": {} }, Wine: { Drivers: { "@Audio": "", "@Graphics": "null" } } },
  });
});

test("what Wine writes by itself is no change, nor are keys that were only made on the way to it", (t) => {
  const before = { Software: { Kept: {} } };
  const after = { Software: { Kept: {}, Wine: { "@a": "1" }, Microsoft: { ActiveMovie: { devenum: { "@b": "1" } } } } };
  const change = (now: Shape) =>
    changesBetween(
      { system: none, user: textOf(before), userdef: none },
      { system: none, user: textOf(now), userdef: none },
      () => imageOf({}, before),
      (text) => t.fail(text),
    ).files.map(({ bytes }) => shapeOf(readHive(bytes).root));
  t.deepEqual(change(after), []);
  t.deepEqual(change({ ...after, Empty: {} }), [{ ...before, Empty: {} }], "an empty key of the step's own stays");
});

test("settings of the session: the image's version for programs, no debugger, no sound, no screen, Wine's programs before others", (t) => {
  const wine = { machine: hive({}), user: hive({}), userdef: hive({}) };
  const image = imageOf({
    Software: { Microsoft: { "Windows NT": { CurrentVersion: { "@CurrentVersion": "6.3" } } } },
  });
  const trees = sessionTrees(wine, image, { programs: ["cmd.exe"], osVersion: "10.0.17763.1" });
  const version = ["Software", "Microsoft", "Windows NT", "CurrentVersion"].reduce<HiveKey | undefined>(
    (key, name) => key?.subkey(name),
    trees.machine.root,
  );
  const text = (key: HiveKey | undefined, name: string) =>
    Buffer.from(key?.value(name)?.data ?? [])
      .toString("utf16le")
      .replace("\0", "");
  t.is(text(version, "CurrentVersion"), "10.0");
  t.is(text(version, "CurrentBuildNumber"), "17763");
  t.regex(text(version?.subkey("AeDebug"), "Debugger"), /rundll32/);
  t.deepEqual(shapeOf(trees.user.root), {
    Software: { Wine: { DllOverrides: { "@cmd.exe": "builtin" }, Drivers: { "@Audio": "", "@Graphics": "null" } } },
  });
});

test("what a layer deleted does not come back from Wine's own keys", (t) => {
  const base = { Acme: { "@a": "1", "@b": "1", Sub: { "@c": "1" } } };
  const wine = { machine: hive({ Software: base, System: {} }), user: hive({}), userdef: hive({}) };
  const delta = diffHives(hive(base), hive({ Acme: { "@a": "1" } }));
  const image: ImageRegistry = {
    machine: new Map<DeltaName, Hive>([["Software", mergeHives([hive(base), delta])]]),
    deltas: new Map<DeltaName, readonly Hive[]>([["Software", [delta]]]),
    profile: { folder: "Users/Me", user: undefined, classes: undefined },
  };
  const software = sessionTrees(wine, image).machine.root.subkey("Software");
  t.deepEqual(shapeOf(software?.subkey("Acme") as HiveKey), { "@a": "1" });
});

test("the control set is the one that Select names", (t) => {
  const system = keyOf("ROOT", { Select: {} });
  (system.subkey("Select") as KeyTree).setValue({ name: "Current", type: 4, data: Uint8Array.of(2, 0, 0, 0) });
  t.is(currentControlSet(system), "ControlSet002");
  t.is(currentControlSet(undefined), "ControlSet001");
});
