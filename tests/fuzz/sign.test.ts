/** Key files, claims, bundles and roots: any bytes end in the room's own errors or in values within bounds. */
import test from "ava";
import fc from "fast-check";
import { isWbuildError } from "../../native/error.ts";
import { parseBundle } from "../../registry/sign/bundle.ts";
import { parseSimpleSigning, parseStatement, printable, signPredicate } from "../../registry/sign/claim.ts";
import { readPrivateKey, readPublicKey } from "../../registry/sign/key-file.ts";
import { isSignedBy } from "../../registry/sign/signature.ts";
import { openTrustedRoot } from "../../registry/sign/trust.ts";
import { holds } from "../doubles/holds.ts";

const isOurs = (error: unknown) =>
  isWbuildError(error) && /^REG_(SIGN|TRUSTED)/.test(error.code) && !/undefined|\[object/.test(error.message);
const base64 = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes).toString("base64"));
const odd = fc.oneof(fc.anything(), base64, fc.string());

const label = fc.oneof(
  fc.constantFrom("ENCRYPTED SIGSTORE PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "PUBLIC KEY", "EC PARAMETERS"),
  fc.string(),
);
const box = fc.record(
  {
    kdf: fc.record({
      name: fc.constantFrom("scrypt", "x"),
      // Small enough that what is let through costs nothing.
      params: fc.record({
        N: fc.oneof(fc.constantFrom(2, 16, 2 ** 40), odd),
        r: fc.oneof(fc.constant(1), odd),
        p: fc.constantFrom(1, 0, 99),
      }),
      salt: base64,
    }),
    cipher: fc.record({ name: fc.constant("nacl/secretbox"), nonce: fc.oneof(fc.constant("A".repeat(32)), base64) }),
    ciphertext: fc.oneof(base64, odd),
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  base64,
  fc.string(),
  box.map((json) => Buffer.from(safeJson(json)).toString("base64")),
);
const pem = fc
  .tuple(label, body, label, fc.boolean())
  .map(([begin, text, other, fits]) =>
    Buffer.from(`-----BEGIN ${begin}-----\n${text}\n-----END ${fits ? begin : other}-----\n`),
  );

test("any key file is refused by name or is a key", async (t) => {
  await holds(
    t,
    fc.asyncProperty(fc.oneof(pem, fc.uint8Array()), async (file) => {
      for (const read of [() => readPrivateKey(file, async () => "secret-word"), () => readPublicKey(file)])
        try {
          if ((await read()).type === "secret") return false;
        } catch (error) {
          if (!isOurs(error) || String(error).includes("secret-word")) throw error;
        }
      return true;
    }),
    { numRuns: 1000 },
  );
});

const digest = fc.oneof(fc.constant(`sha256:${"0".repeat(64)}`), fc.constant("0".repeat(64)), odd);
const claim = fc.record(
  {
    critical: fc.record(
      {
        identity: fc.record({ "docker-reference": odd }),
        image: fc.record({ "docker-manifest-digest": digest }),
        type: fc.oneof(fc.constant("cosign container image signature"), odd),
      },
      { requiredKeys: [] },
    ),
    optional: fc.oneof(fc.dictionary(fc.string(), odd), odd),
    _type: fc.oneof(fc.constant("https://in-toto.io/Statement/v1"), odd),
    subject: fc.oneof(fc.array(fc.record({ digest: fc.record({ sha256: digest }), annotations: odd })), odd),
    predicateType: fc.oneof(fc.constant(signPredicate), odd),
  },
  { requiredKeys: [] },
);
const bytes = fc.oneof(
  { weight: 4, arbitrary: claim.map((json) => Buffer.from(safeJson(json))) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)) },
);

test("any signed bytes are refused by name or name one digest", (t) => {
  holds(
    t,
    fc.property(bytes, (raw) => {
      for (const parse of [parseSimpleSigning, parseStatement])
        try {
          const found = parse(raw);
          if (!/^sha256:[0-9a-f]{64}$/.test(found.digest)) return false;
          JSON.stringify(printable(found, "name"));
        } catch (error) {
          if (!isOurs(error)) throw error;
        }
      return true;
    }),
    { numRuns: 3000 },
  );
});

const bundle = fc.record(
  {
    mediaType: fc.oneof(fc.constant("application/vnd.dev.sigstore.bundle.v0.3+json"), odd),
    verificationMaterial: fc.oneof(
      fc.record(
        {
          publicKey: fc.record({ hint: odd }),
          certificate: fc.record({ rawBytes: fc.oneof(base64, odd) }),
          tlogEntries: fc.oneof(
            fc.array(fc.record({ canonicalizedBody: base64, integratedTime: odd, logId: odd }, { requiredKeys: [] })),
            odd,
          ),
        },
        { requiredKeys: [] },
      ),
      odd,
    ),
    dsseEnvelope: fc.oneof(
      fc.record({
        payload: base64,
        payloadType: fc.string(),
        signatures: fc.oneof(fc.array(fc.record({ sig: base64 })), odd),
      }),
      odd,
    ),
  },
  { requiredKeys: [] },
);

test("any bundle is refused by name, and vouches for nobody", async (t) => {
  const root = await openTrustedRoot(
    Buffer.from('{"tlogs":[],"certificateAuthorities":[],"ctlogs":[],"timestampAuthorities":[]}'),
  );
  const identity = { subject: /.*/, issuer: /.*/, ignoreSct: true };
  await holds(
    t,
    fc.asyncProperty(bundle, async (json) => {
      try {
        const parsed = await parseBundle(Buffer.from(safeJson(json)));
        await root.checkIdentity(parsed, undefined, identity);
        return false;
      } catch (error) {
        if (!isOurs(error)) throw error;
        return true;
      }
    }),
    { numRuns: 1000 },
  );
});

test("any root is refused by name or read; any signature is a matter of yes or no", async (t) => {
  const key = readPublicKey(
    Buffer.from(
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
    ),
  );
  const root = fc.record({ tlogs: odd, certificateAuthorities: odd, ctlogs: odd, timestampAuthorities: odd });
  await holds(
    t,
    fc.asyncProperty(root, fc.uint8Array({ maxLength: 100 }), async (json, signature) => {
      if (isSignedBy(key, Buffer.from("claim"), signature)) return false;
      try {
        await openTrustedRoot(Buffer.from(safeJson(json)));
      } catch (error) {
        if (!isOurs(error)) throw error;
      }
      return true;
    }),
    { numRuns: 500 },
  );
});

/** fast-check makes values that JSON cannot say (bigint, symbol, cycles). */
function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? String(part) : part)) ?? "null";
  } catch {
    return "{}";
  }
}
