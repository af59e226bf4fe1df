/** What an OCI layout has that refers to an image: manifests and indexes, with a name and without, beside what is damaged. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { digestOf, hexOf } from "../../../layerfs/store/digest.ts";
import { layoutSource } from "../../../registry/copy/layout.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";

/** A folder for a layout, and what writes a manifest into it and describes it as index.json does. */
function layoutFor(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-layout-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const blobs = join(folder, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const annotated = (content: object, mediaType: string, annotations: Record<string, string>): Descriptor => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, hexOf(digest)), bytes);
    return { mediaType, digest, size: bytes.length, annotations };
  };
  return {
    folder,
    annotated,
    entry(content: object, mediaType: string, name?: string): Descriptor {
      const { annotations: _, ...bare } = annotated(content, mediaType, {});
      return name === undefined ? bare : { ...bare, annotations: { "org.opencontainers.image.ref.name": name } };
    },
    write(manifests: readonly Descriptor[]): void {
      writeFileSync(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
    },
  };
}

test("a layout's referrers are all whose subject the image is, and cosign's tags", async (t) => {
  const { folder, entry, write } = layoutFor(t);
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
  write([...others, image, ...Object.values(about)]);
  const found = await (await layoutSource(folder, "app")).referrers?.(image.digest);
  t.deepEqual(
    found?.map(({ descriptor, tag }) => [descriptor.digest, tag]),
    Object.values(about).map(({ digest, annotations }) => [
      digest,
      digest === about.tagged.digest ? annotations?.["org.opencontainers.image.ref.name"] : undefined,
    ]) as never,
  );
});

test("what `cosign save` wrote is one image, and its signatures and attestations have cosign's tags", async (t) => {
  const { folder, annotated, write } = layoutFor(t);
  const config = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 };
  const saved = (kind: string) =>
    annotated({ config, layers: [], annotations: { kind } }, mediaTypes.ociManifest, {
      kind: `dev.cosignproject.cosign/${kind}`,
    });
  const [image, sigs, atts] = [saved("image"), saved("sigs"), saved("atts")];
  write([sigs, image, atts]);
  const source = await layoutSource(folder);
  t.is((await source.named()).descriptor.digest, image.digest);
  const tag = `sha256-${hexOf(image.digest)}`;
  t.deepEqual(
    (await source.referrers?.(image.digest))?.map(({ descriptor, tag }) => [descriptor.digest, tag]) as unknown,
    [
      [sigs.digest, `${tag}.sig`],
      [atts.digest, `${tag}.att`],
    ],
  );
  t.deepEqual(await source.referrers?.(sigs.digest), []);
  // Whose they are nobody can tell among two.
  write([sigs, image, atts, saved("imageIndex")]);
  t.deepEqual(await (await layoutSource(folder, image.digest)).referrers?.(image.digest), []);
});
