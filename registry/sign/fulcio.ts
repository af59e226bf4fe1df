/** A short-lived certificate for a new key, from a CA that knows who holds an identity token (Fulcio's API, version 2). */
import { createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import * as v from "valibot";
import { WbuildError } from "../../native/error.ts";
import { ask, type Service } from "./service.ts";
import { signBytes } from "./signature.ts";

export interface Certificate {
  /** PEM. */
  readonly leaf: string;
  /** PEM of those above it, one after the other. */
  readonly chain: string;
  readonly der: Buffer;
}

const chainSchema = v.object({
  chain: v.object({
    certificates: v.pipe(v.array(v.pipe(v.string(), v.maxLength(64 * 1024))), v.minLength(1), v.maxLength(10)),
  }),
});
const answerSchema = v.union([
  v.object({ signedCertificateEmbeddedSct: chainSchema }),
  v.object({ signedCertificateDetachedSct: chainSchema }),
]);
const tokenSchema = v.object({
  email: v.optional(v.string()),
  email_verified: v.optional(v.union([v.boolean(), v.string()])),
  sub: v.optional(v.string()),
});

/** A new P-256 key, and the certificate that the service gave it. Throws REG_SIGN_SERVICE, REG_SIGN_KEY. */
export async function requestCertificate(
  service: Service,
  token: string,
): Promise<{ key: KeyObject; certificate: Certificate }> {
  const { privateKey: key, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const question = {
    credentials: { oidcIdentityToken: token },
    publicKeyRequest: {
      publicKey: { algorithm: "ECDSA", content: publicKey.export({ type: "spki", format: "pem" }) },
      // Shows that whoever asks has the private key.
      proofOfPossession: signBytes(key, Buffer.from(subjectOf(token))).toString("base64"),
    },
  };
  const found = v.safeParse(answerSchema, await ask(service, "/api/v2/signingCert", question, token));
  if (!found.success) throw malformed();
  const { chain } =
    "signedCertificateEmbeddedSct" in found.output
      ? found.output.signedCertificateEmbeddedSct
      : found.output.signedCertificateDetachedSct;
  const [leaf = "", ...rest] = chain.certificates;
  try {
    const { raw, publicKey: certified } = new X509Certificate(leaf);
    // Attack: a service that gives somebody else's certificate makes signatures that never verify.
    if (!certified.equals(createPublicKey(key))) throw malformed();
    return { key, certificate: { leaf, chain: rest.join("\n"), der: raw } };
  } catch {
    throw malformed();
  }
}

/** Whom a token speaks of: the address, when it is a verified one, else the subject. Throws REG_SIGN_KEY. */
function subjectOf(token: string): string {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
  } catch {
    // Nothing of the token may be quoted.
  }
  const found = v.safeParse(tokenSchema, json);
  if (found.success) {
    const { email, email_verified: verified, sub } = found.output;
    if (email && verified !== undefined && String(verified) === "true") return email;
    if (!email && sub) return sub;
  }
  throw new WbuildError("REG_SIGN_KEY", "the identity token names no one", {
    hint: "it is a JSON web token with a subject, or an address that its issuer has verified",
  });
}

function malformed(): WbuildError {
  return new WbuildError("REG_SIGN_SERVICE", "the certificate service answered without a certificate for our key");
}
