/** Identities and the log: cosign 3 and we sign and verify with the same doubles of the services, each what the other made. */
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { requestCertificate } from "../../../registry/sign/fulcio.ts";
import { writePrivateKey } from "../../../registry/sign/key-file.ts";
import { openLog } from "../../../registry/sign/rekor.ts";
import { signImage } from "../../../registry/sign/sign-image.ts";
import { openTrustedRoot } from "../../../registry/sign/trust.ts";
import { verifyImage } from "../../../registry/sign/verify-image.ts";
import { type Cosign, cosignFor, generations } from "../../doubles/cosign.ts";
import { testWithPeers } from "../../doubles/peers.ts";
import { type SigstoreDouble, startSigstore, tokenFor } from "../../doubles/sigstore.ts";
import { imagesToSign } from "./to-sign.ts";

const testCosign = testWithPeers(...generations);
const issuer = "https://id.example.com";
const now = Math.floor(Date.now() / 1000);
const times = { iat: now, exp: now + 3600 };
const token = tokenFor({ email: "ci@example.com", email_verified: true, iss: issuer, aud: "sigstore", ...times });
const key = generateKeyPairSync("ec", { namedCurve: "P-256" });
const keyFile = await writePrivateKey(key.privateKey, { password: "" });
const { registry, pushed } = imagesToSign();
let sigstore: SigstoreDouble;
test.before(async () => {
  sigstore = await startSigstore(issuer);
});
test.after.always(() => sigstore?.[Symbol.asyncDispose]());
const service = () => ({ url: sigstore.url, userAgent: "wbuild-test" });
const subject = "ci@example.com";

/** With files that name the doubles: root.json and services.json, ca.pem and log.pub for cosign 2, token and our.key. */
function prepared(t: ExecutionContext): Cosign {
  const cosign = cosignFor(t, { SIGSTORE_ROOT_FILE: "ca.pem", SIGSTORE_REKOR_PUBLIC_KEY: "log.pub" });
  const at = (url: string) => [
    { url, majorApiVersion: 1, validFor: { start: "2020-01-01T00:00:00Z" }, operator: "test" },
  ];
  const services = {
    mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    caUrls: at(sigstore.url),
    oidcUrls: at(issuer),
    rekorTlogUrls: at(sigstore.url),
    rekorTlogConfig: { selector: "ANY" },
    tsaConfig: {},
  };
  const { certificateAuthorities, tlogs } = JSON.parse(sigstore.root.toString());
  const pem = (label: string, bytes: string) => `-----BEGIN ${label}-----\n${bytes}\n-----END ${label}-----\n`;
  const known = {
    "ca.pem": pem("CERTIFICATE", certificateAuthorities[0].certChain.certificates[0].rawBytes),
    "log.pub": pem("PUBLIC KEY", tlogs[0].publicKey.rawBytes),
  };
  const files = {
    ...known,
    "root.json": sigstore.root,
    "services.json": JSON.stringify(services),
    token,
    "our.key": keyFile,
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(cosign.folder, name), content);
  return cosign;
}

const rooted = ["--trusted-root", "root.json"];
const whoIs = ["--insecure-ignore-sct", "--certificate-oidc-issuer", issuer, "--certificate-identity"];
const bySigningConfig = ["--signing-config", "services.json", ...rooted];
const byUrls = () => [
  ...["--use-signing-config=false", "--new-bundle-format=false"],
  ...["--fulcio-url", sigstore.url, "--rekor-url", sigstore.url],
];

for (const asBundle of [false, true]) {
  const form = asBundle ? "bundle" : "tag";
  testCosign(`${form}: cosign verifies whom we signed as, and nobody else`, async (t) => {
    const cosign = prepared(t);
    const [repository, image] = await pushed(`ours/${form}`);
    const signer = await requestCertificate(service(), token);
    await signImage(repository, image, { ...signer, log: openLog(service()), asBundle });
    // cosign 2 knows no bundles of signatures, and takes whom to trust from its environment.
    for (const generation of asBundle ? (["cosign"] as const) : generations) {
      const trusting = generation === "cosign" ? rooted : [];
      const verify = (who: string) =>
        cosign.run(generation, ["verify", ...trusting, ...whoIs, who, `${registry.host}/ours/${form}:1`]);
      const { code, stderr } = await verify(subject);
      t.is(code, 0, stderr);
      t.not((await verify("other@example.com")).code, 0);
    }
  });

  testCosign(`${form}: we verify whom cosign signed as, and nobody else`, async (t) => {
    const cosign = prepared(t);
    const [repository, image] = await pushed(`theirs/${form}`);
    const how = asBundle ? bySigningConfig : byUrls();
    const place = `${registry.host}/theirs/${form}@${image.digest}`;
    const { code, stderr } = await cosign.run("cosign", ["sign", "-y", ...how, "--identity-token", "token", place]);
    t.is(code, 0, stderr);
    const root = await openTrustedRoot(sigstore.root);
    const verify = (who: string) =>
      verifyImage(repository, image.digest, { trust: { identity: { subject: who, issuer, ignoreSct: true }, root } });
    t.like(await verify(subject), [{ identity: { subject, issuer } }]);
    await t.throwsAsync(verify("other@example.com"), { message: /made by "ci@example.com"/ });
  });

  testCosign(`${form}: with a key, each finds what the other put into the log`, async (t) => {
    const cosign = prepared(t);
    const [repository, image] = await pushed(`logged/ours-${form}`);
    const name = `${registry.host}/logged/ours-${form}:1`;
    await signImage(repository, image, { key: key.privateKey, asBundle });
    t.not(await cosign.verify("cosign", name, key.publicKey, ...rooted), "taken", "the log knows nothing of it");
    await signImage(repository, image, { key: key.privateKey, asBundle, log: openLog(service()) });
    t.is(await cosign.verify("cosign", name, key.publicKey, ...rooted), "taken");
    const logged = ["--insecure-ignore-tlog=false"];
    if (!asBundle) t.is(await cosign.verify("cosign-2", name, key.publicKey, ...logged), "taken");

    const [theirs, signed] = await pushed(`logged/theirs-${form}`);
    const how = asBundle ? bySigningConfig : byUrls();
    const place = `${registry.host}/logged/theirs-${form}@${signed.digest}`;
    const { code, stderr } = await cosign.run("cosign", ["sign", "-y", ...how, "--key", "our.key", place]);
    t.is(code, 0, stderr);
    const root = await openTrustedRoot(sigstore.root);
    t.is((await verifyImage(theirs, signed.digest, { trust: { key: key.publicKey, root } })).length, 1);
  });
}
