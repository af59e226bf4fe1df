import test from "ava";
import {
  attestationsOf,
  imageSubjects,
  statementOf,
  writeAttestations,
} from "../../../builder/attest/attestation-manifest.ts";
import { attestationFields, readAttestations } from "../../../builder/attest/read-attestations.ts";
import { writeIndex } from "../../../builder/image/output/write-image.ts";
import { readManifest } from "../../../builder/image/stored/stored-image.ts";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { makeImage } from "../../doubles/images.ts";
import { scratchStore } from "../../doubles/scratch.ts";

const list = { predicateType: "https://spdx.dev/Document", predicate: { name: "x" }, filename: "" };
const how = { predicateType: "https://slsa.dev/provenance/v0.2", predicate: { buildType: "y" }, filename: "" };

test("statements are layers of a manifest that names its image; each is kept", async (t) => {
  const store = scratchStore(t);
  const image = await makeImage(store.blobs);
  const subjects = imageSubjects(image.digest, []);
  t.is(subjects[0]?.name, "_");
  const statements = [list, how].map((one) => statementOf(one, subjects));
  const { descriptor, keeps } = await writeAttestations(store.blobs, image, statements);
  const { config, layers } = await readManifest(store, descriptor);
  t.deepEqual([...keeps].sort(), [descriptor.digest, config.digest, ...layers.map(({ digest }) => digest)].sort());

  const index = await writeIndex(store.blobs, { manifests: [image, descriptor] });
  const found = await readAttestations(store, index, image);
  t.deepEqual(attestationFields(found), { SBOM: { SPDX: { name: "x" } }, Provenance: { SLSA: { buildType: "y" } } });
  // About another image nothing is said, and nothing by what is no attestation.
  t.deepEqual(await readAttestations(store, index, { ...image, digest: digestOf("other") }), []);
  t.deepEqual(await readAttestations(store, image, image), []);
  t.deepEqual(
    attestationsOf([{ ...descriptor, annotations: { "vnd.docker.reference.digest": image.digest } }], image.digest),
    [],
  );
});

test("as an OCI artifact the manifest points at its image", async (t) => {
  const store = scratchStore(t);
  const image = { ...(await makeImage(store.blobs)), platform: { os: "linux", architecture: "amd64" } };
  const statements = [statementOf(list, imageSubjects(image.digest, []))];
  const { descriptor } = await writeAttestations(store.blobs, image, statements, { ociArtifact: true });
  const artifactType = "application/vnd.docker.attestation.manifest.v1+json";
  const { mediaType, digest, size } = image;
  const manifest = await readManifest(store, descriptor);
  t.like(manifest, { artifactType, config: { mediaType: "application/vnd.oci.empty.v1+json", size: 2 } });
  t.deepEqual((manifest as unknown as { subject: object }).subject, { mediaType, digest, size });
  t.is(descriptor.artifactType, artifactType);
  const index = await writeIndex(store.blobs, { manifests: [image, descriptor] });
  t.is((await readAttestations(store, index, image)).length, 1);
});

for (const [what, text] of [
  ["no JSON", "x"],
  ["no statement", "{}"],
  ["a predicate that is none", '{"predicateType":"https://spdx.dev/Document","predicate":7}'],
] as const)
  test(`a foreign statement is refused: ${what}`, async (t) => {
    const store = scratchStore(t);
    const image = await makeImage(store.blobs);
    const layer = await store.blobs.put(Buffer.from(text), { mediaType: "application/vnd.in-toto+json" });
    const config = await store.blobs.put(Buffer.from("{}"), { mediaType: "application/vnd.oci.empty.v1+json" });
    const type = "application/vnd.oci.image.manifest.v1+json";
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type, config, layers: [layer] }));
    const annotations = {
      "vnd.docker.reference.type": "attestation-manifest",
      "vnd.docker.reference.digest": image.digest,
    };
    const descriptor = { ...(await store.blobs.put(manifest, { mediaType: type })), annotations };
    const index = await writeIndex(store.blobs, { manifests: [image, descriptor] });
    await t.throwsAsync(readAttestations(store, index, image), { code: "REG_MANIFEST" });
  });

/** An index about an image with such statements; gives both. */
async function stated(store: Store, layers: readonly Descriptor[], times = 1) {
  const image = await makeImage(store.blobs);
  const config = await store.blobs.put(Buffer.from("{}"), { mediaType: "application/vnd.oci.empty.v1+json" });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
  const annotations = {
    "vnd.docker.reference.type": "attestation-manifest",
    "vnd.docker.reference.digest": image.digest,
  };
  const descriptor = { ...(await store.blobs.put(manifest, { mediaType })), annotations };
  const index = await writeIndex(store.blobs, { manifests: [image, ...Array(times).fill(descriptor)] });
  return { image, index };
}

const inToto = { mediaType: "application/vnd.in-toto+json" };
const statement = (name: string) => Buffer.from(JSON.stringify({ predicateType: "a", predicate: { name } }));

test("a statement that is named thousands of times is read once", async (t) => {
  const store = scratchStore(t);
  const layer = await store.blobs.put(statement("x"), inToto);
  const { image, index } = await stated(store, Array(4000).fill(layer), 1000);
  t.is((await readAttestations(store, index, image)).length, 1);
});

test("a thousand statements are read, more are refused", async (t) => {
  const store = scratchStore(t);
  const layers: Descriptor[] = [];
  for (let i = 0; i < 1001; i++) layers.push(await store.blobs.put(statement(`x${i}`), inToto));
  const many = await stated(store, layers);
  await t.throwsAsync(readAttestations(store, many.index, many.image), { code: "REG_MANIFEST" });
  const few = await stated(store, layers.slice(1));
  t.is((await readAttestations(store, few.index, few.image)).length, 1000);
});

test("what is not here, has another size or another type is left out", async (t) => {
  const store = scratchStore(t);
  const layer = await store.blobs.put(statement("x"), inToto);
  const { image, index } = await stated(store, [
    { ...layer, digest: digestOf("absent") },
    { ...layer, size: layer.size + 1 },
    { ...layer, mediaType: "application/json" },
  ]);
  t.deepEqual(await readAttestations(store, index, image), []);
});
