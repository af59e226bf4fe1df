/** What a trusted root vouches for: certificates of people and machines, and the transparency log. Loads sigstore-js. */
import type { KeyObject } from "node:crypto";
import type { Bundle } from "@sigstore/bundle";
import type { SignedEntity, TrustMaterial, Verifier, VerifierOptions } from "@sigstore/verify";
import { WbuildError } from "../../native/error.ts";
import { parseJson } from "../oci/schema.ts";
import type { TagSignature } from "./signature-tag.ts";

const maxRootBytes = 4 * 1024 * 1024;

export interface Identity {
  /** The certificate's subject: a mail address, or the URL of a workflow. */
  readonly subject: string;
  /** Who said so: the URL of the identity service. */
  readonly issuer: string;
}

export interface IdentityPolicy {
  /** Whole texts, or patterns that must fit the whole text. */
  readonly subject: string | RegExp;
  readonly issuer: string | RegExp;
  /** Certificates that no certificate transparency log has vouched for are taken too. */
  readonly ignoreSct?: boolean;
}

export interface TrustedRoot {
  /** Throws REG_SIGNATURE unless a certificate of the right identity, and the log, vouch for the signature. */
  checkIdentity(bundle: Bundle, claim: Uint8Array | undefined, policy: IdentityPolicy): Promise<Identity>;
  /** Throws REG_SIGNATURE unless the key made the signature and the log knows of it. */
  checkLogged(bundle: Bundle, claim: Uint8Array | undefined, key: KeyObject): Promise<void>;
}

/** A `trusted_root.json` as sigstore publishes it. Throws REG_TRUSTED_ROOT. */
export async function openTrustedRoot(file: Uint8Array): Promise<TrustedRoot> {
  const json = parseJson(file, maxRootBytes, "REG_TRUSTED_ROOT", "the trusted root");
  const { TrustedRoot: Root } = await import("@sigstore/protobuf-specs");
  const sigstore = await import("@sigstore/verify");
  const material = (finder: TrustMaterial["publicKey"]): TrustMaterial =>
    sigstore.toTrustMaterial(Root.fromJSON(json), finder);
  const noKey = () => {
    throw refused("a key made it, not a certificate");
  };
  try {
    material(noKey);
  } catch (cause) {
    throw new WbuildError("REG_TRUSTED_ROOT", "the trusted root cannot be read", { cause });
  }
  const check = (trust: TrustMaterial, options: VerifierOptions, bundle: Bundle, claim: Uint8Array | undefined) => {
    try {
      const verifier: Verifier = new sigstore.Verifier(trust, options);
      const entity: SignedEntity = sigstore.toSignedEntity(
        bundle,
        claim === undefined ? undefined : Buffer.from(claim),
      );
      return verifier.verify(entity);
    } catch (cause) {
      if (cause instanceof WbuildError) throw cause;
      // Errors of its own kinds name what failed; anything else came from bytes that are not what they should be.
      const isTold = cause instanceof sigstore.VerificationError || cause instanceof sigstore.PolicyError;
      throw refused(isTold ? cause.message.slice(0, 300) : "it is damaged", cause);
    }
  };
  return {
    async checkIdentity(bundle, claim, policy) {
      if (bundle.verificationMaterial.content.$case === "publicKey") throw refused("a key made it, not a certificate");
      const options = { tlogThreshold: 1, timestampThreshold: 1, ctlogThreshold: policy.ignoreSct ? 0 : 1 };
      const { identity } = check(material(noKey), options, bundle, claim);
      const subject = identity?.subjectAlternativeName ?? "";
      const issuer = identity?.extensions?.issuer ?? "";
      // Attack: a pattern such as .* would fit a certificate that names nobody.
      if (subject === "" || issuer === "") throw refused("its certificate names nobody");
      if (!fits(policy.subject, subject)) throw refused(`it was made by ${JSON.stringify(subject.slice(0, 200))}`);
      if (!fits(policy.issuer, issuer)) throw refused(`its maker was named by ${JSON.stringify(issuer.slice(0, 200))}`);
      return { subject, issuer };
    },
    async checkLogged(bundle, claim, key) {
      const finder = () => ({ publicKey: key, validFor: () => true });
      check(material(finder), { tlogThreshold: 1, timestampThreshold: 1, ctlogThreshold: 0 }, bundle, claim);
    },
  };
}

/** A signature under a tag as the JSON of a bundle, which sigstore-js can judge. `hash` is that of the claim. */
export function bundleJsonOf(signature: TagSignature, hash: Buffer, hint: string): object {
  const { certificate, logEntry } = signature;
  const der = certificate === undefined ? undefined : derOf(certificate);
  return {
    mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
    verificationMaterial: {
      ...(der === undefined
        ? { publicKey: { hint } }
        : { x509CertificateChain: { certificates: [{ rawBytes: der }] } }),
      tlogEntries: logEntry === undefined ? [] : [logEntryJson(logEntry)],
    },
    messageSignature: {
      messageDigest: { algorithm: "SHA2_256", digest: hash.toString("base64") },
      signature: signature.signature.toString("base64"),
    },
  };
}

function logEntryJson(entry: NonNullable<TagSignature["logEntry"]>): object {
  const { kind, apiVersion } = kindOf(entry.body);
  return {
    logIndex: String(entry.logIndex),
    logId: { keyId: Buffer.from(entry.logID, "hex").toString("base64") },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(entry.integratedTime),
    inclusionPromise: { signedEntryTimestamp: entry.signedEntryTimestamp },
    canonicalizedBody: entry.body,
  };
}

/** What kind of entry a log's body says that it is. Throws REG_SIGNATURE. */
export function kindOf(body: string): { kind: string; apiVersion: string } {
  const json = parseJson(Buffer.from(body, "base64"), maxRootBytes, "REG_SIGNATURE", "the log's entry");
  const { kind, apiVersion } = json as { kind?: unknown; apiVersion?: unknown };
  return { kind: String(kind), apiVersion: String(apiVersion) };
}

/** Base64 of the first certificate's DER. */
function derOf(pem: string): string {
  return (/-----BEGIN CERTIFICATE-----([\s\S]*?)-----END/.exec(pem)?.[1] ?? "").replace(/\s/g, "");
}

function fits(wanted: string | RegExp, found: string): boolean {
  return typeof wanted === "string" ? wanted === found : wanted.test(found);
}

function refused(why: string, cause?: unknown): WbuildError {
  return new WbuildError("REG_SIGNATURE", why, cause === undefined ? {} : { cause });
}
