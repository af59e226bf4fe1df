/** What one pass over an archive's members finds: texts are kept, blobs go to the store, links are noted. */
import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { maxConfigBytes } from "../oci/schema.ts";
import { damaged, type Member } from "./members.ts";

/** Names and content found on the way. */
export interface Findings {
  /** Files that are read as JSON. */
  readonly texts: Map<string, Uint8Array>;
  /** Every stored member. */
  readonly blobs: Map<string, Descriptor>;
  readonly links: Map<string, string>;
}

/** Bytes of one description. */
export const maxTextBytes = maxConfigBytes;
/** All configurations and manifests of one archive that are held in memory. */
const maxAllTextBytes = 256 * 1024 * 1024;

export interface GatherOptions {
  /** Told once for each member that is taken in. */
  readonly onProgress?: (event: { readonly name: string; readonly size: number }) => void;
  readonly signal?: AbortSignal;
}

/** Reads all members. Throws REG_ARCHIVE, REG_DIGEST_MISMATCH, and what the store throws. */
export async function gather(
  members: AsyncIterable<Member>,
  into: BlobStore,
  options: GatherOptions,
): Promise<Findings> {
  const found: Findings = { texts: new Map(), blobs: new Map(), links: new Map() };
  let held = 0;
  for await (const member of members) {
    options.signal?.throwIfAborted();
    if (member.target !== undefined) {
      found.links.set(member.name, member.target);
      continue;
    }
    if (isText(member.name)) {
      if (found.texts.has(member.name)) throw damaged(`it has ${member.name} twice`);
      const bytes = await readText(member);
      held += bytes.length;
      if (held > maxAllTextBytes) throw damaged(`its descriptions have more than ${maxAllTextBytes} bytes`);
      found.texts.set(member.name, bytes);
    } else if (isBlob(member.name)) await takeIn(member, into, found);
    else continue;
    options.onProgress?.({ name: member.name, size: member.size });
  }
  return found;
}

/** Links between members: docker and skopeo write layers once and name them often. */
export function followed(name: string, found: Findings): string {
  let current = name.replace(/^\.\//, "");
  for (let i = 0; i < 16; i++) {
    const target = found.links.get(current);
    if (target === undefined || found.blobs.has(current)) return current;
    current = target;
  }
  throw damaged(`its links lead in a circle at ${JSON.stringify(name.slice(0, 200))}`);
}

/** A small blob as a whole. */
export async function readBlob(blob: Descriptor, into: BlobStore): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of into.open(blob)) parts.push(part);
  return Buffer.concat(parts);
}

/** The descriptions, and configurations at the top: HEX.json of docker, sha256:HEX of crane and kaniko, config.json of jib. */
function isText(name: string): boolean {
  return /^(?:(?:index|manifest|config)\.json|oci-layout|repositories|(?:sha256:)?[0-9a-f]{64}(?:\.json)?)$/.test(name);
}

function isBlob(name: string): boolean {
  return /^blobs\/sha256\/[0-9a-f]{64}$/.test(name) || /^(?:[^/]+\/)?[^/]+\.tar(?:\.gz)?$/.test(name);
}

async function readText(member: Member): Promise<Uint8Array> {
  if (member.size > maxTextBytes) throw damaged(`its ${member.name} has ${member.size} bytes, more than are accepted`);
  const parts: Uint8Array[] = [];
  for await (const part of member.bytes) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

async function takeIn(member: Member, into: BlobStore, found: Findings): Promise<void> {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(member.name)?.[1];
  const digest = hex === undefined ? undefined : (`sha256:${hex}` as Digest);
  if (found.blobs.has(member.name)) {
    // A blob is what its name says however often it comes; another layer of the same name would be a riddle.
    if (digest === undefined) throw damaged(`it has ${member.name} twice`);
    return;
  }
  if (digest !== undefined && (await into.has(digest)) === member.size) {
    // The store vouches for it; the member's bytes are passed over unread.
    found.blobs.set(member.name, { mediaType: "application/octet-stream", digest, size: member.size });
    return;
  }
  const expected = { mediaType: "application/octet-stream", size: member.size, ...(digest ? { digest } : {}) };
  const iterator = member.bytes[Symbol.asyncIterator]();
  try {
    // A store that stops reading, because it has the blob, must not end the archive that the member is part of.
    const blob = await into.put({ [Symbol.asyncIterator]: () => ({ next: () => iterator.next() }) }, expected);
    found.blobs.set(member.name, blob);
    while ((await iterator.next()).done !== true);
  } catch (error) {
    if (!isWbuildError(error, "STORE_DIGEST_MISMATCH")) throw error;
    throw new WbuildError("REG_DIGEST_MISMATCH", `the archive's ${member.name} is not what its name says`, {
      facts: { member: member.name },
      hint: "the archive is damaged; make it anew",
      cause: error,
    });
  } finally {
    await iterator.return?.();
  }
}
