/** What cosign signs, verified by us: each generation, each form, registries with and without the referrers API. */
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { isWbuildError } from "../../../native/error.ts";
import { pushImage } from "../../../registry/push.ts";
import { parseReference } from "../../../registry/reference.ts";
import { writePrivateKey } from "../../../registry/sign/key-file.ts";
import { verifyImage } from "../../../registry/sign/verify-image.ts";
import { cosignFor, type Generation, generations } from "../../doubles/cosign.ts";
import { makeImage } from "../../doubles/images.ts";
import { MemoryBlobs } from "../../doubles/memory-blobs.ts";
import { testWithPeers } from "../../doubles/peers.ts";
import { type SpecRegistry, startSpecRegistry } from "../../doubles/spec-registry.ts";
import { imagesToSign } from "./to-sign.ts";

const testCosign = testWithPeers(...generations);
const key = generateKeyPairSync("ec", { namedCurve: "P-256" });
const keyFile = await writePrivateKey(key.privateKey, { password: "" });
const { registry, client } = imagesToSign();
let modern: SpecRegistry;
test.before(async () => {
  modern = await startSpecRegistry({ referrers: true });
});
test.after.always(() => modern?.[Symbol.asyncDispose]());
const registries = { "without the referrers API": () => registry.host, "with the referrers API": () => modern.host };

const unlogged = ["-y", "--tlog-upload=false"];
const older = [...unlogged, "--use-signing-config=false", "--new-bundle-format=false"];
const offline = ["-y", "--signing-config", "no-services.json"];
const ways: [title: string, generation: Generation, flags: readonly string[]][] = [
  ["under a tag", "cosign-2", unlogged],
  ["as a referrer", "cosign-2", [...unlogged, "--registry-referrers-mode", "oci-1-1"]],
  ["under a tag", "cosign", older],
  ["as a referrer", "cosign", [...older, "--registry-referrers-mode", "oci-1-1"]],
  ["as a bundle, its default", "cosign", offline],
];
const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;

/** An image whose name tells which test it is of. */
async function imageAt(host: string, name: string) {
  const blobs = new MemoryBlobs();
  const image = await makeImage(blobs, { layers: [{ name: "who", content: host + name }] });
  const reference = parseReference(`${host}/${name}:1`);
  await pushImage(client, image, reference, blobs);
  return { repository: client.repository(reference), image, place: `${host}/${name}@${image.digest}` };
}

for (const [where, hostOf] of Object.entries(registries)) {
  for (const [number, [title, generation, flags]] of ways.entries())
    testCosign(`${generation} signs ${title}, ${where}: verified for its key and its words`, async (t) => {
      const cosign = cosignFor(t);
      writeFileSync(join(cosign.folder, "our.key"), keyFile);
      const { repository, image, place } = await imageAt(hostOf(), `way/${number}`);
      const words = ["-a", "commit=4f2a", "-a", "by=ci"];
      const signed = await cosign.run(generation, ["sign", ...flags, ...words, "--key", "our.key", place]);
      t.is(signed.code, 0, signed.stderr);
      const verify = (annotations: Record<string, string>, by = key.publicKey) =>
        verifyImage(repository, image.digest, { trust: { key: by }, annotations });
      t.like(await verify({ commit: "4f2a" }), [{ claim: { annotations: { commit: "4f2a", by: "ci" } } }]);
      await t.throwsAsync(verify({ commit: "other" }), { message: /lacks the annotation "commit"/ });
      await t.throwsAsync(verify({}, stranger), { message: /none of the 1 signatures .* not made with this key/ });
    });

  for (const generation of ["cosign-2", "cosign"] as const)
    testCosign(`${generation}, ${where}: what is attested of an image is no signature of it`, async (t) => {
      const cosign = cosignFor(t);
      writeFileSync(join(cosign.folder, "our.key"), keyFile);
      writeFileSync(join(cosign.folder, "said.json"), "{}");
      const { repository, image, place } = await imageAt(hostOf(), `attested/${generation}`);
      const what = ["--type", "custom", "--predicate", "said.json", "--key", "our.key", place];
      const attested = await cosign.run(generation, ["attest", ...cosign.offline(generation), ...what]);
      t.is(attested.code, 0, attested.stderr);
      const error = await t.throwsAsync(verifyImage(repository, image.digest, { trust: { key: key.publicKey } }));
      t.true(isWbuildError(error, "REG_UNSIGNED"));
    });
}
