/** Layers that are somewhere else: how they come, and are unpacked while they come. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import test from "ava";
import { compress as zstd } from "zstd-napi";
import { LayerStack, type RemoteBlob, storedLayer } from "../../../builder/steps/stack.ts";
import type { Layer } from "../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { packedTar } from "../../doubles/packed-tar.ts";
import { type Home, makeHome } from "../../layerfs/store/home.ts";

/** A layer of these files, gzip. */
async function layerOf(files: Record<string, string | Buffer>) {
  const tar = await packedTar((pack) => {
    for (const [name, content] of Object.entries(files)) pack.entry({ name }, content);
  });
  const bytes = gzipSync(tar, { level: 1 });
  const blob = {
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    digest: digestOf(bytes),
    size: bytes.length,
  };
  return { tar, bytes, layer: { blob, diffId: digestOf(tar) } satisfies Layer };
}

/** Comes from `open`, as a transfer does. */
const remote = (store: Store, { blob }: Layer, open: (from: number) => AsyncIterable<Uint8Array>): RemoteBlob => ({
  fetch: async () => {
    await store.blobs.fetch?.(blob, open);
  },
});

async function* whole(bytes: Uint8Array, from: number) {
  yield bytes.subarray(from);
}

const temp = ({ path }: Home) => join(path, "store-v1/temp");

/** Whether a file of that name is in a folder that is being made. */
const isBeingMade = (home: Home, name: string) =>
  readdirSync(temp(home)).some((entry) => existsSync(join(temp(home), entry, "layer", name)));

function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

test("all layers of a stack come side by side, and are unpacked from the bottom up", async (t) => {
  using home = makeHome();
  const { store } = home;
  const { opened, open } = gate();
  const asked: number[] = [];
  let stack = LayerStack.of("linux");
  let below = stack;
  for (let i = 0; i < 3; i++) {
    const { bytes, layer } = await layerOf({ [`file-${i}`]: `${i}` });
    below = stack;
    stack = stack.with(
      storedLayer(
        store,
        stack,
        layer,
        remote(store, layer, async function* (from) {
          asked.push(i);
          if (asked.length === 3) open();
          // The lowest comes last.
          if (i === 0) await opened;
          yield* whole(bytes, from);
        }),
      ),
    );
  }
  const folders = await stack.folders();
  // What lies below is unpacked from the top down, and seen from the bottom up by everybody else.
  t.deepEqual(await below.folders(), folders.slice(0, 2));
  t.deepEqual(asked.toSorted(), [0, 1, 2]);
  t.deepEqual(
    folders.map((folder, i) => readFileSync(join(folder, `file-${i}`), "utf8")),
    ["0", "1", "2"],
  );
});

test("a layer is unpacked while it comes", async (t) => {
  using home = makeHome();
  const { store } = home;
  // More than what waits within the unpacker.
  const noise = randomBytes(3_000_000);
  const { bytes, layer } = await layerOf({ noise, late: "yes" });
  const transfer = remote(store, layer, async function* (from) {
    yield bytes.subarray(from, bytes.length / 2);
    while (!isBeingMade(home, "noise")) await setImmediate();
    t.is(await store.blobs.has(layer.blob.digest), undefined);
    yield bytes.subarray(bytes.length / 2);
  });
  const folder = await storedLayer(store, LayerStack.of("linux"), layer, transfer).folder();
  t.true(readFileSync(join(folder, "noise")).equals(noise));
  t.is(readFileSync(join(folder, "late"), "utf8"), "yes");
});

test("what comes counts only when it is the blob: nothing else is left unpacked", async (t) => {
  using home = makeHome();
  const { store } = home;
  const { layer } = await layerOf({ file: "right" });
  const { bytes: wrong } = await layerOf({ file: "wrong" });
  const padded = Buffer.concat([wrong, Buffer.alloc(layer.blob.size)]).subarray(0, layer.blob.size);
  const stored = storedLayer(
    store,
    LayerStack.of("linux"),
    layer,
    remote(store, layer, (from) => whole(padded, from)),
  );
  await t.throwsAsync(stored.folder(), { code: "STORE_DIGEST_MISMATCH" });
  t.is(store.snapshots.find(store.snapshots.chainId(undefined, layer.diffId)), undefined);
  t.deepEqual(readdirSync(temp(home)), []);
});

test("nothing is left of what unpacks to the right files, and is another blob", async (t) => {
  using home = makeHome();
  const { store } = home;
  const { bytes, layer } = await layerOf({ file: "x" });
  // Behind a member of gzip another one, of nothing: the tar is the same.
  const longer = Buffer.concat([bytes, gzipSync("")]);
  const claimed = { ...layer, blob: { ...layer.blob, digest: digestOf("another blob"), size: longer.length } };
  const stored = storedLayer(
    store,
    LayerStack.of("linux"),
    claimed,
    remote(store, claimed, (from) => whole(longer, from)),
  );
  await t.throwsAsync(stored.folder(), { code: "STORE_DIGEST_MISMATCH" });
  t.is(store.snapshots.find(store.snapshots.chainId(undefined, layer.diffId)), undefined);
  t.is(store.layers.byBlob(claimed.blob.digest), undefined);
  t.deepEqual(readdirSync(temp(home)), []);
});

const forms: [what: string, of: (tar: Buffer) => Promise<Buffer> | Buffer, isWhole: boolean][] = [
  ["two members of gzip", (tar) => Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]), true],
  ["gzip, and a member of nothing behind", (tar) => Buffer.concat([gzipSync(tar), gzipSync("")]), true],
  [
    "two frames of zstd",
    async (tar) => Buffer.concat([await zstd(tar.subarray(0, 700)), await zstd(tar.subarray(700))]),
    true,
  ],
  ["zstd, and words behind it", async (tar) => Buffer.concat([await zstd(tar), Buffer.from("words")]), false],
  ["a member of gzip, and what makes it another tar", (tar) => Buffer.concat([gzipSync(tar), gzipSync("more")]), false],
  ["half a member of gzip", (tar) => gzipSync(tar).subarray(0, -9), false],
];
for (const [what, of, isWhole] of forms)
  test(`the whole of a blob counts, however its compression is put together: ${what}`, async (t) => {
    using home = makeHome();
    const { store } = home;
    const { tar, layer } = await layerOf({ file: "x".repeat(2000) });
    const bytes = await of(tar);
    const made = { ...layer, blob: { ...layer.blob, digest: digestOf(bytes), size: bytes.length } };
    const stored = storedLayer(
      store,
      LayerStack.of("linux"),
      made,
      remote(store, made, (from) => whole(bytes, from)),
    );
    if (isWhole) t.is(readFileSync(join(await stored.folder(), "file"), "utf8").length, 2000);
    else t.regex(((await t.throwsAsync(stored.folder())) as NodeJS.ErrnoException).code ?? "", /^LAYER_/);
    t.is(store.snapshots.find(store.snapshots.chainId(undefined, layer.diffId)) !== undefined, isWhole);
  });

test("a layer that is not what the image says is told as that, also while it comes", async (t) => {
  using home = makeHome();
  const { store } = home;
  const { bytes, layer } = await layerOf({ file: "x" });
  const lie = { ...layer, diffId: digestOf("another tar") };
  const stored = storedLayer(
    store,
    LayerStack.of("linux"),
    lie,
    remote(store, lie, (from) => whole(bytes, from)),
  );
  await t.throwsAsync(stored.folder(), { code: "LAYER_DIFFID" });
  t.deepEqual(readdirSync(temp(home)), []);
});

test("a kept part that is wrong is fetched anew, and the layer is unpacked all the same", async (t) => {
  using home = makeHome();
  const { store } = home;
  const { bytes, layer } = await layerOf({ file: "x".repeat(1000), other: "y" });
  const broken = remote(store, layer, async function* () {
    yield Buffer.alloc(20);
    throw new Error("broken off");
  });
  await t.throwsAsync(storedLayer(store, LayerStack.of("linux"), layer, broken).folder(), { message: "broken off" });
  const asked: number[] = [];
  const sound = remote(store, layer, (from) => {
    asked.push(from);
    return whole(bytes, from);
  });
  const folder = await storedLayer(store, LayerStack.of("linux"), layer, sound).folder();
  t.deepEqual(asked, [20, 0]);
  t.is(readFileSync(join(folder, "other"), "utf8"), "y");
});

test("the first layer that cannot come is told, when nothing is at work any more", async (t) => {
  using home = makeHome();
  const { store } = home;
  const [bottom, top] = [await layerOf({ a: "1" }), await layerOf({ b: "2" })];
  let isAtWork = false;
  const lower = LayerStack.of("linux").with(
    storedLayer(
      store,
      LayerStack.of("linux"),
      bottom.layer,
      remote(store, bottom.layer, async function* (from) {
        isAtWork = true;
        await setImmediate();
        yield* whole(bottom.bytes, from);
      }),
    ),
  );
  const lost = remote(store, top.layer, async function* () {
    yield top.bytes.subarray(0, 10);
    throw new Error("gone");
  });
  const error = await t.throwsAsync(lower.with(storedLayer(store, lower, top.layer, lost)).folders());
  t.is(error?.message, "gone");
  t.true(isAtWork);
  t.truthy(store.snapshots.find(store.snapshots.chainId(undefined, bottom.layer.diffId)));
});
