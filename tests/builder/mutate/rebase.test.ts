import test from "ava";
import { writeImage } from "../../../builder/image/output/write-image.ts";
import { type Find, oldBaseOf } from "../../../builder/mutate/old-base.ts";
import { checkRebased, rebaseImage } from "../../../builder/mutate/rebase.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { WbuildError } from "../../../native/error.ts";
import { type Image, mediaTypes } from "../../../registry/oci/image.ts";
import { scratchStore } from "../../doubles/scratch.ts";
import { type Member, tarOf } from "../../layerfs/layer/workbench.ts";

const signal = new AbortController().signal;
const created = "2023-11-14T22:13:20.000Z";

const file = (name: string, body = "x"): Member => ({ name, type: "0", body });
const link = (name: string, target: string): Member => ({ name, type: "1", link: target });

async function imageOf(
  store: Store,
  layers: readonly (readonly Member[])[],
  annotations?: Record<string, string>,
): Promise<Image> {
  const blobs = [];
  for (const members of layers) {
    const tar = tarOf(...members);
    blobs.push({ blob: await store.blobs.put(tar, { mediaType: mediaTypes.ociLayer }), diffId: digestOf(tar) });
  }
  const config = { os: "linux", architecture: "amd64", config: {}, history: layers.map(() => ({ created_by: "x" })) };
  return writeImage(store.blobs, { config, layers: blobs, ...(annotations ? { annotations } : {}) });
}

const base = [[file("lib/a", "old")]];
const own = (...members: Member[]) => [...base, members];

const rows: readonly (readonly [title: string, next: readonly Member[], own: readonly Member[], fits: boolean])[] = [
  ["a link to a file that the new base has, too, fits", [file("lib/a", "new")], [link("b", "lib/a")], true],
  ["a link to a file that only the old base had does not", [file("lib/c")], [link("b", "lib/a")], false],
  ["a link within the image's own layers fits", [file("lib/c")], [file("d"), link("b", "d")], true],
  ["layers without links fit whatever the base has", [], [file("d")], true],
];
for (const [title, next, members, fits] of rows) {
  test(`rebase: ${title}`, async (t) => {
    const store = scratchStore(t);
    const [old, image, onto] = [
      await imageOf(store, base),
      await imageOf(store, own(...members)),
      await imageOf(store, [next]),
    ];
    const result = await writeImage(store.blobs, rebaseImage(image, { old, base: onto, created, command: "rebase" }));
    const check = checkRebased(store, { image, old, result, force: false }, signal);
    if (fits) await t.notThrowsAsync(check);
    else await t.throwsAsync(check, { code: "IMG_REBASE", message: /"b" is a hard link to nothing/ });
  });
}

const [nameKey, digestKey] = ["org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"];

test("the old base: as named, else by the annotations' digest, which does not move, else by their name", async (t) => {
  const store = scratchStore(t);
  const old = await imageOf(store, base);
  const asked: string[] = [];
  const find: Find = async (text) => {
    asked.push(text);
    return old;
  };
  const digest = old.descriptor.digest;
  const annotated = await imageOf(store, own(), { [nameKey]: "localhost:5000/base:1", [digestKey]: digest });
  t.deepEqual(await oldBaseOf(store, annotated, undefined, find), { old, name: "localhost:5000/base:1" });
  t.deepEqual(await oldBaseOf(store, annotated, "mine", find), { old, name: "mine" });
  await oldBaseOf(store, await imageOf(store, own(), { [nameKey]: "base:1" }), undefined, find);
  t.deepEqual(asked, [`localhost:5000/base@${digest}`, "mine", "base:1"]);
});

test("the old base: refused when nothing tells it, and when it is not below the image", async (t) => {
  const store = scratchStore(t);
  const image = await imageOf(store, own());
  const other = await imageOf(store, [[file("lib/a", "another")]]);
  await t.throwsAsync(
    oldBaseOf(store, image, undefined, async () => other),
    { code: "IMG_NOT_BASE", message: /nothing says/ },
  );
  await t.throwsAsync(
    oldBaseOf(store, image, "other", async () => other),
    { code: "IMG_NOT_BASE", message: /other/ },
  );
  const larger = await imageOf(store, [...own(), [file("more")]]);
  await t.throwsAsync(
    oldBaseOf(store, image, "larger", async () => larger),
    { code: "IMG_NOT_BASE" },
  );
});

test("the old base of a Windows image is looked for in its version first", async (t) => {
  const store = scratchStore(t);
  const old = await imageOf(store, base);
  const plain = await imageOf(store, own());
  const image = { ...plain, config: { ...plain.config, os: "windows", "os.version": "10.0.20348.1" } };
  const asked: (string | undefined)[] = [];
  await oldBaseOf(store, image, "base", async (_, platform) => {
    asked.push(platform["os.version"]);
    if (asked.length === 1) throw new WbuildError("IMG_PLATFORM", "none of that version");
    return old;
  });
  t.deepEqual(asked, ["10.0.20348.1", undefined]);
});
