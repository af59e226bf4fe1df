/**
 * What refers to a manifest by its `subject`: asked by the referrers API, or kept under a tag made of the digest where a
 * registry lacks it (distribution specification, "Listing Referrers" and "Referrers Tag Schema").
 */
import * as v from "valibot";
import type { Descriptor } from "../layerfs/store/descriptor.ts";
import { type Digest, digestOf, hexOf, isDigest } from "../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../native/error.ts";
import { mediaTypes } from "./oci/image.ts";
import { isIndexType, maxManifestBytes, parseDescriptor, parseJson } from "./oci/schema.ts";
import type { ReferrersOptions, Repository } from "./repository.ts";
import { type Operation, place } from "./transport/complaint.ts";
import { pagesOf } from "./transport/pages.ts";
import type { Session } from "./transport/session.ts";

/** More would be an attack on whoever lists them. */
const maxReferrers = 10_000;
/** Clients that change the list at the same time overwrite each other: what was written is looked at again. */
const maxRounds = 5;

const subjectSchema = v.looseObject({
  subject: v.optional(v.looseObject({ digest: v.string() })),
  artifactType: v.optional(v.string()),
  mediaType: v.optional(v.string()),
  config: v.optional(v.looseObject({ mediaType: v.optional(v.string()) })),
  annotations: v.optional(v.record(v.string(), v.string())),
});

/** The tag under which a registry without the referrers API keeps what refers to a digest. */
export function referrersTag(digest: Digest): string {
  return `sha256-${hexOf(digest)}`;
}

/**
 * Descriptors of all that refers to the digest, as the registry lists them; none is an empty list.
 * Throws what Session.send throws, REG_PROTOCOL, REG_MANIFEST for a list that cannot be one.
 */
export async function listReferrers(
  session: Session,
  repository: Repository,
  digest: Digest,
  { artifactType }: ReferrersOptions,
): Promise<Descriptor[]> {
  const operation = { repository: repository.name, doing: `list what refers to ${digest}` };
  const query = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  const pages = pagesOf(session, {
    path: `/v2/${repository.name}/referrers/${digest}${query}`,
    operation,
    scopes: [`repository:${repository.name}:pull`],
    type: mediaTypes.ociIndex,
    // Registries without the API answer in these ways.
    accept: [400, 404, 405, 501],
    what: "list of referrers",
    isOptional: true,
  });
  const wanted = (found: readonly Descriptor[]) =>
    artifactType === undefined ? [...found] : found.filter((one) => one.artifactType === artifactType);
  const found: Descriptor[] = [];
  for await (const { content, headers } of pages) {
    const list = content === undefined ? undefined : manifestsOf(content);
    // A page for people, or an object of another kind: whoever answered knows nothing of the API.
    if (list === undefined) return wanted((await readFallback(repository, digest)).manifests);
    const isFiltered = /(?:^|,)\s*artifactType\s*(?:,|$)/i.test(headers["oci-filters-applied"] ?? "");
    found.push(...(isFiltered ? list : wanted(list)));
    if (found.length > maxReferrers) throw tooMany(session.operation(operation));
  }
  return found;
}

/** The `subject` of a manifest, or undefined for those without one and for what is no manifest. */
export function subjectOf(bytes: Uint8Array): Digest | undefined {
  const digest = read(bytes)?.subject?.digest;
  return digest !== undefined && isDigest(digest) ? digest : undefined;
}

/** Adds a manifest to the list of what refers to its subject, where the registry does not do so itself. */
export async function noteReferrer(repository: Repository, blob: Descriptor, bytes: Uint8Array): Promise<void> {
  const subject = subjectOf(bytes);
  if (subject === undefined) return;
  const content = read(bytes);
  // An image without a type of its own is known by that of its configuration.
  const artifactType = content?.artifactType || content?.config?.mediaType;
  const entry: Descriptor = {
    mediaType: blob.mediaType,
    digest: blob.digest,
    size: blob.size,
    ...(artifactType ? { artifactType } : {}),
    ...(content?.annotations ? { annotations: content.annotations } : {}),
  };
  await changeFallback(
    repository,
    subject,
    (list) => list.some(({ digest }) => digest === entry.digest),
    (list) => [...list, entry],
  );
}

/** Takes a manifest that was deleted from the list of what refers to its subject. */
export async function forgetReferrer(repository: Repository, subject: Digest, gone: Digest): Promise<void> {
  await changeFallback(
    repository,
    subject,
    (list) => list.every(({ digest }) => digest !== gone),
    (list) => list.filter(({ digest }) => digest !== gone),
  );
}

interface Fallback {
  readonly manifests: readonly Descriptor[];
  /** The index as it was read, with what we do not know of. */
  readonly content: object;
}

const changing = new Map<string, Promise<void>>();

/** One change of a list after the other in this process; others may still come between, so the result is looked at. */
function changeFallback(
  repository: Repository,
  subject: Digest,
  isDone: (list: readonly Descriptor[]) => boolean,
  change: (list: readonly Descriptor[]) => readonly Descriptor[],
): Promise<void> {
  const key = `${repository.registry}/${repository.name}@${subject}`;
  const work = async () => {
    for (let round = 0; round < maxRounds; round++) {
      const { manifests, content } = await readFallback(repository, subject);
      if (isDone(manifests)) return;
      const index = { ...content, schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: change(manifests) };
      await repository.pushManifest(Buffer.from(JSON.stringify(index)), mediaTypes.ociIndex, referrersTag(subject));
    }
    if (isDone((await readFallback(repository, subject)).manifests)) return;
    throw new WbuildError(
      "REG_UNAVAILABLE",
      `the list of what refers to ${subject} at ${repository.registry}/${repository.name} is being changed by others`,
      {
        facts: { registry: repository.registry, repository: repository.name, digest: subject },
        hint: "try again; this registry lacks the referrers API, so its clients keep the list",
      },
    );
  };
  const turn = (changing.get(key) ?? Promise.resolve()).catch(() => {}).then(work);
  changing.set(key, turn);
  const end = () => changing.get(key) === turn && changing.delete(key);
  turn.then(end, end);
  return turn;
}

async function readFallback(repository: Repository, digest: Digest): Promise<Fallback> {
  try {
    const { bytes, mediaType } = await repository.manifest(referrersTag(digest));
    // `cosign copy` gives each image such a tag: the image itself is no list of what refers to it.
    if (digestOf(bytes) === digest) return { manifests: [], content: {} };
    const content = parseJson(bytes, maxManifestBytes, "REG_MANIFEST", "list of referrers");
    const manifests = isIndexType(mediaType) ? manifestsOf(content) : undefined;
    if (manifests !== undefined) return { manifests, content };
  } catch (error) {
    if (isWbuildError(error, "REG_NOT_FOUND")) return { manifests: [], content: {} };
    throw error;
  }
  throw new WbuildError(
    "REG_MANIFEST",
    `tag ${referrersTag(digest)} of ${repository.registry}/${repository.name} is no list of referrers`,
  );
}

/** Undefined for what is no index. Entries that cannot be followed (digests other than sha256) are left out. */
function manifestsOf(content: object): Descriptor[] | undefined {
  const { manifests, schemaVersion } = content as { manifests?: unknown; schemaVersion?: unknown };
  if (schemaVersion !== 2) return undefined;
  // Go writes an empty list as null, which is dropped before it gets here.
  if (manifests === undefined) return [];
  if (!Array.isArray(manifests) || manifests.length > maxReferrers) return undefined;
  return manifests.flatMap((entry: unknown) => {
    try {
      return [parseDescriptor(entry)];
    } catch {
      return [];
    }
  });
}

function read(bytes: Uint8Array) {
  try {
    const json = parseJson(bytes, maxManifestBytes, "REG_MANIFEST", "manifest");
    const found = v.safeParse(subjectSchema, json);
    return found.success ? found.output : undefined;
  } catch {
    // What is no JSON has no subject; whether it may be pushed is the registry's to say.
    return undefined;
  }
}

function tooMany(operation: Operation): WbuildError {
  return new WbuildError("REG_PROTOCOL", `cannot ${operation.doing}${place(operation)}: more than ${maxReferrers}`, {
    facts: { registry: operation.registry, repository: operation.repository },
  });
}
