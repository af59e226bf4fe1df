/** What we sign, judged by cosign itself: keys, forms, annotations, indexes, copies, and cosign's other commands. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { copyImage } from "../../../registry/copy/copy.ts";
import { layoutSource } from "../../../registry/copy/layout.ts";
import { remoteSource, remoteTarget } from "../../../registry/copy/remote.ts";
import { parseIndex } from "../../../registry/oci/schema.ts";
import { parseReference } from "../../../registry/reference.ts";
import { makeKeyPair, readPrivateKey, readPublicKey } from "../../../registry/sign/key-file.ts";
import { type SignOptions, signImage, withChildren } from "../../../registry/sign/sign-image.ts";
import { signatureTag } from "../../../registry/sign/signature-tag.ts";
import { verifyImage } from "../../../registry/sign/verify-image.ts";
import { cosignFor, type Generation, generations } from "../../doubles/cosign.ts";
import { testWithPeers } from "../../doubles/peers.ts";
import { imagesToSign } from "./to-sign.ts";

const testCosign = testWithPeers(...generations);
const { registry, client, pushed } = imagesToSign();
const ec = () => generateKeyPairSync("ec", { namedCurve: "P-256" });

/** How each generation is asked for a form, if it knows it. */
const forms: Record<string, { options: Partial<SignOptions>; asked: Partial<Record<Generation, readonly string[]>> }> =
  {
    "under a tag": { options: {}, asked: { "cosign-2": [], cosign: [] } },
    "as referrers": {
      options: { asReferrer: true },
      asked: {
        "cosign-2": ["--experimental-oci11=true"],
        cosign: ["--experimental-oci11=true", "--new-bundle-format=false"],
      },
    },
    "as bundles": { options: { asBundle: true }, asked: { cosign: [] } },
  };
const kinds: Record<string, { privateKey: KeyObject; publicKey: KeyObject }> = {
  "P-256": ec(),
  "P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }),
  "P-521": generateKeyPairSync("ec", { namedCurve: "P-521" }),
  RSA: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  Ed25519: generateKeyPairSync("ed25519"),
};
for (const [form, { options, asked }] of Object.entries(forms))
  testCosign(`${form}: cosign takes what keys of every kind sign, for annotations that are there`, async (t) => {
    const cosign = cosignFor(t);
    for (const [kind, { privateKey: key, publicKey }] of Object.entries(kinds)) {
      const name = `${form.replaceAll(" ", "-")}/${kind.toLowerCase()}`;
      const [repository, image] = await pushed(name);
      await signImage(repository, image, { key, annotations: { commit: "4f2a" }, ...options });
      for (const [generation, flags] of Object.entries(asked) as [Generation, readonly string[]][]) {
        const verify = (annotation: string) =>
          cosign.verify(generation, `${registry.host}/${name}:1`, publicKey, ...flags, "-a", annotation);
        t.is(await verify("commit=4f2a"), "taken", `${kind}, ${generation}`);
        if (kind === "P-256") t.not(await verify("commit=other"), "taken");
      }
    }
  });

testCosign("an index is taken by its tag, and with --recursive each image in it by its digest", async (t) => {
  const cosign = cosignFor(t);
  const { privateKey: key, publicKey } = ec();
  for (const asBundle of [false, true]) {
    const name = `index/${asBundle}`;
    const [repository, index] = await pushed(name, ["amd64", "arm64"]);
    for (const subject of await withChildren(repository, index))
      await signImage(repository, subject, { key, asBundle });
    const { bytes, mediaType } = await repository.manifest(index);
    const places = [":1", ...parseIndex(bytes, mediaType).manifests.map(({ digest }) => `@${digest}`)];
    for (const place of places)
      for (const generation of asBundle ? (["cosign"] as const) : generations)
        t.is(await cosign.verify(generation, `${registry.host}/${name}${place}`, publicKey), "taken", place);
  }
});

testCosign("of several signatures, each is found by its key", async (t) => {
  const cosign = cosignFor(t);
  for (const asBundle of [false, true]) {
    const name = `several/${asBundle}`;
    const [repository, image] = await pushed(name);
    const signers = [ec(), ec(), kinds.RSA ?? ec()];
    for (const { privateKey: key } of signers) await signImage(repository, image, { key, asBundle });
    for (const { publicKey } of signers)
      for (const generation of asBundle ? (["cosign"] as const) : generations)
        t.is(await cosign.verify(generation, `${registry.host}/${name}:1`, publicKey), "taken");
  }
});

testCosign("copied by us, both forms hold elsewhere; copied by cosign, all that it brings", async (t) => {
  const cosign = cosignFor(t);
  const { privateKey: key, publicKey } = ec();
  const [repository, image] = await pushed("copied/from");
  for (const asBundle of [false, true]) await signImage(repository, image, { key, asBundle });
  const from = parseReference(`${registry.host}/copied/from:1`);
  const ours = `${registry.host}/copied/ours:1`;
  const includeReferrers = true;
  await copyImage(remoteSource(client, from), remoteTarget(client, parseReference(ours)), { includeReferrers });
  for (const generation of generations) t.is(await cosign.verify(generation, ours, publicKey), "taken");
  for (const generation of generations) {
    const theirs = `${registry.host}/copied/${generation}:1`;
    const { code, stderr } = await cosign.run(generation, ["copy", `${registry.host}/copied/from:1`, theirs]);
    t.is(code, 0, stderr);
    const there = client.repository(parseReference(theirs));
    const verify = () => verifyImage(there, image.digest, { trust: { key: publicKey } });
    // Bundles stay behind, and the tag of the list about the image is the image.
    t.is((await verify()).length, 1, generation);
    await signImage(there, image, { key, asBundle: true });
    t.is((await verify()).length, 2, generation);
    t.is(await cosign.verify(generation, theirs, publicKey), "taken", generation);
  }
});

testCosign("cosign's other commands find our signatures", async (t) => {
  const cosign = cosignFor(t);
  const { privateKey: key, publicKey } = ec();
  const [repository, image] = await pushed("commands");
  for (const asBundle of [false, true]) await signImage(repository, image, { key, asBundle });
  const name = `${registry.host}/commands`;
  const say = async (generation: Generation, ...args: readonly string[]) => {
    const { code, stdout, stderr } = await cosign.run(generation, args);
    t.is(code, 0, `${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  t.is(await say("cosign-2", "triangulate", `${name}:1`), `${name}:${signatureTag(image.digest)}\n`);
  t.true((await say("cosign-2", "tree", `${name}:1`)).includes(signatureTag(image.digest)));
  t.regex(await say("cosign", "tree", `${name}:1`), /cosign\/sign\/v1 artifacts via OCI referrer/);
  t.is(JSON.parse(await say("cosign-2", "download", "signature", `${name}:1`)).Cert, null);
  t.truthy(JSON.parse(await say("cosign", "download", "signature", `${name}:1`)).dsseEnvelope);
  for (const generation of generations) {
    await say(generation, "save", "--dir", `saved-${generation}`, `${name}:1`);
    t.is(await cosign.verify(generation, `saved-${generation}`, publicKey, "--local-image"), "taken");
    const brought = `${registry.host}/commands/saved-by-${generation}:1`;
    const saved = await layoutSource(join(cosign.folder, `saved-${generation}`));
    await copyImage(saved, remoteTarget(client, parseReference(brought)), { includeReferrers: true });
    t.is(await cosign.verify(generation, brought, publicKey), "taken");
  }
  const loaded = `${registry.host}/commands/loaded`;
  await say("cosign-2", "load", "--dir", "saved-cosign-2", `${loaded}:1`);
  const there = client.repository(parseReference(loaded));
  t.is((await verifyImage(there, image.digest, { trust: { key: publicKey } })).length, 1);
  await say("cosign", "clean", "-f", "--type", "all", `${name}:1`);
  await t.throwsAsync(verifyImage(repository, image.digest, { trust: { key: publicKey } }), { code: "REG_UNSIGNED" });
});

for (const generation of generations)
  for (const password of ["", "between friends"])
    testCosign(`${generation}: key files go both ways, ${password ? "with" : "without"} a password`, async (t) => {
      const cosign = cosignFor(t);
      const at = (file: string) => join(cosign.folder, file);
      const name = `key-files/${generation}/${password ? "closed" : "open"}`;
      const [repository, image] = await pushed(name);
      await cosign.run(generation, ["generate-key-pair", "--output-key-prefix", "theirs"], password);
      const key = await readPrivateKey(await readFile(at("theirs.key")), async () => password);
      await signImage(repository, image, { key });
      const by = readPublicKey(await readFile(at("theirs.pub")));
      t.is(await cosign.verify(generation, `${registry.host}/${name}:1`, by), "taken");

      const ours = await makeKeyPair({ password });
      await writeFile(at("ours.key"), ours.privateKey);
      const reference = `${registry.host}/${name}@${image.digest}`;
      const signed = await cosign.run(
        generation,
        ["sign", ...cosign.offline(generation), "--key", "ours.key", reference],
        password,
      );
      t.is(signed.code, 0, signed.stderr);
      const trust = { key: readPublicKey(Buffer.from(ours.publicKey)) };
      t.is((await verifyImage(repository, image.digest, { trust })).length, 1);
    });
