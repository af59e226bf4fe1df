/** A registry, or whoever may push to it, lays other things beside the good signature; and signatures that are replayed. */
import { generateKeyPairSync } from "node:crypto";
import test from "ava";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { digestOf, hexOf } from "../../../layerfs/store/digest.ts";
import { isWbuildError } from "../../../native/error.ts";
import { openRegistry } from "../../../registry/client.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";
import { parseReference } from "../../../registry/reference.ts";
import { referrersTag } from "../../../registry/referrers.ts";
import type { Repository } from "../../../registry/repository.ts";
import { attachBundle, preAuthEncoding, writeBundle } from "../../../registry/sign/bundle.ts";
import { signPredicate, simpleSigningType, statementMediaType } from "../../../registry/sign/claim.ts";
import { signImage } from "../../../registry/sign/sign-image.ts";
import { signBytes } from "../../../registry/sign/signature.ts";
import { addToSignatureTag, claimMediaType, signatureTag } from "../../../registry/sign/signature-tag.ts";
import { verifyImage } from "../../../registry/sign/verify-image.ts";
import { startSpecRegistry } from "../../doubles/spec-registry.ts";

const { privateKey: key, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const trust = { key: publicKey };

/** Repositories of a registry in memory that may be changed behind the protocol's back; each with an image in it. */
async function scene(t: { teardown(end: () => unknown): void }) {
  const registry = await startSpecRegistry();
  t.teardown(() => registry[Symbol.asyncDispose]());
  const client = openRegistry({
    userAgent: "wbuild-test",
    warn() {},
    credentials: { find: async () => undefined },
    retry: { attempts: 1 },
  });
  t.teardown(() => client.close());
  const repository = client.repository(parseReference(`${registry.host}/signed`));
  const image = await repository.pushManifest(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] })),
    mediaTypes.ociIndex,
    "1",
  );
  return { registry, repository, image };
}

/** The list of what refers to the image, as clients keep it. */
async function addToList(repository: Repository, image: Descriptor, entry: Descriptor): Promise<void> {
  const tag = referrersTag(image.digest);
  const { bytes } = await repository.manifest(tag);
  const list = JSON.parse(Buffer.from(bytes).toString()) as { manifests: Descriptor[] };
  list.manifests.unshift(entry);
  await repository.pushManifest(Buffer.from(JSON.stringify(list)), mediaTypes.ociIndex, tag);
}

const cosignType = "application/vnd.dev.cosign.artifact.sig.v1+json";
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
const gone = { mediaType: mediaTypes.ociManifest, digest: digestOf("gone"), size: 4 };

for (const form of ["referrer", "bundle"] as const)
  test(`${form}: what the list of referrers names and nobody has does not hide a good signature`, async (t) => {
    const { repository, image } = await scene(t);
    await signImage(repository, image, { key, asBundle: form === "bundle", asReferrer: form === "referrer" });
    for (const artifactType of [cosignType, bundleType]) await addToList(repository, image, { ...gone, artifactType });
    t.is((await verifyImage(repository, image.digest, { trust })).length, 1);
  });

test("a list that gives a bundle the type of its configuration, as cosign 3 writes it, is looked through", async (t) => {
  const { repository, image } = await scene(t);
  await signImage(repository, image, { key, asBundle: true });
  const manifests = (await repository.referrers(image.digest)).map(({ mediaType, digest, size }) => {
    return { mediaType, digest, size, artifactType: "application/vnd.oci.empty.v1+json" };
  });
  const list = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  await repository.pushManifest(list, mediaTypes.ociIndex, referrersTag(image.digest));
  t.is((await verifyImage(repository, image.digest, { trust })).length, 1);
});

const part = { mediaType: mediaTypes.ociManifest, digest: digestOf("part"), size: 4 };
for (const content of [
  { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [part] },
  { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: part, layers: [part] },
])
  test(`under the tag of the list about it is the image itself (${content.mediaType}), as cosign copy has it`, async (t) => {
    const { repository } = await scene(t);
    const bytes = Buffer.from(JSON.stringify(content));
    const image = await repository.pushManifest(bytes, content.mediaType, referrersTag(digestOf(bytes)));
    t.deepEqual(await repository.referrers(image.digest), []);
    await signImage(repository, image, { key });
    t.is((await verifyImage(repository, image.digest, { trust })).length, 1);
    await signImage(repository, image, { key, asBundle: true });
    t.is((await verifyImage(repository, image.digest, { trust })).length, 2);
  });

for (const asBundle of [false, true])
  test(`rubbish under the other tag does not hide a good ${asBundle ? "bundle" : "signature under a tag"}`, async (t) => {
    const { repository, image } = await scene(t);
    await signImage(repository, image, { key, asBundle });
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], annotations: { rub: "bish" } };
    const layer = { mediaType: "x/y", digest: digestOf("x"), size: 1 };
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: layer, layers: [layer] };
    // An index is no list of claims, an image no list of referrers.
    const [rubbish, tag] = asBundle ? [index, signatureTag(image.digest)] : [manifest, referrersTag(image.digest)];
    await repository.pushManifest(Buffer.from(JSON.stringify(rubbish)), rubbish.mediaType, tag);
    t.is((await verifyImage(repository, image.digest, { trust })).length, 1);
    const stranger = generateKeyPairSync("ed25519").publicKey;
    const error = await t.throwsAsync(verifyImage(repository, image.digest, { trust: { key: stranger } }));
    t.regex(
      String(error),
      /none of the 2 signatures .* holds: .*(?:something else than signatures|no list of referrers)/,
    );
  });

test("only what is gone: the image is not called unsigned, and not verified", async (t) => {
  const { repository, image } = await scene(t);
  await signImage(repository, image, { key, asReferrer: true });
  const [{ digest } = gone] = await repository.referrers(image.digest);
  await addToList(repository, image, { ...gone, artifactType: cosignType });
  const stranger = generateKeyPairSync("ed25519").publicKey;
  const error = await t.throwsAsync(verifyImage(repository, image.digest, { trust: { key: stranger } }));
  t.true(isWbuildError(error, "REG_SIGNATURE"));
  t.regex(String(error), /none of the 2 signatures .* holds: .*HTTP 404.*; it was not made with this key/);
  t.not(digest, gone.digest);
});

test("a claim whose bytes are gone, changed, too large or without a signature does not hide a good one", async (t) => {
  const { registry, repository, image } = await scene(t);
  const texts = ["lost", "changed", "good"];
  for (const by of texts) await signImage(repository, image, { key, annotations: { by } });
  const { bytes } = await repository.manifest(signatureTag(image.digest));
  const manifest = JSON.parse(Buffer.from(bytes).toString()) as { layers: Descriptor[] };
  const [lost, changed, good] = manifest.layers as [Descriptor, Descriptor, Descriptor];
  registry.blobs.delete(lost.digest);
  registry.blobs.set(changed.digest, Buffer.alloc(changed.size, "x"));
  const { annotations: _, ...bare } = good;
  manifest.layers.push(bare, { ...good, digest: digestOf("large"), size: 1024 ** 4 });
  const text = Buffer.from(JSON.stringify(manifest));
  await repository.pushManifest(text, mediaTypes.ociManifest, signatureTag(image.digest));
  const verified = await verifyImage(repository, image.digest, { trust });
  t.deepEqual(
    verified.map(({ claim }) => claim.annotations),
    [{ by: "good" }],
  );
});

test("a good signature of one image, copied with its manifest beside another, holds nowhere", async (t) => {
  const { repository, image } = await scene(t);
  const other = await repository.pushManifest(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], annotations: {} })),
    mediaTypes.ociIndex,
    "2",
  );
  await signImage(repository, image, { key });
  await signImage(repository, image, { key, asBundle: true });
  const { bytes } = await repository.manifest(signatureTag(image.digest));
  await repository.pushManifest(bytes, mediaTypes.ociManifest, signatureTag(other.digest));
  const [bundle] = await repository.referrers(image.digest);
  const list = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [bundle] };
  const tag = referrersTag(other.digest);
  await repository.pushManifest(Buffer.from(JSON.stringify(list)), mediaTypes.ociIndex, tag);
  t.is((await verifyImage(repository, image.digest, { trust })).length, 2);
  const error = await t.throwsAsync(verifyImage(repository, other.digest, { trust }));
  t.true(isWbuildError(error, "REG_SIGNATURE"));
  t.regex(String(error), /none of the 2 signatures .* holds: it was made for sha256:/);
});

/** What a key that we trust may have signed, although no signer of images writes it. */
const claims: [what: string, claim: (digest: string) => string, holds: boolean][] = [
  ["says the digest twice, ours last", (digest) => twice(digestOf("x"), digest), true],
  ["says the digest twice, ours first", (digest) => twice(digest, digestOf("x")), false],
  ["names a digest of another algorithm", () => claimOf(`sha512:${"0".repeat(128)}`), false],
  ["has the digest in capitals", (digest) => claimOf(digest.toUpperCase().replace("SHA256", "sha256")), false],
  ["has the digest in a list", (digest) => claimOf([digest]), false],
  ["has another type", (digest) => claimOf(digest).replace(simpleSigningType, "atomic container signature"), false],
  ["has its members in capitals", (digest) => claimOf(digest).replace('"critical"', '"Critical"'), false],
];
const claimOf = (digest: unknown) =>
  JSON.stringify({
    critical: {
      identity: { "docker-reference": "r" },
      image: { "docker-manifest-digest": digest },
      type: simpleSigningType,
    },
    optional: null,
  });
const twice = (first: string, second: string) =>
  claimOf(first).replace(`"${first}"`, `"${first}","docker-manifest-digest":"${second}"`);
for (const [what, write, holds] of claims)
  test(`a claim that ${what} ${holds ? "holds" : "does not hold"}`, async (t) => {
    const { repository, image } = await scene(t);
    const claim = Buffer.from(write(image.digest));
    await addToSignatureTag(repository, image.digest, { claim, signature: signBytes(key, claim) });
    const verify = () => verifyImage(repository, image.digest, { trust });
    if (holds) t.is((await verify())[0]?.claim.digest, image.digest);
    else t.true(isWbuildError(await t.throwsAsync(verify()), "REG_SIGNATURE"));
  });

test("a statement about two images, or with a digest of another algorithm alone, does not hold", async (t) => {
  const { repository, image } = await scene(t);
  const ours = { digest: { sha256: hexOf(image.digest) } };
  for (const subject of [
    [ours, { digest: { sha256: hexOf(digestOf("x")) } }],
    [{ digest: { sha512: "0".repeat(128) } }],
    [],
  ]) {
    const statement = Buffer.from(
      JSON.stringify({
        _type: "https://in-toto.io/Statement/v1",
        subject,
        predicateType: signPredicate,
        predicate: {},
      }),
    );
    const signature = signBytes(key, preAuthEncoding(statementMediaType, statement));
    await attachBundle(repository, image, await writeBundle({ statement, signature, hint: "" }));
  }
  const error = await t.throwsAsync(verifyImage(repository, image.digest, { trust }));
  t.regex(String(error), /none of the 3 signatures .* holds: what is signed is no claim about an image/);
});

test("a signature for the other form of a claim does not hold for this one", async (t) => {
  const { repository, image } = await scene(t);
  const claim = Buffer.from(claimOf(image.digest));
  // DSSE puts type and length in front; without them one document could be read as another.
  const signature = signBytes(key, preAuthEncoding(claimMediaType, claim));
  await addToSignatureTag(repository, image.digest, { claim, signature });
  const error = await t.throwsAsync(verifyImage(repository, image.digest, { trust }));
  t.regex(String(error), /it was not made with this key/);
});
