/** Signing and verifying in both forms, and what must not be believed. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import test from "ava";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { isWbuildError } from "../../../native/error.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";
import { parseIndex, parseManifest } from "../../../registry/oci/schema.ts";
import type { Repository } from "../../../registry/repository.ts";
import { attachBundle, preAuthEncoding, writeBundle } from "../../../registry/sign/bundle.ts";
import { statementMediaType } from "../../../registry/sign/claim.ts";
import { type SignOptions, signImage, withChildren } from "../../../registry/sign/sign-image.ts";
import { signBytes } from "../../../registry/sign/signature.ts";
import { addToSignatureTag, signatureTag } from "../../../registry/sign/signature-tag.ts";
import { verifyImage } from "../../../registry/sign/verify-image.ts";
import { imagesToSign } from "./to-sign.ts";

const { pushed } = imagesToSign();

const ec = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const kinds: Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }> = {
  "P-256": ec,
  "P-384": () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
  RSA: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  Ed25519: () => generateKeyPairSync("ed25519"),
};

for (const asBundle of [false, true]) {
  const form = asBundle ? "bundle" : "tag";
  for (const [kind, make] of Object.entries(kinds))
    test(`${form}, ${kind}: verified with its key and annotations, by no other`, async (t) => {
      const [repository, image] = await pushed(`${form}/${kind.toLowerCase()}`);
      const { privateKey: key, publicKey } = make();
      const verify = (by: KeyObject, annotations = {}) =>
        verifyImage(repository, image.digest, { trust: { key: by }, annotations });
      const unsigned = await t.throwsAsync(verify(publicKey));
      t.true(isWbuildError(unsigned, "REG_UNSIGNED"));

      await signImage(repository, image, { key, asBundle, annotations: { commit: "4f2a", by: "ci" } });
      const [{ claim } = { claim: undefined }] = await verify(publicKey, { commit: "4f2a" });
      t.like(claim, { digest: image.digest, annotations: { commit: "4f2a", by: "ci" } });
      const mismatches: [by: KeyObject, annotations: object, message: RegExp][] = [
        [make().publicKey, {}, /none of the 1 signatures .* holds: it was not made with this key/],
        [publicKey, { commit: "other" }, /lacks the annotation "commit"/],
        [publicKey, { missing: "1" }, /lacks the annotation "missing"/],
        [publicKey, { constructor: "1" }, /lacks the annotation "constructor"/],
      ];
      for (const [by, annotations, message] of mismatches) {
        const error = await t.throwsAsync(verify(by, annotations), { message });
        t.true(isWbuildError(error, "REG_SIGNATURE"));
      }
    });

  test(`${form}: a statement about another image is refused, though its signature is good`, async (t) => {
    const [repository, image] = await pushed(`other/${form}`);
    const other = { ...image, digest: digestOf("another image") };
    const { privateKey: key, publicKey } = ec();
    if (asBundle) {
      const { writeStatement } = await import("../../../registry/sign/claim.ts");
      const statement = writeStatement(other.digest, {});
      const signature = signBytes(key, preAuthEncoding(statementMediaType, statement));
      await attachBundle(repository, image, await writeBundle({ statement, signature, hint: "" }));
    } else {
      const { writeSimpleSigning } = await import("../../../registry/sign/claim.ts");
      const claim = writeSimpleSigning("name", other.digest, {});
      await addToSignatureTag(repository, image.digest, { claim, signature: signBytes(key, claim) });
    }
    await t.throwsAsync(verifyImage(repository, image.digest, { trust: { key: publicKey } }), {
      message: /it was made for sha256:/,
    });
  });

  test(`${form}: --recursive signs the index and each image in it`, async (t) => {
    const [repository, index] = await pushed(`recursive/${form}`, ["amd64", "arm64"]);
    const { privateKey: key, publicKey } = ec();
    const subjects = await withChildren(repository, index);
    t.is(subjects.length, 3);
    for (const subject of subjects) await signImage(repository, subject, { key, asBundle });
    const { bytes, mediaType } = await repository.manifest(index);
    for (const { digest } of [index, ...parseIndex(bytes, mediaType).manifests])
      t.is((await verifyImage(repository, digest, { trust: { key: publicKey } })).length, 1);
  });
}

test("signed once more by the same key: nothing is added; by another key: beside it", async (t) => {
  const [repository, image] = await pushed("again");
  const [ann, bob] = [ec(), ec()];
  const sign = (options: SignOptions) => signImage(repository, image, options);
  t.false((await sign({ key: ann.privateKey })).wasThere);
  t.true((await sign({ key: ann.privateKey })).wasThere);
  t.false((await sign({ key: bob.privateKey })).wasThere);
  t.false((await sign({ key: ann.privateKey, annotations: { more: "1" } })).wasThere);
  const { bytes, mediaType } = await repository.manifest(signatureTag(image.digest));
  const { layers, config } = parseManifest(bytes, mediaType);
  t.is(layers.length, 3);
  t.is(config.mediaType, mediaTypes.ociConfig);
  t.is((await verifyImage(repository, image.digest, { trust: { key: ann.publicKey } })).length, 2);
  await sign({ key: ann.privateKey, asBundle: true });
  t.is((await verifyImage(repository, image.digest, { trust: { key: ann.publicKey } })).length, 3);
});

test("a signature that another signer overwrites at that moment is added once more", async (t) => {
  const [repository, image] = await pushed("together");
  const [ann, bob] = [ec(), ec()];
  await signImage(repository, image, { key: bob.privateKey });
  const tag = signatureTag(image.digest);
  const bobs = await repository.manifest(tag);
  let writes = 0;
  const shared: Repository = Object.create(repository, {
    pushManifest: {
      value: async (...given: Parameters<Repository["pushManifest"]>) => {
        const pushed = await repository.pushManifest(...given);
        // Bob had read the list before, and writes it now.
        if (++writes <= 2) await repository.pushManifest(bobs.bytes, bobs.mediaType, tag);
        return pushed;
      },
    },
    ...Object.fromEntries(
      (["manifest", "pushBlob", "blob", "referrers"] as const).map((name) => [
        name,
        { value: (repository[name] as (...given: unknown[]) => unknown).bind(repository) },
      ]),
    ),
  });
  await signImage(shared, image, { key: ann.privateKey });
  t.is(writes, 3);
  for (const { publicKey: key } of [ann, bob])
    t.is((await verifyImage(repository, image.digest, { trust: { key } })).length, 1);
});

test("signed bytes that are no claim, and signatures that are none, are told and passed over", async (t) => {
  const [repository, image] = await pushed("odd");
  const { privateKey: key, publicKey } = ec();
  const odd = ["{}", "null", "hello", JSON.stringify({ critical: { type: "x" } })].map((text) => Buffer.from(text));
  for (const claim of odd)
    await addToSignatureTag(repository, image.digest, { claim, signature: signBytes(key, claim) });
  const trust = { key: publicKey };
  await t.throwsAsync(verifyImage(repository, image.digest, { trust }), {
    message: /none of the 4 signatures .* holds: .*no claim about an image/,
  });
  const broken = { claim: Buffer.from("{}"), signature: Buffer.from("no signature") };
  await addToSignatureTag(repository, image.digest, broken);
  await attachBundle(repository, image, Buffer.from("{}"));
  await signImage(repository, image, { key });
  t.is((await verifyImage(repository, image.digest, { trust })).length, 1, "one good among seven");
});

test("a signature as a referrer has no tag, and is found beside the others", async (t) => {
  const [repository, image] = await pushed("referrer");
  const { privateKey: key, publicKey } = ec();
  const { place } = await signImage(repository, image, { key, asReferrer: true, annotations: { a: "b" } });
  t.false((await repository.tags()).includes(signatureTag(image.digest)));
  const verify = () => verifyImage(repository, image.digest, { trust: { key: publicKey } });
  t.like(await verify(), [{ claim: { annotations: { a: "b" } } }]);
  const { bytes } = await repository.manifest(place);
  t.like(JSON.parse(Buffer.from(bytes).toString()), {
    config: { mediaType: "application/vnd.dev.cosign.artifact.sig.v1+json" },
    subject: { digest: image.digest },
  });
  await signImage(repository, image, { key });
  await signImage(repository, image, { key, asBundle: true });
  t.is((await verify()).length, 3);
});

test("a bundle is stored as cosign stores it", async (t) => {
  const [repository, image] = await pushed("stored");
  const { privateKey: key } = ec();
  const { place } = await signImage(repository, image, { key, asBundle: true });
  const { bytes } = await repository.manifest(place);
  const manifest = JSON.parse(Buffer.from(bytes).toString());
  const type = "application/vnd.dev.sigstore.bundle.v0.3+json";
  t.like(manifest, {
    mediaType: mediaTypes.ociManifest,
    artifactType: type,
    config: { mediaType: "application/vnd.oci.empty.v1+json", size: 2 },
    subject: { digest: image.digest, size: image.size, mediaType: image.mediaType },
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
    },
  });
  const parts: Uint8Array[] = [];
  for await (const part of repository.blob(manifest.layers[0])) parts.push(part);
  const bundle = JSON.parse(Buffer.concat(parts).toString());
  t.is(bundle.mediaType, type);
  t.is(manifest.layers[0].mediaType, type);
  t.deepEqual(JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, "base64").toString()), {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ digest: { sha256: image.digest.slice(7) } }],
    predicateType: "https://sigstore.dev/cosign/sign/v1",
    predicate: {},
  });
  t.deepEqual(Object.keys(bundle.verificationMaterial).sort(), [
    "publicKey",
    "timestampVerificationData",
    "tlogEntries",
  ]);
});
