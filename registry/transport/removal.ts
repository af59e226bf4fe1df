/**
 * Taking things away from a registry (distribution specification, "Content Management"). Not there and not allowed here
 * are two answers: REG_NOT_FOUND, REG_UNSUPPORTED.
 */
import { digestOf } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { mediaTypes } from "../oci/image.ts";
import { acceptManifests, type Call, putManifest } from "./distribution.ts";
import { drain } from "./request.ts";
import { withRetry } from "./retry.ts";

/** Deletes what lies at `manifests/…` or `blobs/…` of the repository. Throws REG_NOT_FOUND, REG_UNSUPPORTED, REG_DENIED. */
export async function remove(call: Call, what: "manifests" | "blobs", name: string): Promise<void> {
  const { session, repository, scopes, operation } = call;
  const { retry, signal } = session.options;
  let attempts = 0;
  try {
    await withRetry(retry, signal, async () => {
      attempts++;
      const path = `/v2/${repository}/${what}/${name}`;
      const response = await session.send({ method: "DELETE", path, operation, scopes, isIdempotent: false });
      await drain(response.body);
    });
  } catch (error) {
    // The answer of an attempt before was lost, the deletion was not.
    if (isWbuildError(error, "REG_NOT_FOUND") && attempts > 1) return;
    const { status } = isWbuildError(error) ? error.facts : {};
    if (!isWbuildError(error) || (status !== 405 && status !== 501)) throw error;
    throw new WbuildError("REG_UNSUPPORTED", error.message, {
      facts: error.facts,
      hint: "those who run the registry have to allow deletion; docker's registry does with storage.delete.enabled",
    });
  }
}

/**
 * Deletes a tag and nothing else. A registry that knows deletion by digest only is led there: the tag is moved to a
 * manifest that nobody else has, and that one is deleted. Throws as `remove` does; a tag that could not go stays as it was.
 */
export async function removeTag(call: Call, tag: string): Promise<void> {
  try {
    return await remove(call, "manifests", tag);
  } catch (error) {
    const isOfOldKind = isWbuildError(error, "REG_UNSUPPORTED") || (isWbuildError(error) && error.facts.status === 400);
    if (!isOfOldKind) throw error;
  }
  const { session, repository, scopes, operation } = call;
  // Without this look a tag that is not there would be made first.
  const found = await session.send({
    method: "HEAD",
    path: `/v2/${repository}/manifests/${tag}`,
    operation,
    scopes,
    headers: { accept: acceptManifests },
    isIdempotent: true,
  });
  await drain(found.body);
  const unique = { "com.github.wbuild.placeholder": `${tag} ${Date.now()} ${Math.random()}` };
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], annotations: unique };
  const bytes = Buffer.from(JSON.stringify(index));
  const digest = digestOf(bytes);
  // First without the tag: where deletion is switched off, the tag must keep its image.
  await putManifest(call, digest, bytes, mediaTypes.ociIndex);
  await remove(call, "manifests", digest);
  await putManifest(call, tag, bytes, mediaTypes.ociIndex);
  await remove(call, "manifests", digest);
}
