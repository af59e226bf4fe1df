/** Signing and checking bytes with a key, in the ways that cosign and its relatives use for each kind of key. */
import { createHash, sign as cryptoSign, verify as cryptoVerify, type KeyObject } from "node:crypto";

/**
 * A signature over bytes. EC: ASN.1, RSA: PKCS#1 v1.5, both over SHA-256; Ed25519: over the bytes themselves. That goes for
 * P-384 and P-521, too: `cosign verify --key` takes no other hash, even of what cosign 3 itself signs with SHA-384.
 */
export function signBytes(key: KeyObject, bytes: Uint8Array): Buffer {
  return cryptoSign(hashesFor(key)[0] ?? null, bytes, key);
}

/** True when the key made the signature. Newer signers take the hash that fits the curve, so both are good. */
export function isSignedBy(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  return hashesFor(key).some((hash) => {
    try {
      return cryptoVerify(hash, bytes, key, signature);
    } catch {
      // OpenSSL refuses signatures that are not even of the right form.
      return false;
    }
  });
}

/** What names a public key in a bundle: base64 of the SHA-256 of its DER form. */
export function hintOf(publicKey: KeyObject): string {
  const der = publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(der).digest("base64");
}

function hashesFor(key: KeyObject): readonly (string | null)[] {
  if (key.asymmetricKeyType === "ed25519") return [null];
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === "secp384r1") return ["sha256", "sha384"];
  if (curve === "secp521r1") return ["sha256", "sha512"];
  return ["sha256"];
}
