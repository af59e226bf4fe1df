import test, { type ExecutionContext } from "ava";
import { verifyImage } from "../../../builder/image/inspect/verify.ts";
import { writeImage } from "../../../builder/image/output/write-image.ts";
import { registryStack } from "../../../builder/mutate/flat-hives.ts";
import { flattenImage } from "../../../builder/mutate/flatten.ts";
import { readHeads } from "../../../builder/mutate/heads.ts";
import { rebaseImage } from "../../../builder/mutate/rebase.ts";
import { checkWindowsRebase } from "../../../builder/mutate/rebase-windows.ts";
import { changesOf } from "../../../layerfs/hive/changes.ts";
import { diffHives } from "../../../layerfs/hive/diff.ts";
import { mergeHives } from "../../../layerfs/hive/merge.ts";
import { readHive } from "../../../layerfs/hive/regf/read.ts";
import { writeHive } from "../../../layerfs/hive/regf/write.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { deltaNames, deltaPath, emptyDelta } from "../../../layerfs/windows/deltas.ts";
import { type Image, mediaTypes } from "../../../registry/oci/image.ts";
import { scratchStore } from "../../doubles/scratch.ts";
import { hiveBytes, type Keys } from "../../doubles/windows-base.ts";
import type { Member } from "../../layerfs/layer/workbench.ts";
import {
  baseLayer,
  configFolder,
  file,
  folder,
  symlink,
  tarsOf,
  whiteout,
} from "../../layerfs/windows/verify-workbench.ts";

const signal = new AbortController().signal;
const created = "2023-11-14T22:13:20.000Z";

const bases: Readonly<Record<"old" | "new" | "fixed", Keys>> = {
  old: { "App\\Old": { Path: "a", Kept: "k" }, Gone: { x: "1" } },
  new: { "App\\Old": { Path: "changed", Kept: "k" }, Gone: { x: "1" }, "App\\New": { y: "2" } },
  fixed: { "App\\Old": { Path: "a", Kept: "changed" }, "App\\New": { y: "2" } },
};

function baseWith(keys: Keys, more: readonly Member[] = []): Member[] {
  const software = `${configFolder}/SOFTWARE`;
  const members = baseLayer().map((one) =>
    one.name === software ? file(software, Buffer.from(hiveBytes(keys))) : one,
  );
  return [...members, file(`${software}.LOG1`, "old log"), ...more];
}

/** A layer whose Software delta makes `after` of `before`. */
function layerWith(before: Keys, after: Keys, files: readonly Member[] = []): Member[] {
  const delta = writeHive(diffHives(readHive(hiveBytes(before)), readHive(hiveBytes(after))));
  const bytes = (name: string) => Buffer.from(name === "Software" ? delta : emptyDelta());
  return [folder("Hives"), ...deltaNames.map((name) => file(deltaPath(name), bytes(name))), folder("Files"), ...files];
}

async function imageOf(store: Store, version: string, ...members: Member[][]): Promise<Image> {
  const layers = [];
  for (const tar of tarsOf(...members))
    layers.push({ blob: await store.blobs.put(tar, { mediaType: mediaTypes.ociLayer }), diffId: digestOf(tar) });
  const history = members.map((_, at) => ({ created_by: `layer ${at}` }));
  return writeImage(store.blobs, {
    config: { os: "windows", architecture: "amd64", "os.version": version, config: {}, history },
    layers,
  });
}

/** What HKLM\SOFTWARE of an image is. */
async function softwareOf(store: Store, { manifest }: Image) {
  const heads = [];
  for (const blob of manifest.layers) heads.push(await readHeads(store, store.blobs.open(blob), () => true));
  return { hive: mergeHives(registryStack(heads, "Software")), heads };
}

async function checkVerified(t: ExecutionContext, store: Store, image: Image) {
  const ref = { name: "x", descriptor: image.descriptor, keeps: [], createdMs: 0, updatedMs: 0 };
  const local = {
    ...image,
    name: "x",
    id: image.manifest.config.digest,
    whole: image.descriptor,
    keeps: [],
    images: [],
    ref,
  };
  const { findings } = await verifyImage(store, local, signal);
  t.deepEqual(
    findings.filter(({ severity }) => severity === "error"),
    [],
  );
}

const one: Keys = { ...bases.old, "App\\Mine": { a: "1", b: "2" } };
const two: Keys = { "App\\Old": { Path: "mine", Kept: "k" }, "App\\Mine": { a: "1", c: "3" } };

for (const keep of [0, 1]) {
  test(`flatten over ${keep} layers: the registry says the same, importers take it, the same bytes twice`, async (t) => {
    const store = scratchStore(t);
    const image = await imageOf(
      store,
      "10.0.20348.1",
      baseWith(bases.old),
      layerWith(bases.old, one, [
        folder("Files/Users"),
        file("Files/Users/x.txt", "1"),
        whiteout("Files/Users/.wh.old.txt"),
      ]),
      layerWith(one, two, [
        folder("Files/users"),
        file("Files/users/X.TXT", "2"),
        symlink("Files/users/l", "..\\Users\\x.txt"),
      ]),
    );
    const options = { keep, created, command: "flatten", signal };
    const flat = await writeImage(store.blobs, await flattenImage(store, image, options));
    const again = await writeImage(store.blobs, await flattenImage(store, image, options));
    t.is(again.descriptor.digest, flat.descriptor.digest);
    t.is(flat.manifest.layers.length, keep + 1);
    const [was, now] = [await softwareOf(store, image), await softwareOf(store, flat)];
    t.deepEqual([...changesOf(was.hive, now.hive)], []);
    t.not(was.hive.root.subkey("App")?.subkey("Mine")?.value("c"), undefined);
    await checkVerified(t, store, flat);
    const top = now.heads.at(-1);
    const names = [...(top?.changes ?? [])].map((change) =>
      change.kind === "set" ? change.entry.path : `-${change.path}`,
    );
    // Names are spelled as they were first; a log of the old hive would be taken for one of the new.
    t.deepEqual(
      names.filter((name) => /x\.txt|old\.txt|LOG1|Hives$/i.test(name)).sort(),
      keep === 0 ? ["Files/Users/x.txt"] : ["-Files/Users/old.txt", "Files/Users/x.txt", "Hives"],
    );
    if (keep === 1) t.deepEqual(names.slice(0, 2), ["Hives", "Files"]);
  });
}

test("a single delta keeps its bytes", async (t) => {
  const store = scratchStore(t);
  const image = await imageOf(
    store,
    "10.0.20348.1",
    baseWith(bases.old),
    layerWith(bases.old, one),
    layerWith(one, one),
  );
  const flat = await writeImage(
    store.blobs,
    await flattenImage(store, image, { keep: 1, created, command: "", signal }),
  );
  const [was, now] = [await softwareOf(store, image), await softwareOf(store, flat)];
  const delta = (heads: typeof was.heads) => heads[1]?.kept.get("Hives/Software_Delta");
  t.deepEqual(delta(now.heads), delta(was.heads));
});

test("a foreign layer does not become part of another", async (t) => {
  const store = scratchStore(t);
  const image = await imageOf(store, "10.0.20348.1", baseWith(bases.old), layerWith(bases.old, one));
  const mediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar";
  const [base, ...above] = image.manifest.layers;
  if (base === undefined) return t.fail();
  const foreign = { ...base, mediaType, urls: ["https://example.com/x"] };
  const from = { ...image, manifest: { ...image.manifest, layers: [foreign, ...above] } };
  const options = { created, command: "", signal };
  await t.throwsAsync(flattenImage(store, from, { ...options, keep: 0 }), { code: "IMG_EDIT" });
  await t.notThrowsAsync(flattenImage(store, from, { ...options, keep: 1 }));
});

interface Row {
  readonly title: string;
  readonly onto: Keys;
  readonly own: Keys;
  /** Keys that the refusal names. */
  readonly told?: RegExp;
}

const rows: readonly Row[] = [
  { title: "changes elsewhere fit", onto: bases.fixed, own: { ...bases.old, "App\\Mine": { a: "1" } } },
  {
    title: "a value that only the image changed fits",
    onto: bases.fixed,
    own: { ...bases.old, "App\\Old": { Path: "mine", Kept: "k" } },
  },
  { title: "a key that both took away fits", onto: bases.fixed, own: { "App\\Old": { Path: "a", Kept: "k" } } },
  {
    title: "a value that both changed does not",
    onto: bases.new,
    own: { ...bases.old, "App\\Old": { Path: "mine", Kept: "k" } },
    told: /Software\\App\\Old, value "Path": the new base changed it too/,
  },
  {
    title: "unless both changed it alike",
    onto: bases.new,
    own: { ...bases.old, "App\\Old": { Path: "changed", Kept: "k" } },
  },
  {
    title: "a value of a key that is gone does not",
    onto: bases.fixed,
    own: { ...bases.old, Gone: { x: "2" } },
    told: /Software\\Gone: the new base has no such key/,
  },
  {
    title: "a value that both added does not",
    onto: bases.new,
    own: { ...bases.old, "App\\New": { y: "mine" } },
    told: /Software\\App\\New, value "y"/,
  },
];

for (const { title, onto, own, told } of rows) {
  test(`rebase: ${title}`, async (t) => {
    const store = scratchStore(t);
    const old = await imageOf(store, "10.0.20348.1", baseWith(bases.old));
    const base = await imageOf(store, "10.0.20348.2", baseWith(onto, [file("Files/new.dll")]));
    const image = await imageOf(
      store,
      "10.0.20348.1",
      baseWith(bases.old),
      layerWith(bases.old, own, [file("Files/app.exe")]),
    );
    const result = await writeImage(store.blobs, rebaseImage(image, { old, base, created, command: "rebase" }));
    t.is(result.config["os.version"], "10.0.20348.2");
    t.deepEqual(
      result.config.history?.map(({ created_by }) => created_by),
      ["layer 0", "layer 1", "rebase"],
    );
    const check = (force: boolean) => checkWindowsRebase(store, { image, old, result, force }, signal);
    if (told === undefined) await t.notThrowsAsync(check(false));
    else {
      const error = await t.throwsAsync(check(false), { code: "IMG_REBASE" });
      t.regex(error?.message ?? "", told);
      t.regex(error?.message ?? "", /10\.0\.20348\.1 to 10\.0\.20348\.2/);
      await t.notThrowsAsync(check(true), "--force lets the image's own count");
    }
  });
}

test("rebase: what importers would refuse is refused, also with force: a link to a file that the new base lacks", async (t) => {
  const store = scratchStore(t);
  const old = await imageOf(store, "10.0.20348.1", baseWith(bases.old, [file("Files/dll.dll")]));
  const base = await imageOf(store, "10.0.20348.2", baseWith(bases.old));
  const link: Member = { name: "Files/link.dll", type: "1", link: "Files/dll.dll" };
  const image = await imageOf(
    store,
    "10.0.20348.1",
    baseWith(bases.old, [file("Files/dll.dll")]),
    layerWith(bases.old, one, [link]),
  );
  const result = await writeImage(store.blobs, rebaseImage(image, { old, base, created, command: "rebase" }));
  const error = await t.throwsAsync(checkWindowsRebase(store, { image, old, result, force: true }, signal), {
    code: "IMG_REBASE",
  });
  t.regex(error?.message ?? "", /link\.dll/);
});

test("rebase: an image for one system cannot stand on a base for another", async (t) => {
  const store = scratchStore(t);
  const image = await imageOf(store, "10.0.20348.1", baseWith(bases.old), layerWith(bases.old, one));
  const old = await imageOf(store, "10.0.20348.1", baseWith(bases.old));
  const base = { ...old, config: { ...old.config, os: "linux" } };
  t.throws(() => rebaseImage(image, { old, base, created, command: "" }), { code: "IMG_PLATFORM" });
});
