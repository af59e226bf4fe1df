import test from "ava";
import { writeImage } from "../../../../builder/image/output/write-image.ts";
import { findBaseOf } from "../../../../builder/image/stored/base-of.ts";
import { findImage } from "../../../../builder/image/stored/local.ts";
import { digestOf } from "../../../../layerfs/store/digest.ts";
import { openStore } from "../../../../layerfs/store/store.ts";
import { makeTempFolder } from "../../../layerfs/tree/files.ts";

const platform = { os: "linux", architecture: "amd64" };

/** Images as `name: layers | history`, one digit a layer, one letter a step; capitals make a layer. */
const cases: [name: string, images: string[], of: string, base: string | undefined][] = [
  ["the image it stands on", ["base: 1 | A", "app: 12 | AB"], "app", "base"],
  ["the nearest of several", ["base: 1 | A", "mid: 12 | AB", "app: 123 | ABC"], "app", "mid"],
  ["a base that differs by its config alone", ["base: 1 | A", "app: 1 | Ab"], "app", "base"],
  ["none for one of another history", ["other: 1 | X", "app: 12 | AB"], "app", undefined],
  ["none for one of other layers", ["other: 2 | A", "app: 12 | AB"], "app", undefined],
  ["not itself under another name", ["app: 12 | AB", "same: 12 | AB"], "app", undefined],
  ["not what stands on it", ["app: 1 | A", "child: 12 | AB"], "app", undefined],
];

for (const [name, images, of, expected] of cases) {
  test(`base of an image: ${name}`, async (t) => {
    using folder = makeTempFolder();
    using store = openStore(folder.path);
    for (const line of images) {
      const [title = "", layers = "", steps = ""] = line.split(/[:|]/).map((part) => part.trim());
      const image = await writeImage(store.blobs, {
        config: {
          ...platform,
          history: [...steps].map((step) => ({
            created_by: step,
            ...(/[a-z]/.test(step) ? { empty_layer: true } : {}),
          })),
        },
        layers: await Promise.all(
          [...layers].map(async (layer) => ({
            diffId: digestOf(layer),
            blob: await store.blobs.put(Buffer.from(layer), { mediaType: "application/vnd.oci.image.layer.v1.tar" }),
          })),
        ),
      });
      store.refs.set(`docker.io/library/${title}:latest`, image.descriptor, image.keeps);
    }
    t.is((await findBaseOf(store, await findImage(store, of)))?.name, expected);
  });
}
