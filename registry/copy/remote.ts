/** A repository of a registry as a source and as a target of copies. */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { type Digest, hexOf } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { RegistryClient } from "../client.ts";
import { formatName, formatReference, type Reference } from "../reference.ts";
import type { Repository } from "../repository.ts";
import type { CopySource, CopyTarget, Referrer, Role } from "./place.ts";

/** Where cosign keeps what it says about an image of this digest, besides the referrers that registries know. */
const cosignKinds = ["sig", "att", "sbom"] as const;

/** The tag or digest that a reference means: the digest when it has both. */
function nameIn(reference: Reference): string {
  return reference.digest ?? reference.tag ?? "latest";
}

/** With `isTarget` no mirror is asked: for what is read in order to be changed. Throws REG_LOCAL_ONLY. */
export function remoteSource(
  client: RegistryClient,
  reference: Reference,
  options: { readonly isTarget?: boolean } = {},
): CopySource {
  const repository = client.repository(reference, options);
  return {
    place: formatReference(reference, { familiar: true }),
    repository: { registry: repository.registry, name: repository.name },
    named: () => repository.manifest(nameIn(reference)),
    manifest: (which) => repository.manifest(which),
    blob: (blob, from, signal) => repository.blob(blob, from, signal),
    distrust: (blob) => repository.distrust(blob),
    referrers: (of) => referrersIn(repository, of),
  };
}

/** By the registry's referrers, and by cosign's tags. */
async function referrersIn(repository: Repository, of: Digest): Promise<Referrer[]> {
  const known = (await repository.referrers(of)).map((descriptor) => ({ descriptor }));
  const tags = cosignKinds.map((kind) => `sha256-${hexOf(of)}.${kind}`);
  const tagged = await Promise.all(
    tags.map(async (tag) => {
      const descriptor = await repository.resolve(tag).catch(ifMissing);
      return descriptor ? [{ descriptor, tag }] : [];
    }),
  );
  return [...known, ...tagged.flat()];
}

/** Throws REG_LOCAL_ONLY. A reference with a digest alone gets no tag. */
export function remoteTarget(client: RegistryClient, reference: Reference): CopyTarget {
  const repository = client.repository(reference, { isTarget: true });
  const tagOf = (role: Role) => (typeof role === "object" ? role.tag : role === "named" ? reference.tag : undefined);
  return {
    place: formatName(reference, { familiar: true }),
    repository: { registry: repository.registry, name: repository.name },
    takesReferrers: true,
    async state({ digest }: Descriptor, role) {
      // Who names a digest as the destination means that content, and would not look for another one there.
      if (role === "named" && reference.digest !== undefined && reference.digest !== digest)
        throw new WbuildError("REG_DIGEST_MISMATCH", `what is copied is ${digest}, and not ${reference.digest}`, {
          facts: { expected: reference.digest, found: digest },
          hint: "name the destination with a tag",
        });
      const tag = tagOf(role);
      if (tag !== undefined && (await repository.resolve(tag).catch(ifUnseen))?.digest === digest) return "done";
      if ((await repository.resolve(digest).catch(ifUnseen)) === undefined) return "absent";
      return tag === undefined ? "done" : "there";
    },
    putBlob: (blob, open, { from, signal }) =>
      repository.pushBlob(blob, open, {
        mountFrom: from?.registry === repository.registry ? [from.name] : [],
        openAt: open,
        signal,
      }),
    async putManifest({ bytes, mediaType }, role) {
      await repository.pushManifest(bytes, mediaType, tagOf(role));
    },
    async finish() {},
    async abort() {},
  };
}

function ifMissing(error: unknown): undefined {
  if (isWbuildError(error, "REG_NOT_FOUND")) return undefined;
  throw error;
}

/** With no permission to look (some registries say so of what is not there), the upload itself tells more. */
function ifUnseen(error: unknown): undefined {
  if (isWbuildError(error, "REG_DENIED") || isWbuildError(error, "REG_UNAUTHORIZED")) return undefined;
  return ifMissing(error);
}
