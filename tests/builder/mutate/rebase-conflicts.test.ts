/** Which files of an image hide what a new base brings. */
import test from "ava";
import { writeImage } from "../../../builder/image/output/write-image.ts";
import { rebaseImage } from "../../../builder/mutate/rebase.ts";
import { findConflicts } from "../../../builder/mutate/rebase-conflicts.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { type Image, mediaTypes } from "../../../registry/oci/image.ts";
import { scratchStore } from "../../doubles/scratch.ts";
import { type Member, tarOf } from "../../layerfs/layer/workbench.ts";

const { signal } = new AbortController();
const created = "2023-11-14T22:13:20.000Z";

const file = (name: string, body = "x"): Member => ({ name, type: "0", body });
const folder = (name: string): Member => ({ name, type: "5" });
const symlink = (name: string, link: string): Member => ({ name, type: "2", link });
const gone = (path: string): Member =>
  file(
    path.replace(/[^/]*$/, (name) => `.wh.${name}`),
    "",
  );

async function imageOf(store: Store, layers: readonly (readonly Member[])[], os = "linux"): Promise<Image> {
  const blobs = [];
  for (const members of layers) {
    const tar = tarOf(...members);
    blobs.push({ blob: await store.blobs.put(tar, { mediaType: mediaTypes.ociLayer }), diffId: digestOf(tar) });
  }
  const config = { os, architecture: "amd64", config: {}, history: layers.map(() => ({ created_by: "x" })) };
  return writeImage(store.blobs, { config, layers: blobs });
}

const status = "var/lib/dpkg/status";
const rows: readonly (readonly [
  title: string,
  old: readonly Member[],
  next: readonly Member[],
  own: readonly Member[],
  found: readonly string[],
])[] = [
  [
    "a list that both brought in a version of their own",
    [file(status, "1")],
    [file(status, "one, two")],
    [folder("var/"), file(status, "1, mine")],
    [`changed replaced ${status}`],
  ],
  ["a file that the base leaves as it was", [file("a", "1")], [file("a", "1"), file("b")], [file("a", "mine")], []],
  ["a file that is the image's alone", [], [file("b")], [file("a")], []],
  ["a file that both changed to the same", [file("a", "1")], [file("a", "12")], [file("a", "12")], []],
  ["a file that the new base brings, too", [], [file("a", "theirs")], [file("a")], ["added replaced a"]],
  ["a file that the new base gave up", [file("a", "1")], [], [file("a", "mine")], ["removed replaced a"]],
  ["a deletion of what the new base changed", [file("a", "1")], [file("a", "22")], [gone("a")], ["changed deleted a"]],
  ["a deletion of what is as it was, or gone", [file("a"), file("b")], [file("a")], [gone("a"), gone("b")], []],
  [
    "a folder that was deleted with all in it",
    [file("d/a", "1"), file("d/b", "1")],
    [file("d/a", "22"), file("d/b", "1"), file("d/c")],
    [gone("d")],
    ["changed deleted d/a", "added deleted d/c"],
  ],
  [
    "a folder that was emptied",
    [file("d/a", "1")],
    [file("d/a", "22")],
    [folder("d/"), file("d/.wh..wh..opq", "")],
    ["changed deleted d/a"],
  ],
  [
    "a folder in place of what is a link by now",
    [folder("lib/"), file("lib/a")],
    [symlink("lib", "usr/lib"), file("usr/lib/a")],
    [folder("lib/"), file("lib/mine")],
    ["changed replaced lib"],
  ],
];
for (const [title, was, is, members, expected] of rows)
  test(`rebase: ${title}: ${expected.length === 0 ? "nothing is hidden" : expected.join(", ")}`, async (t) => {
    const store = scratchStore(t);
    const old = await imageOf(store, [[file("base", "old"), ...was]]);
    const image = await imageOf(store, [[file("base", "old"), ...was], members]);
    const base = await imageOf(store, [[file("base", "new one"), ...is]]);
    const result = await writeImage(store.blobs, rebaseImage(image, { old, base, created, command: "rebase" }));
    const found = await findConflicts(store, { image, old, result }, { mayRead: 1e6, signal });
    t.deepEqual(
      found?.map(({ path, base: by, image: own }) => `${by} ${own} ${path}`),
      expected as string[],
    );
  });

test("rebase: of Windows images names have no letter case, and the registry is not compared as files", async (t) => {
  const store = scratchStore(t);
  const layer = (text: string) => [file("Files/App/Config.ini", text), file("Hives/Software_Delta", text)];
  const own = [file("Files/app/CONFIG.INI", "mine"), file("Hives/Software_Delta", "mine")];
  const old = await imageOf(store, [layer("1")], "windows");
  const image = await imageOf(store, [layer("1"), own], "windows");
  const base = await imageOf(store, [layer("22")], "windows");
  const result = await writeImage(store.blobs, rebaseImage(image, { old, base, created, command: "rebase" }));
  const found = await findConflicts(store, { image, old, result }, { mayRead: 1e6, signal });
  t.deepEqual(found, [{ path: "Files/app/CONFIG.INI", base: "changed", image: "replaced" }]);
});

test("rebase: layers that are not here, or too large to be read for a look, are not judged", async (t) => {
  const store = scratchStore(t);
  const old = await imageOf(store, [[file("a", "1")]]);
  const image = await imageOf(store, [[file("a", "1")], [file("a", "mine")]]);
  const base = await imageOf(store, [[file("a", "22")]]);
  const result = await writeImage(store.blobs, rebaseImage(image, { old, base, created, command: "rebase" }));
  t.is(await findConflicts(store, { image, old, result }, { mayRead: 5000, signal }), undefined);
  t.is((await findConflicts(store, { image, old, result }, { mayRead: 50_000, signal }))?.length, 1);
});
