/** Signatures against skopeo, an independent reader and writer of the form that cosign keeps under a tag. */
import { execFile } from "node:child_process";
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { parseManifest } from "../../../registry/oci/schema.ts";
import { parseReference } from "../../../registry/reference.ts";
import type { Repository } from "../../../registry/repository.ts";
import { readPrivateKey, writePrivateKey } from "../../../registry/sign/key-file.ts";
import { signImage } from "../../../registry/sign/sign-image.ts";
import { signatureTag } from "../../../registry/sign/signature-tag.ts";
import { verifyImage } from "../../../registry/sign/verify-image.ts";
import { imagesToSign } from "./to-sign.ts";

const run = promisify(execFile);
const { registry, client, pushed } = imagesToSign();

interface Scene {
  readonly folder: string;
  readonly repository: string;
  readonly image: Descriptor;
  readonly remote: Repository;
}

/** An image in a repository of its own, and what skopeo needs to look for signatures there. */
async function scene(t: ExecutionContext, name: string): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-skopeo-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const repository = `${registry.host}/${name}`;
  const [remote, image] = await pushed(name);
  await mkdir(join(folder, "registries.d"));
  await writeFile(join(folder, "registries.d/all.yaml"), "default-docker:\n  use-sigstore-attachments: true\n");
  return { folder, repository, image, remote };
}

/** skopeo's copy to another place, under a policy for all that this registry has. */
async function skopeoCopy({ folder, repository }: Scene, target: string, rule: object) {
  const policy = { default: [{ type: "reject" }], transports: { docker: { [registry.host]: [rule] } } };
  await writeFile(join(folder, "policy.json"), JSON.stringify(policy));
  const places = ["--policy", join(folder, "policy.json"), "--registries.d", join(folder, "registries.d")];
  const flags = ["--src-tls-verify=false", "--dest-tls-verify=false"];
  return run("skopeo", [...places, "copy", ...flags, `docker://${repository}:1`, target]);
}

function ecKey(): { key: KeyObject; publicKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { key: privateKey, publicKey };
}

test("skopeo carries our signatures to another repository, and they hold there", async (t) => {
  const here = await scene(t, "carried");
  const [ann, bob] = [ecKey(), ecKey()];
  await signImage(here.remote, here.image, { key: ann.key, annotations: { commit: "4f2a" } });
  await signImage(here.remote, here.image, { key: bob.key });
  await skopeoCopy(here, `docker://${here.repository}-copy:1`, { type: "insecureAcceptAnything" });
  const remote = client.repository(parseReference(`${here.repository}-copy`));
  const verify = (key: KeyObject) => verifyImage(remote, here.image.digest, { trust: { key } });
  t.like(await verify(ann.publicKey), [{ claim: { reference: here.repository, annotations: { commit: "4f2a" } } }]);
  t.is((await verify(bob.publicKey)).length, 1);
  await t.throwsAsync(verify(ecKey().publicKey), { message: /none of the 2 signatures .* not made with this key/ });
  t.true((await remote.tags()).includes(signatureTag(here.image.digest)));
});

test("skopeo's policy takes an image that we signed, and no other", async (t) => {
  const here = await scene(t, "judged");
  const { key, publicKey } = ecKey();
  const judge = async ({ folder }: Scene, by: KeyObject) => {
    await writeFile(join(folder, "key.pub"), by.export({ type: "spki", format: "pem" }));
    const identity = { signedIdentity: { type: "matchRepository" } };
    const rule = { type: "sigstoreSigned", keyPath: join(folder, "key.pub"), ...identity };
    const target = `docker://${registry.host}/${basename(mkdtempSync(join(folder, "to-"))).toLowerCase()}:1`;
    return skopeoCopy(here, target, rule).then(
      () => "taken",
      (error: Error) => (/sigstore disabled/.test(error.message) ? "disabled" : "rejected"),
    );
  };
  const before = await judge(here, publicKey);
  await signImage(here.remote, here.image, { key });
  const after = await judge(here, publicKey);
  if (after === "disabled") {
    t.log("skipped: this skopeo was compiled without sigstore (Debian 12's is)");
    return t.pass();
  }
  t.deepEqual([before, after, await judge(here, ecKey().publicKey)], ["rejected", "taken", "rejected"]);
});

test("what skopeo signed with our key file is verified by us", async (t) => {
  const here = await scene(t, "theirs");
  const { key, publicKey } = ecKey();
  // Older releases of skopeo know the older label and the older cost alone.
  const file = await writePrivateKey(key, { password: "for tests", cost: 32_768 });
  writeFileSync(join(here.folder, "cosign.key"), file.replaceAll("ENCRYPTED SIGSTORE", "ENCRYPTED COSIGN"));
  writeFileSync(join(here.folder, "password"), "for tests\n");
  const target = `docker://${here.repository}-signed:1`;
  const sign = ["--sign-by-sigstore-private-key", join(here.folder, "cosign.key")];
  const password = ["--sign-passphrase-file", join(here.folder, "password")];
  try {
    const places = ["--insecure-policy", "--registries.d", join(here.folder, "registries.d")];
    const flags = ["--src-tls-verify=false", "--dest-tls-verify=false", ...sign, ...password];
    await run("skopeo", [...places, "copy", ...flags, `docker://${here.repository}:1`, target]);
  } catch (error) {
    if (!/sigstore disabled/.test(String(error))) throw error;
    t.log("skipped: this skopeo was compiled without sigstore (Debian 12's is)");
    return t.pass();
  }
  const remote = client.repository(parseReference(`${here.repository}-signed`));
  const { digest } = await remote.resolve("1");
  const verified = await verifyImage(remote, digest, { trust: { key: publicKey } });
  t.is(verified.length, 1);
  t.is(verified[0]?.claim.reference, `${here.repository}-signed:1`);
});

test("openssl verifies the signature over the claim, and reads a key that we wrote", async (t) => {
  const { folder, repository, image, remote } = await scene(t, "openssl");
  const file = await writePrivateKey(ecKey().key, { password: "", cost: 1024 });
  const key = await readPrivateKey(Buffer.from(file), async () => "");
  await signImage(remote, image, { key });
  const { bytes, mediaType } = await remote.manifest(signatureTag(image.digest));
  const [layer] = parseManifest(bytes, mediaType).layers;
  if (!layer) return t.fail();
  const parts: Uint8Array[] = [];
  for await (const part of remote.blob(layer)) parts.push(part);
  const at = (name: string) => join(folder, name);
  writeFileSync(at("claim"), Buffer.concat(parts));
  writeFileSync(
    at("signature"),
    Buffer.from(layer.annotations?.["dev.cosignproject.cosign/signature"] ?? "", "base64"),
  );
  writeFileSync(at("public"), createPublicKey(key).export({ type: "spki", format: "pem" }));
  const { stdout } = await run("openssl", [
    ...["dgst", "-sha256", "-verify", at("public"), "-signature", at("signature"), at("claim")],
  ]);
  t.is(stdout, "Verified OK\n");
  t.deepEqual(JSON.parse(await readFile(at("claim"), "utf8")), {
    critical: {
      identity: { "docker-reference": repository },
      image: { "docker-manifest-digest": image.digest },
      type: "cosign container image signature",
    },
    optional: null,
  });
});
