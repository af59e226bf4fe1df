/**
 * What is signed: a claim that a digest is an image, as simple signing JSON (the form that cosign keeps under a tag) or as
 * an in-toto statement (the form that its bundles hold). Both are read into the same Claim.
 */
import * as v from "valibot";
import { type Digest, hexOf, isDigest } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import { parseJson } from "../oci/schema.ts";

/** Bytes. */
export const maxClaimBytes = 1024 * 1024;
export const simpleSigningType = "cosign container image signature";
export const signPredicate = "https://sigstore.dev/cosign/sign/v1";
export const statementMediaType = "application/vnd.in-toto+json";

export interface Claim {
  /** Under which name the image was signed; statements have none. */
  readonly reference?: string;
  readonly digest: Digest;
  readonly type: string;
  readonly annotations: Readonly<Record<string, unknown>>;
}

const digestSchema = v.custom<Digest>((value) => typeof value === "string" && isDigest(value), "expected a digest");
const text = v.pipe(v.string(), v.maxLength(64 * 1024));

const simpleSchema = v.object({
  critical: v.object({
    identity: v.object({ "docker-reference": v.optional(text, "") }),
    image: v.object({ "docker-manifest-digest": digestSchema }),
    type: v.literal(simpleSigningType),
  }),
  optional: v.optional(v.record(v.string(), v.unknown()), {}),
});

const statementSchema = v.object({
  _type: v.picklist(["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"]),
  subject: v.pipe(
    v.array(
      v.object({
        digest: v.object({ sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) }),
        annotations: v.optional(v.record(v.string(), v.unknown()), {}),
      }),
    ),
    // Attack: a statement about several images, checked against one and shown for another.
    v.length(1),
  ),
  predicateType: v.literal(signPredicate),
});

/** The claim as simple signing JSON (containers/image, "Atomic signature format"); `reference` has no tag. */
export function writeSimpleSigning(reference: string, digest: Digest, annotations: Claim["annotations"]): Buffer {
  const optional = Object.keys(annotations).length === 0 ? null : annotations;
  return Buffer.from(
    JSON.stringify(simpleSigning({ reference, digest, type: simpleSigningType, annotations: {} }, optional)),
  );
}

/** The claim as an in-toto statement. */
export function writeStatement(digest: Digest, annotations: Claim["annotations"]): Buffer {
  return Buffer.from(
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [
        {
          digest: { sha256: hexOf(digest) },
          ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
        },
      ],
      predicateType: signPredicate,
      predicate: {},
    }),
  );
}

/** Throws REG_SIGNATURE for bytes that are no claim about an image. */
export function parseSimpleSigning(bytes: Uint8Array): Claim {
  const json = parseJson(bytes, maxClaimBytes, "REG_SIGNATURE", "the signed claim");
  const found = v.safeParse(simpleSchema, json, { abortEarly: true });
  if (!found.success) throw malformed();
  const { critical, optional } = found.output;
  return {
    reference: critical.identity["docker-reference"],
    digest: critical.image["docker-manifest-digest"],
    type: critical.type,
    annotations: optional,
  };
}

/** Throws REG_SIGNATURE for bytes that are no statement about one image. */
export function parseStatement(bytes: Uint8Array): Claim {
  const json = parseJson(bytes, maxClaimBytes, "REG_SIGNATURE", "the signed statement");
  const found = v.safeParse(statementSchema, json, { abortEarly: true });
  const subject = found.success ? found.output.subject[0] : undefined;
  if (!subject) throw malformed();
  return { digest: `sha256:${subject.digest.sha256}`, type: signPredicate, annotations: subject.annotations };
}

/** How `cosign verify` prints any claim: as simple signing JSON. */
export function printable(claim: Claim, reference: string): object {
  return simpleSigning({ ...claim, reference: claim.reference ?? reference }, claim.annotations);
}

/**
 * Throws REG_SIGNATURE when the claim is about another image, or lacks an annotation that is asked for.
 * Attack: a good signature of one image, copied beside another.
 */
export function checkClaim(claim: Claim, digest: Digest, annotations: Readonly<Record<string, string>>): void {
  if (claim.digest !== digest)
    throw new WbuildError("REG_SIGNATURE", `it was made for ${claim.digest}`, {
      facts: { expected: digest, found: claim.digest },
    });
  for (const [key, value] of Object.entries(annotations)) {
    const said = Object.hasOwn(claim.annotations, key) ? claim.annotations[key] : undefined;
    // Objects are no match for a text, and may refuse to become one.
    if (said === undefined || typeof said === "object" || String(said) !== value)
      throw new WbuildError(
        "REG_SIGNATURE",
        `it lacks the annotation ${JSON.stringify(key)} with the value asked for`,
        {
          facts: { annotation: key },
        },
      );
  }
}

function simpleSigning({ reference, digest, type }: Claim, optional: Claim["annotations"] | null): object {
  return {
    critical: {
      identity: { "docker-reference": reference ?? "" },
      image: { "docker-manifest-digest": digest },
      type,
    },
    optional,
  };
}

function malformed(): WbuildError {
  return new WbuildError("REG_SIGNATURE", "what is signed is no claim about an image");
}
