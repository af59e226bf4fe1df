/** Indexes of others, be they as they should or made to do harm. */
import test from "ava";
import { imagesIn, keepsOf } from "../../../../builder/image/stored/stored-image.ts";
import type { Descriptor } from "../../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../../layerfs/store/digest.ts";
import type { Store } from "../../../../layerfs/store/store.ts";
import { mediaTypes } from "../../../../registry/oci/image.ts";
import { makeImage } from "../../../doubles/images.ts";
import { scratchStore } from "../../../doubles/scratch.ts";

function putIndex({ blobs }: Store, manifests: readonly object[]): Promise<Descriptor> {
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  return blobs.put(Buffer.from(JSON.stringify(index)), { mediaType: mediaTypes.ociIndex });
}

const platform = (architecture: string) => ({ os: "linux", architecture });

test("images come in the index's order, with their platforms; one for two platforms stays two", async (t) => {
  const store = scratchStore(t);
  const image = await makeImage(store.blobs);
  const other = await makeImage(store.blobs, { architecture: "arm64" });
  const inner = await putIndex(store, [{ ...other, platform: platform("arm64") }]);
  const index = await putIndex(store, [
    { ...image, platform: platform("s390x") },
    inner,
    { ...image, platform: platform("amd64") },
    image,
    { ...image, platform: { os: "unknown", architecture: "unknown" } },
    { ...image, digest: digestOf("absent") },
    { ...image, mediaType: "text/plain" },
  ]);
  t.deepEqual(
    (await imagesIn(store, index)).map((one) => one.platform?.architecture),
    ["s390x", "arm64", "amd64", "amd64"],
  );
  const keeps = await keepsOf(store, index);
  for (const { digest } of [index, inner, image, other]) t.true(keeps.includes(digest));
  t.is(new Set(keeps).size, keeps.length);
});

test("an index that names another thousands of times, which does the same, is read once", async (t) => {
  const store = scratchStore(t);
  const image = await makeImage(store.blobs);
  const many = (descriptor: Descriptor) =>
    putIndex(
      store,
      Array.from({ length: 5000 }, (_, i) => ({ ...descriptor, platform: platform(`cpu${i}`) })),
    );
  const tower = await many(await many(await many(image)));
  t.is((await imagesIn(store, tower)).length, 5000);
  t.is((await keepsOf(store, tower)).length, 6);
});

test("a tower of indexes is refused, and none is kept for it beyond its third floor", async (t) => {
  const store = scratchStore(t);
  let top = await makeImage(store.blobs);
  for (let i = 0; i < 5; i++) top = await putIndex(store, [top]);
  await t.throwsAsync(imagesIn(store, top), { code: "REG_MANIFEST" });
  t.is((await keepsOf(store, top)).length, 4);
});
