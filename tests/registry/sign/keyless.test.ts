/** Identities and the transparency log, with doubles of the services; what is checked is sigstore-js's judgement. */
import { generateKeyPairSync } from "node:crypto";
import test from "ava";
import { isWbuildError } from "../../../native/error.ts";
import { requestCertificate } from "../../../registry/sign/fulcio.ts";
import { openLog } from "../../../registry/sign/rekor.ts";
import { signImage } from "../../../registry/sign/sign-image.ts";
import { type IdentityPolicy, openTrustedRoot } from "../../../registry/sign/trust.ts";
import { verifyImage } from "../../../registry/sign/verify-image.ts";
import { startFake } from "../../doubles/fake-registry.ts";
import { type SigstoreDouble, startSigstore, tokenFor } from "../../doubles/sigstore.ts";
import { imagesToSign } from "./to-sign.ts";

const issuer = "https://id.example.com";
const userAgent = "wbuild-test";
/** Two worlds: the services of the second are as good, but nobody trusts them. */
const [sigstore, stranger] = await Promise.all([startSigstore(issuer), startSigstore(issuer)]);
const { pushed } = imagesToSign();
test.after.always(() => Promise.all([sigstore, stranger].map((double) => double[Symbol.asyncDispose]())));

const service = (double: SigstoreDouble) => ({ url: double.url, userAgent });
const token = tokenFor({ email: "ci@example.com", email_verified: true, iss: issuer });

for (const asBundle of [false, true])
  test(`${asBundle ? "bundle" : "tag"}: signed by an identity, verified for it and no other`, async (t) => {
    const [repository, image] = await pushed(`keyless/${asBundle ? "bundle" : "tag"}`);
    const signer = await requestCertificate(service(sigstore), token);
    await signImage(repository, image, { ...signer, log: openLog(service(sigstore)), asBundle });
    const root = await openTrustedRoot(sigstore.root);
    const verify = (identity: IdentityPolicy, by = root) =>
      verifyImage(repository, image.digest, { trust: { identity, root: by } });
    const right: IdentityPolicy = { subject: "ci@example.com", issuer, ignoreSct: true };
    const [found] = await verify(right);
    t.deepEqual(found?.identity, { subject: "ci@example.com", issuer });
    t.is(found?.claim.digest, image.digest);
    await t.notThrowsAsync(verify({ ...right, subject: /^ci@example\.com$/ }));

    const strange = await openTrustedRoot(stranger.root);
    const refusals: [policy: Partial<IdentityPolicy>, message: RegExp, root?: typeof root][] = [
      [{ subject: "ci@example.co" }, /made by "ci@example.com"/],
      [{ subject: "ci@example.com.evil" }, /made by "ci@example.com"/],
      [{ issuer: "https://other.example.com" }, /named by "https:\/\/id.example.com"/],
      [{ ignoreSct: false }, /SCT/],
      [{}, /none of the 1 signatures/, strange],
    ];
    for (const [policy, message, by] of refusals) {
      const error = await t.throwsAsync(verify({ ...right, ...policy }, by), { message });
      t.true(isWbuildError(error, "REG_SIGNATURE"));
    }
    const byKey = { key: generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey };
    await t.throwsAsync(verifyImage(repository, image.digest, { trust: byKey }), { message: /not made with this key/ });
  });

for (const [asBundle, namedCurve] of [
  [false, "P-256"],
  [true, "P-256"],
  [true, "P-384"],
] as const)
  test(`${asBundle ? "bundle" : "tag"}: with a ${namedCurve} key, the log is asked for when there is a root`, async (t) => {
    const [repository, image] = await pushed(`logged/${asBundle ? "bundle" : "tag"}/${namedCurve.toLowerCase()}`);
    const { privateKey: key, publicKey } = generateKeyPairSync("ec", { namedCurve });
    const root = await openTrustedRoot(sigstore.root);
    const verify = () => verifyImage(repository, image.digest, { trust: { key: publicKey, root } });
    await signImage(repository, image, { key, asBundle });
    t.is((await verifyImage(repository, image.digest, { trust: { key: publicKey } })).length, 1);
    await t.throwsAsync(verify(), { message: /none of the 1 signatures/ }, "the log knows nothing of it");
    await signImage(repository, image, { key, asBundle, log: openLog(service(stranger)) });
    await t.throwsAsync(verify(), { message: /none of the 2 signatures/ }, "another log does");
    await signImage(repository, image, { key, asBundle, log: openLog(service(sigstore)) });
    t.is((await verify()).length, 1);
  });

test("a workflow's identity is the subject of its token", async (t) => {
  const subject = "https://example.com/team/app/.github/workflows/release.yml@refs/heads/main";
  const { certificate } = await requestCertificate(service(sigstore), tokenFor({ sub: subject, iss: issuer }));
  t.regex(certificate.leaf, /BEGIN CERTIFICATE/);
});

test("a certificate that names nobody fits no pattern", async (t) => {
  await using nameless = await startSigstore("");
  const [repository, image] = await pushed("nameless");
  const signer = await requestCertificate(service(nameless), token);
  await signImage(repository, image, { ...signer, log: openLog(service(nameless)) });
  const root = await openTrustedRoot(nameless.root);
  const identity = { subject: /^.*$/, issuer: /^.*$/, ignoreSct: true };
  await t.throwsAsync(verifyImage(repository, image.digest, { trust: { identity, root } }), {
    message: /names nobody/,
  });
});

test("tokens that name no one are not sent, and never quoted", async (t) => {
  const before = sigstore.requests.length;
  const bad = ["", "abc", "a.b.c", tokenFor({}), tokenFor({ email: "a@example.com" }), tokenFor({ sub: 7 })];
  for (const one of bad) {
    const error = await t.throwsAsync(requestCertificate(service(sigstore), one));
    t.true(isWbuildError(error, "REG_SIGN_KEY"));
    if (one.length > 3) t.false(error?.message.includes(one));
  }
  t.is(sigstore.requests.length, before);
});

test("services that refuse, rave, repeat the token or are not there are told without secrets", async (t) => {
  const answers: [status: number, body: string, message: RegExp][] = [
    [401, `{"message":"token ${token} is expired"}`, /refused \(401\).*is expired/],
    [200, "hello", /not valid JSON/],
    [200, "{}", /without a certificate/],
    [302, "", /refused \(302\)/],
  ];
  for (const [status, body, message] of answers) {
    await using fake = await startFake((_request, response) =>
      response.writeHead(status, { location: sigstore.url }).end(body),
    );
    const error = await t.throwsAsync(requestCertificate({ url: `http://${fake.host}`, userAgent }, token), {
      message,
    });
    t.true(isWbuildError(error, "REG_SIGN_SERVICE"));
    t.false(JSON.stringify([error?.message, error]).includes(token));
  }
  const nobody = await t.throwsAsync(requestCertificate({ url: "http://127.0.0.1:1", userAgent }, token));
  t.regex(nobody?.message ?? "", /cannot be reached \(ECONNREFUSED\)/);
  const readable = await t.throwsAsync(requestCertificate({ url: "http://id.example.com", userAgent }, token));
  t.true(isWbuildError(readable, "REG_INSECURE"));
});

test("a trusted root that is none is refused", async (t) => {
  for (const text of [
    "",
    "hello",
    "[]",
    '{"tlogs":[{}]}',
    '{"certificateAuthorities":[{"certChain":{"certificates":[{"rawBytes":"AAAA"}]}}]}',
  ]) {
    const error = await t.throwsAsync(openTrustedRoot(Buffer.from(text)), undefined, text);
    t.true(isWbuildError(error, "REG_TRUSTED_ROOT"), text);
  }
});
