import test from "ava";
import { writeImage } from "../../../../builder/image/output/write-image.ts";
import {
  findImage,
  imageFields,
  listImages,
  matchImages,
  nameFor,
  removeImage,
  removeUntagged,
  shortName,
  tagImage,
  untaggedName,
} from "../../../../builder/image/stored/local.ts";
import type { Store } from "../../../../layerfs/store/store.ts";
import { scratchStore } from "../../../doubles/scratch.ts";

/** An image without layers whose author makes it different from the others. */
async function put(store: Store, author: string, ...names: string[]) {
  const config = { os: "linux", architecture: "amd64", author, created: "2020-01-01T00:00:00Z" };
  const image = await writeImage(store.blobs, { config, layers: [] });
  for (const name of names) store.refs.set(name, image.descriptor, image.keeps);
  return image;
}

test("finds an image by every form of its name, its ID and its digest", async (t) => {
  const store = scratchStore(t);
  const image = await put(store, "a", "docker.io/library/app:latest", "r.example.com/team/app:1");
  const id = image.manifest.config.digest;
  const forms = [
    "app",
    "app:latest",
    "docker.io/app",
    "library/app",
    "docker.io/library/app:latest",
    "r.example.com/team/app:1",
    `r.example.com/team/app@${image.descriptor.digest}`,
    id,
    id.slice(7),
    id.slice(7, 19),
    id.slice(7, 11),
    image.descriptor.digest,
  ];
  for (const form of forms) t.is((await findImage(store, form)).id, id, form);
});

test("says which name is near, and what is ambiguous", async (t) => {
  const store = scratchStore(t);
  await put(store, "a", "docker.io/library/web-server:latest");
  t.like(await t.throwsAsync(findImage(store, "web-sevrer")), {
    code: "IMG_NOT_FOUND",
    facts: { nearest: "web-server" },
  });
  t.like(await t.throwsAsync(findImage(store, "r.example.com/other@sha256:" + "0".repeat(64))), {
    code: "IMG_NOT_FOUND",
  });
  t.like(await t.throwsAsync(findImage(store, "Not A Name")), { code: "REG_REFERENCE" });
  // Among 17 images two IDs share a first digit, among 4097 four; here the digits are searched for.
  const starts = new Map<string, string>();
  for (let i = 0; i < 2000; i++) {
    const { manifest } = await put(store, String(i), `docker.io/library/i${i}:latest`);
    const start = manifest.config.digest.slice(7, 11);
    if (starts.has(start)) {
      t.like(await t.throwsAsync(findImage(store, start)), { code: "IMG_AMBIGUOUS" });
      return;
    }
    starts.set(start, String(i));
  }
  t.fail("no two of two thousand IDs begin alike");
});

test("tags, lists and matches", async (t) => {
  const store = scratchStore(t);
  const { descriptor } = await put(store, "a");
  store.refs.set(untaggedName(descriptor.digest), descriptor, [descriptor.digest]);
  t.like((await listImages(store))[0], { repository: "<none>", tag: "<none>", name: undefined });
  const unnamed = await findImage(store, descriptor.digest);
  t.is(tagImage(store, unnamed, "app"), "docker.io/library/app:latest");
  t.deepEqual(
    store.refs.list().map((ref) => ref.name),
    ["docker.io/library/app:latest"],
    "with a name it is unnamed no more",
  );
  tagImage(store, unnamed, "r.example.com:5000/team/app:1.2");
  const all = await listImages(store);
  t.deepEqual(
    all.map(({ repository, tag }) => `${repository} ${tag}`),
    ["app latest", "r.example.com:5000/team/app 1.2"],
  );
  const rows: [pattern: string | undefined, count: number][] = [
    [undefined, 2],
    ["app", 1],
    ["app:latest", 1],
    ["app:2", 0],
    ["*app", 2],
    ["*/team/*", 1],
    ["r.example.com:5000/team/app", 1],
    ["rxexample*", 0],
  ];
  for (const [pattern, count] of rows) t.is(matchImages(all, pattern).length, count, pattern);
  t.like(imageFields(all[0]!, { isFull: false, now: Date.parse("2020-01-03T00:00:00Z") }), {
    Repository: "app",
    Tag: "latest",
    CreatedSince: "2 days ago",
  });
});

test("removes a name, by ID all names only when forced, and says when the image is gone", async (t) => {
  const store = scratchStore(t);
  const { manifest } = await put(
    store,
    "a",
    "docker.io/library/app:1",
    "docker.io/library/app:2",
    "docker.io/library/x:y",
  );
  t.deepEqual(await removeImage(store, "app:1", false), { untagged: ["app:1"], deleted: undefined });
  const id = manifest.config.digest;
  t.like(await t.throwsAsync(removeImage(store, id.slice(7, 19), false)), { code: "IMG_SEVERAL_NAMES" });
  t.deepEqual(await removeImage(store, id.slice(7, 19), true), { untagged: ["app:2", "x:y"], deleted: id });
  t.deepEqual(store.refs.list(), []);
});

test("a name that looks like an ID is a name first", async (t) => {
  const store = scratchStore(t);
  await put(store, "a", "docker.io/library/cafe:latest", "docker.io/library/other:latest");
  t.deepEqual((await removeImage(store, "cafe", false)).untagged, ["cafe:latest"]);
});

test("unnamed images go by age, named ones never", async (t) => {
  const store = scratchStore(t);
  const { descriptor, keeps } = await put(store, "a", "docker.io/library/app:1");
  store.refs.set(untaggedName(descriptor.digest), descriptor, keeps);
  t.is(removeUntagged(store, Date.now() - 60_000), 0);
  t.is(removeUntagged(store, undefined), 1);
  t.is(store.refs.list().length, 1);
});

test("names that nobody can give", (t) => {
  t.is(nameFor("app"), "docker.io/library/app:latest");
  t.throws(() => nameFor(`app@sha256:${"0".repeat(64)}`), { message: /digest is no tag/ });
  t.is(shortName("docker.io/library/app:1"), "app:1");
  t.is(shortName(untaggedName(`sha256:${"0".repeat(64)}`)), undefined);
});
