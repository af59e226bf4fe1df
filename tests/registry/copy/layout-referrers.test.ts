/** What an OCI layout has that refers to an image: manifests and indexes, with a name and without, beside what is damaged. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { digestOf, hexOf } from "../../../layerfs/store/digest.ts";
import { layoutSource } from "../../../registry/copy/layout.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";

test("a layout's referrers are all whose subject the image is, and cosign's tags", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-layout-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const blobs = join(folder, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const entry = (content: object, mediaType: string, name?: string) => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, hexOf(digest)), bytes);
    const annotations = name === undefined ? {} : { annotations: { "org.opencontainers.image.ref.name": name } };
    return { mediaType, digest, size: bytes.length, ...annotations };
  };
  const config = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 };
  const manifest = (note: string, more: object = {}) => ({ config, layers: [], annotations: { note }, ...more });
  const image = entry(manifest("image"), mediaTypes.ociManifest, "app");
  const { annotations: _, ...subject } = image;
  const odd = "application/vnd.example.thing.v1+json";
  const about = {
    bare: entry(manifest("bare", { subject }), mediaTypes.ociManifest),
    named: entry(manifest("named", { subject }), mediaTypes.ociManifest, "a-name"),
    index: entry({ manifests: [], subject }, mediaTypes.ociIndex),
    odd: entry({ subject }, odd),
    tagged: entry(manifest("tagged"), mediaTypes.ociManifest, `sha256-${hexOf(image.digest)}.sig`),
  };
  const others = [
    entry(manifest("other", { subject: { ...subject, digest: digestOf("x") } }), mediaTypes.ociManifest),
    { mediaType: mediaTypes.ociManifest, digest: digestOf("lost"), size: 4 },
    { mediaType: mediaTypes.ociManifest, digest: digestOf("large"), size: 1024 ** 4 },
  ];
  const index = { schemaVersion: 2, manifests: [...others, image, ...Object.values(about)] };
  writeFileSync(join(folder, "index.json"), JSON.stringify(index));
  const found = await (await layoutSource(folder, "app")).referrers?.(image.digest);
  t.deepEqual(
    found?.map(({ descriptor, tag }) => [descriptor.digest, tag]),
    Object.values(about).map(({ digest, annotations }) => [
      digest,
      digest === about.tagged.digest ? annotations?.["org.opencontainers.image.ref.name"] : undefined,
    ]) as never,
  );
});
