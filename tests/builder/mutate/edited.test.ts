import test, { type ExecutionContext } from "ava";
import { type NewImage, writeImage } from "../../../builder/image/output/write-image.ts";
import { findImage, untaggedName } from "../../../builder/image/stored/local.ts";
import { editImages, fullHistory, nameResult } from "../../../builder/mutate/edited.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";
import { scratchStore } from "../../doubles/scratch.ts";

async function changed(t: ExecutionContext, types: "oci" | "docker", change: (image: NewImage) => NewImage) {
  const store = scratchStore(t);
  const bytes = Buffer.from("no tar, and nobody reads it");
  const layer = { blob: await store.blobs.put(bytes, { mediaType: mediaTypes.ociLayerGzip }), diffId: digestOf(bytes) };
  const image: NewImage = { config: { os: "linux", architecture: "amd64" }, layers: [layer] };
  const { descriptor, keeps } = await writeImage(store.blobs, image, types);
  store.refs.set("docker.io/library/a:latest", descriptor, keeps);
  const edited = await editImages(store, await findImage(store, "a"), async () => change(image));
  return { store, edited };
}

const zstd = ({ layers, ...image }: NewImage): NewImage => ({
  ...image,
  layers: layers.map(({ blob, diffId }) => ({ diffId, blob: { ...blob, mediaType: mediaTypes.ociLayerZstd } })),
});
const rows: readonly (readonly [
  "oci" | "docker",
  string,
  (image: NewImage) => NewImage,
  manifest: string,
  layer: string,
])[] = [
  ["oci", "stay OCI's", (image) => image, mediaTypes.ociManifest, mediaTypes.ociLayerGzip],
  ["docker", "stay Docker's", (image) => image, mediaTypes.dockerManifest, mediaTypes.dockerLayerGzip],
  [
    "docker",
    "become OCI's with annotations",
    (image) => ({ ...image, annotations: { a: "b" } }),
    mediaTypes.ociManifest,
    mediaTypes.ociLayerGzip,
  ],
  ["docker", "become OCI's with zstd", zstd, mediaTypes.ociManifest, mediaTypes.ociLayerZstd],
];
for (const [types, title, change, manifest, layer] of rows) {
  test(`${types} documents ${title}`, async (t) => {
    const { edited } = await changed(t, types, change);
    t.is(edited.descriptor.mediaType, manifest);
    t.deepEqual(
      edited.images[0]?.manifest.layers.map(({ mediaType }) => mediaType),
      [layer],
    );
  });
}

test("a result without a name is kept under its digest; a name that is none names nothing", async (t) => {
  const { store, edited } = await changed(t, "oci", (image) => ({ ...image, annotations: { a: "b" } }));
  t.throws(() => nameResult(store, edited, ["good", "Not A Name"]), { code: "REG_REFERENCE" });
  t.is(store.refs.get("docker.io/library/good:latest"), undefined);
  nameResult(store, edited, []);
  t.deepEqual(store.refs.get(untaggedName(edited.descriptor.digest))?.descriptor, edited.descriptor);
  t.is((await findImage(store, edited.id)).id, edited.id);
});

test("history has a line for each layer, those that are there first", (t) => {
  const diffIds = [digestOf(Buffer.from("1")), digestOf(Buffer.from("2"))];
  const rootfs = { type: "layers", diff_ids: diffIds } as const;
  const lines = [{ created_by: "a" }, { created_by: "b", empty_layer: true }];
  t.deepEqual(fullHistory({ rootfs, history: lines }), [...lines, { created_by: "a layer without history" }]);
});
