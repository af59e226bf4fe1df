/** Signs a digest and puts the signature where cosign looks for it: under a tag, or as a bundle that refers to the image. */
import { createPublicKey, type KeyObject } from "node:crypto";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { isIndexType, parseIndex } from "../oci/schema.ts";
import type { Repository } from "../repository.ts";
import { attachBundle, preAuthEncoding, writeBundle } from "./bundle.ts";
import { statementMediaType, writeSimpleSigning, writeStatement } from "./claim.ts";
import type { Certificate } from "./fulcio.ts";
import type { TransparencyLog } from "./rekor.ts";
import { hintOf, isSignedBy, signBytes } from "./signature.ts";
import {
  addToSignatureTag,
  attachSignature,
  readSignatureTag,
  signatureTag,
  type TagSignature,
} from "./signature-tag.ts";

export interface SignOptions {
  readonly key: KeyObject;
  /** Vouches for the key; without it, whoever verifies must have the key. */
  readonly certificate?: Certificate;
  /** Where the signature is made public. */
  readonly log?: TransparencyLog;
  /** The name in the claim; registry and repository by default. */
  readonly identity?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** A bundle that refers to the image, instead of a layer under a tag. */
  readonly asBundle?: boolean;
  /** Found by a manifest that refers to the image, not by a tag; bundles always are. */
  readonly asReferrer?: boolean;
}

export interface Signed {
  readonly subject: Descriptor;
  /** Tag or digest that holds the signature now. */
  readonly place: string;
  /** The same key had signed the same claim before: nothing was added. */
  readonly wasThere: boolean;
}

/** Signs what the descriptor names, an image or a list of them. Throws what the registry, its log or its CA complain of. */
export async function signImage(repository: Repository, subject: Descriptor, options: SignOptions): Promise<Signed> {
  return options.asBundle ? signAsBundle(repository, subject, options) : signAsLayer(repository, subject, options);
}

/** The images of an index, and itself first; a lone image is alone. */
export async function withChildren(repository: Repository, subject: Descriptor): Promise<Descriptor[]> {
  if (!isIndexType(subject.mediaType)) return [subject];
  const { bytes, mediaType } = await repository.manifest(subject);
  const children = parseIndex(bytes, mediaType).manifests;
  const nested = await Promise.all(
    children.map((child) => (isIndexType(child.mediaType) ? withChildren(repository, child) : [child])),
  );
  return [subject, ...nested.flat()];
}

async function signAsLayer(repository: Repository, subject: Descriptor, options: SignOptions): Promise<Signed> {
  const { key, certificate, log, annotations = {} } = options;
  const { digest } = subject;
  const place = signatureTag(digest);
  const claim = writeSimpleSigning(
    options.identity ?? `${repository.registry}/${repository.name}`,
    digest,
    annotations,
  );
  const publicKey = createPublicKey(key);
  if (!certificate && !log && !options.asReferrer) {
    const before = await readSignatureTag(repository, digest);
    if (before.some((one) => claim.equals(one.claim) && isSignedBy(publicKey, one.claim, one.signature)))
      return { subject, place, wasThere: true };
  }
  const signature = signBytes(key, claim);
  const logEntry = await log?.addSignature(claim, signature, certificate?.leaf ?? pemOf(publicKey));
  const whole: TagSignature = {
    claim,
    signature,
    ...(certificate ? { certificate: certificate.leaf, chain: certificate.chain } : {}),
    ...(logEntry ? { logEntry } : {}),
  };
  if (options.asReferrer) {
    const { digest: at } = await attachSignature(repository, subject, whole);
    return { subject, place: at, wasThere: false };
  }
  await addToSignatureTag(repository, digest, whole);
  return { subject, place, wasThere: false };
}

async function signAsBundle(repository: Repository, subject: Descriptor, options: SignOptions): Promise<Signed> {
  const { key, certificate, log, annotations = {} } = options;
  const statement = writeStatement(subject.digest, annotations);
  const signature = signBytes(key, preAuthEncoding(statementMediaType, statement));
  const publicKey = createPublicKey(key);
  const entry = await log?.addStatement(
    statement,
    statementMediaType,
    signature,
    certificate?.leaf ?? pemOf(publicKey),
  );
  const bundle = await writeBundle({
    statement,
    signature,
    ...(certificate ? { certificate: certificate.der } : { hint: hintOf(publicKey) }),
    ...(entry ? { tlogEntries: [entry] } : {}),
  });
  const { digest } = await attachBundle(repository, subject, bundle);
  return { subject, place: digest, wasThere: false };
}

function pemOf(publicKey: KeyObject): string {
  return publicKey.export({ type: "spki", format: "pem" }).toString();
}
