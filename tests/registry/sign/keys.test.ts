import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signWith,
  verify as verifyWith,
} from "node:crypto";
import test from "ava";
import { isWbuildError } from "../../../native/error.ts";
import { makeKeyPair, readPrivateKey, readPublicKey, writePrivateKey } from "../../../registry/sign/key-file.ts";
import { hintOf, isSignedBy, signBytes } from "../../../registry/sign/signature.ts";

const never = async () => {
  throw new Error("a plain key needs no password");
};
const refused = (error: unknown) => isWbuildError(error, "REG_SIGN_KEY");

/** Made by `cosign generate-key-pair` with an empty password, for public tests. */
const madeByCosign = `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJLYU9OQzduQVJLOVgxM1FoaWFucjAwTTBGYys2Sitr
dnAxN1FuanpiVk9nPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJVOHZqWWtqMlZOUFZGdlZFZWZ3bXZ5VGloUERrelBoaCJ9LCJj
aXBoZXJ0ZXh0IjoidWNWMnQ4TTZVNFJvb29FOXc0d3dkc3E1RDYrS2RKY245dERT
KzFwRDRGN040SVJOWEgzSTBua3h1a3NackFOUHR1emIvTkVYQ201dUp3Zjh3Qzl1
VlprbXdwNU5jRUZ6b3ZNS3JCZmNvdXdjaEkrMzkrQ0NhbVZPbzBucmRnZjhvcmpK
dXdrWDBYL1phY0RUTERGaUxyc1laMWVMMmlqMGU1MVRpZmVQNTl4WXNPK1FnM1Jv
OURRVjNQMk9ndDFDaVFHeGg1VXhUZytGc3c9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----`;

test("a key file that cosign made is opened", async (t) => {
  const key = await readPrivateKey(Buffer.from(madeByCosign), async () => "");
  // Known from opening it with tweetnacl.
  t.is(hintOf(createPublicKey(key)), "6h7JpM4ycoPvTUaCpqXTGui8B/sOcEPxs0NOZeeuO+g=");
});

test("a new pair: the private key opens with its password alone, and is that of the public one", async (t) => {
  const { privateKey, publicKey } = await makeKeyPair({ password: "right", cost: 1024 });
  t.regex(privateKey, /^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n(?:[\w+/=]{1,64}\n)+-----END /);
  const key = await readPrivateKey(Buffer.from(privateKey), async () => "right");
  t.true(createPublicKey(key).equals(readPublicKey(Buffer.from(publicKey))));
  const error = await t.throwsAsync(readPrivateKey(Buffer.from(privateKey), async () => "wrong-word"));
  t.true(refused(error));
  t.false(error?.message.includes("wrong-word"));
});

const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
const pairs: Record<string, { privateKey: KeyObject; publicKey: KeyObject }> = {
  "P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }),
  "P-521": generateKeyPairSync("ec", { namedCurve: "P-521" }),
  "RSA 2048": generateKeyPairSync("rsa", { modulusLength: 2048 }),
  Ed25519: generateKeyPairSync("ed25519"),
};
for (const [name, { privateKey, publicKey }] of Object.entries(pairs))
  test(`${name}: read as plain PEM and out of a box; what it signs holds, in both forms`, async (t) => {
    const plain = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const boxed = await writePrivateKey(privateKey, { password: "p", cost: 1024 });
    const files = [
      await readPrivateKey(Buffer.from(plain), never),
      await readPrivateKey(Buffer.from(boxed), async () => "p"),
    ];
    const verifier = readPublicKey(Buffer.from(publicKey.export({ type: "spki", format: "pem" })));
    for (const key of files) {
      const signature = signBytes(key, Buffer.from("claim"));
      t.true(isSignedBy(verifier, Buffer.from("claim"), signature));
      t.false(isSignedBy(verifier, Buffer.from("claim!"), signature));
      t.false(isSignedBy(verifier, Buffer.from("claim"), signature.subarray(1)));
      t.false(isSignedBy(stranger, Buffer.from("claim"), signature));
    }
    t.is(
      hintOf(verifier),
      createHash("sha256")
        .update(publicKey.export({ type: "spki", format: "der" }))
        .digest("base64"),
    );
  });

test("of P-384 and P-521 the hash that fits the curve is taken, too", (t) => {
  const claim = Buffer.from("claim");
  for (const [namedCurve, hash] of [["P-384", "sha384"] as const, ["P-521", "sha512"] as const]) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    t.true(isSignedBy(publicKey, claim, signWith(hash, claim, privateKey)), hash);
    t.false(isSignedBy(publicKey, claim, signWith("sha1", claim, privateKey)));
    t.true(verifyWith("sha256", claim, publicKey, signBytes(privateKey, claim)), "what every cosign verifies");
  }
});

test("SEC1 keys, also behind the block of parameters that openssl writes", async (t) => {
  const pem = pairs["P-256"]?.privateKey.export({ type: "sec1", format: "pem" }).toString() ?? "";
  const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  t.is((await readPrivateKey(Buffer.from(parameters + pem), never)).asymmetricKeyType, "ec");
});

const box = (change: (json: { kdf: { params: Record<string, unknown> }; cipher: Record<string, unknown> }) => void) => {
  const json = JSON.parse(Buffer.from(madeByCosign.split("-----")[2] ?? "", "base64").toString());
  change(json);
  const text = Buffer.from(JSON.stringify(json)).toString("base64");
  return `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n${text}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n`;
};
const spki = pairs.Ed25519?.publicKey.export({ type: "spki", format: "pem" }).toString() ?? "";
const bad: [what: string, file: string, message: RegExp][] = [
  ["nothing", "", /no private key/],
  ["a text", "hello", /no private key/],
  ["a public key", spki, /holds "PUBLIC KEY"/],
  ["a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", /holds "CERTIFICATE"/],
  ["a key that is cut off", madeByCosign.slice(0, 200), /no private key/],
  ["a box of another cipher", box(({ cipher }) => (cipher.name = "aes")), /not one that cosign writes/],
  ["a box that takes all memory", box(({ kdf }) => (kdf.params.N = 2 ** 30)), /more than 268435456 bytes/],
  ["a box that takes all time", box(({ kdf }) => (kdf.params.p = 2 ** 20)), /not one that cosign writes/],
  ["a cost that is no power of two", box(({ kdf }) => (kdf.params.N = 1000)), /not one that cosign writes/],
  ["damaged DER", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", /damaged/],
];
for (const [what, file, message] of bad)
  test(`no private key: ${what}`, async (t) => {
    const error = await t.throwsAsync(
      readPrivateKey(Buffer.from(file), async () => ""),
      { message },
    );
    t.true(refused(error));
  });

test("a small RSA key and a curve of another kind are refused", async (t) => {
  const weak = [
    generateKeyPairSync("rsa", { modulusLength: 1024 }),
    generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
  ];
  for (const { privateKey } of weak) {
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    await t.throwsAsync(readPrivateKey(Buffer.from(pem), never), { message: /keys for signing are/ });
  }
});

test("the public key is not taken from an encrypted private one", (t) => {
  t.throws(() => readPublicKey(Buffer.from(madeByCosign)), { message: /private key, not a public one/ });
});
