/** Are there signatures of an image that hold? Looks under the tag and at what refers to the image, in both forms. */
import { createHash, type KeyObject } from "node:crypto";
import type { Bundle } from "@sigstore/bundle";
import type { Digest } from "../../layerfs/store/digest.ts";
import { type ErrorCode, isWbuildError, WbuildError } from "../../native/error.ts";
import type { Repository } from "../repository.ts";
import { bundleOf, findBundles, parseBundle, preAuthEncoding } from "./bundle.ts";
import { type Claim, checkClaim, parseSimpleSigning, parseStatement, statementMediaType } from "./claim.ts";
import { hintOf, isSignedBy } from "./signature.ts";
import { findAmongReferrers, findUnderTag, type TagSignature } from "./signature-tag.ts";
import { bundleJsonOf, type Identity, type IdentityPolicy, type TrustedRoot } from "./trust.ts";

/** Whose signatures count. With a key and a root, the transparency log must know of the signature, too. */
export type Trust =
  | { readonly key: KeyObject; readonly root?: TrustedRoot }
  | { readonly identity: IdentityPolicy; readonly root: TrustedRoot };

export interface VerifyOptions {
  readonly trust: Trust;
  /** The claim must have these; it may have others. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface VerifiedSignature {
  readonly claim: Claim;
  /** Who made it, when a certificate says so. */
  readonly identity?: Identity;
}

/** A signature as it was found: nothing of it is believed yet. */
interface Candidate {
  /** Throws REG_SIGNATURE. */
  claim(): Claim;
  isSignedBy(key: KeyObject): boolean;
  /** For sigstore-js; `claim` are the bytes that a detached signature is about. */
  bundle(key?: KeyObject): Promise<Bundle>;
  readonly detached?: Uint8Array;
}

/** What is wrong with one signature, and says nothing of those beside it. Attack, or a deletion: a broken one hides the good. */
const passedOver = [
  "REG_SIGNATURE",
  "REG_NOT_FOUND",
  "REG_MANIFEST",
  "REG_DIGEST_MISMATCH",
  "REG_SIZE_MISMATCH",
] as const satisfies readonly ErrorCode[];

/**
 * Every signature of the digest that holds; at least one. Throws REG_UNSIGNED when there is none at all, REG_SIGNATURE
 * when none holds, with the reason for each.
 */
export async function verifyImage(
  repository: Repository,
  digest: Digest,
  { trust, annotations = {} }: VerifyOptions,
): Promise<VerifiedSignature[]> {
  const place = `${repository.registry}/${repository.name}@${digest}`;
  const verified: VerifiedSignature[] = [];
  const reasons: string[] = [];
  for await (const find of candidates(repository, digest)) {
    try {
      const candidate = await find();
      if (!candidate) continue;
      // The signature first: what a stranger wrote is not looked into.
      const identity = await judge(candidate, trust);
      const claim = candidate.claim();
      checkClaim(claim, digest, annotations);
      verified.push({ claim, ...(identity ? { identity } : {}) });
    } catch (error) {
      if (!isWbuildError(error) || !passedOver.some((code) => code === error.code)) throw error;
      reasons.push(error.message);
    }
  }
  if (verified.length > 0) return verified;
  const facts = { registry: repository.registry, repository: repository.name, digest };
  if (reasons.length === 0) throw new WbuildError("REG_UNSIGNED", `${place} has no signature`, { facts });
  const told = [...new Set(reasons)].slice(0, 5).join("; ");
  throw new WbuildError("REG_SIGNATURE", `none of the ${reasons.length} signatures of ${place} holds: ${told}`, {
    facts: { ...facts, signatures: reasons.length },
  });
}

async function judge(candidate: Candidate, trust: Trust): Promise<Identity | undefined> {
  if ("identity" in trust)
    return trust.root.checkIdentity(await candidate.bundle(), candidate.detached, trust.identity);
  if (!candidate.isSignedBy(trust.key)) throw new WbuildError("REG_SIGNATURE", "it was not made with this key");
  await trust.root?.checkLogged(await candidate.bundle(trust.key), candidate.detached, trust.key);
  return undefined;
}

/** Rejects with what is wrong with it; undefined: it turned out to be no signature. */
type Find = () => Promise<Candidate | undefined>;

async function* candidates(repository: Repository, digest: Digest): AsyncGenerator<Find> {
  yield* orReason(underTag(repository, digest));
  yield* orReason(amongReferrers(repository, digest));
}

/** Attack, or an accident: rubbish in one place hides the good signatures of the other. */
async function* orReason(finds: AsyncGenerator<Find>): AsyncGenerator<Find> {
  try {
    yield* finds;
  } catch (error) {
    yield () => Promise.reject(error);
  }
}

async function* underTag(repository: Repository, digest: Digest): AsyncGenerator<Find> {
  for (const find of await findUnderTag(repository, digest)) yield async () => fromTag(await find());
}

async function* amongReferrers(repository: Repository, digest: Digest): AsyncGenerator<Find> {
  const referrers = await repository.referrers(digest);
  for (const open of findAmongReferrers(repository, referrers)) {
    const found = await open().catch((error: unknown) => [() => Promise.reject(error)]);
    for (const find of found) yield async () => fromTag(await find());
  }
  for (const open of findBundles(repository, referrers))
    yield async () => {
      const bytes = await open();
      return bytes && fromBundle(await parseBundle(bytes));
    };
}

function fromTag(signature: TagSignature): Candidate {
  return {
    claim: () => parseSimpleSigning(signature.claim),
    isSignedBy: (key) => isSignedBy(key, signature.claim, signature.signature),
    bundle(key) {
      const hash = createHash("sha256").update(signature.claim).digest();
      // Beside a key, a certificate is not asked.
      const { certificate, ...bare } = signature;
      return bundleOf(bundleJsonOf(key ? bare : signature, hash, key ? hintOf(key) : ""));
    },
    detached: signature.claim,
  };
}

function fromBundle(bundle: Bundle): Candidate {
  const { content } = bundle;
  if (content.$case !== "dsseEnvelope" || content.dsseEnvelope.payloadType !== statementMediaType)
    throw new WbuildError("REG_SIGNATURE", "its bundle holds no statement about an image");
  const { payload, payloadType, signatures } = content.dsseEnvelope;
  return {
    claim: () => parseStatement(payload),
    isSignedBy: (key) => isSignedBy(key, preAuthEncoding(payloadType, payload), signatures[0]?.sig ?? Buffer.alloc(0)),
    bundle: async () => bundle,
  };
}
