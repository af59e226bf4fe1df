/** One blob upload while it lasts: the registry names a new place after each step (distribution specification, "Pushing Blobs"). */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import { type Operation, place, protocolError } from "./complaint.ts";
import { drain, type HttpResponse } from "./request.ts";
import type { Session } from "./session.ts";

export interface Upload {
  /**
   * Streams bytes into the upload as they come; they need no length. May be called several times, one after the other.
   * Not repeatable: after a failure start again from what was stored. Resolves with the bytes that were sent by this call.
   */
  write(bytes: AsyncIterable<Uint8Array>): Promise<number>;
  /** Ends it: the registry checks the digest of all that was written. */
  finish(digest: Digest): Promise<void>;
  /** Gives up, and tells the registry as far as it listens. Never throws. */
  cancel(): Promise<void>;
}

export interface UploadTarget {
  readonly session: Session;
  readonly repository: string;
  readonly scopes: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Opens an upload session. */
export async function startUpload(target: UploadTarget): Promise<Upload> {
  const operation = { repository: target.repository, doing: "start an upload" };
  const path = `/v2/${target.repository}/blobs/uploads/`;
  const response = await target.session.send({
    method: "POST",
    path,
    operation,
    scopes: target.scopes,
    headers: { "content-length": "0" },
    // A session that nobody uses is forgotten by the registry; so opening another one changes nothing.
    isIdempotent: true,
    signal: target.signal,
  });
  await drain(response.body);
  return new OpenUpload(target, await locationOf(target.session, response, path, operation));
}

/**
 * Asks the registry to take a blob over from another of its repositories. True: it has. Otherwise an upload is open,
 * and this is it. Distribution specification, "Mounting a blob from another repository".
 */
export async function mountBlob(target: UploadTarget, digest: Digest, from: string): Promise<true | Upload> {
  const operation = { repository: target.repository, doing: `mount blob ${digest} from ${from}` };
  const path = `/v2/${target.repository}/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  const response = await target.session.send({
    method: "POST",
    path,
    operation,
    scopes: [...target.scopes, `repository:${from}:pull`],
    headers: { "content-length": "0" },
    isIdempotent: true,
    signal: target.signal,
  });
  await drain(response.body);
  if (response.status === 201) return true;
  return new OpenUpload(target, await locationOf(target.session, response, path, operation));
}

/** Sends a whole blob of known size into an open upload. Repetition needs a new upload. */
export async function putBlob(upload: Upload, blob: Descriptor, open: () => AsyncIterable<Uint8Array>): Promise<void> {
  if (!(upload instanceof OpenUpload)) throw new TypeError("not an upload of startUpload");
  await upload.put(blob, open);
}

class OpenUpload implements Upload {
  readonly #target: UploadTarget;
  #location: URL;

  constructor(target: UploadTarget, location: URL) {
    this.#target = target;
    this.#location = location;
  }

  async write(bytes: AsyncIterable<Uint8Array>): Promise<number> {
    let sent = 0;
    async function* counted() {
      for await (const part of bytes) {
        // An empty part would end a chunked body before its time.
        if (part.length === 0) continue;
        sent += part.length;
        yield part;
      }
    }
    const operation = this.#operation("upload a layer");
    const response = await this.#target.session.send({
      method: "PATCH",
      path: this.#location,
      operation,
      scopes: this.#target.scopes,
      headers: { "content-type": "application/octet-stream" },
      body: counted(),
      isIdempotent: false,
      isSlow: true,
      signal: this.#target.signal,
    });
    await drain(response.body);
    this.#location = await locationOf(this.#target.session, response, this.#location, operation);
    return sent;
  }

  async finish(digest: Digest): Promise<void> {
    const response = await this.#target.session.send({
      method: "PUT",
      path: withDigest(this.#location, digest),
      operation: this.#operation(`finish the upload of ${digest}`),
      scopes: this.#target.scopes,
      headers: { "content-length": "0" },
      isIdempotent: false,
      isSlow: true,
      signal: this.#target.signal,
    });
    await drain(response.body);
    this.#check(response, digest);
  }

  async put(blob: Descriptor, open: () => AsyncIterable<Uint8Array>): Promise<void> {
    const response = await this.#target.session.send({
      method: "PUT",
      path: withDigest(this.#location, blob.digest),
      operation: this.#operation(`push blob ${blob.digest}`),
      scopes: this.#target.scopes,
      headers: { "content-type": "application/octet-stream", "content-length": String(blob.size) },
      body: open,
      isIdempotent: false,
      isSlow: true,
      signal: this.#target.signal,
    });
    await drain(response.body);
    this.#check(response, blob.digest);
  }

  async cancel(): Promise<void> {
    try {
      const response = await this.#target.session.send({
        method: "DELETE",
        path: this.#location,
        operation: this.#operation("cancel an upload"),
        scopes: this.#target.scopes,
        isIdempotent: false,
      });
      await drain(response.body);
    } catch {
      // The registry forgets abandoned uploads by itself.
    }
  }

  #operation(doing: string) {
    return { repository: this.#target.repository, doing };
  }

  /** Registries tell under which digest they stored it; another one means that something between us changed bytes. */
  #check(response: HttpResponse, digest: Digest): void {
    const found = response.headers["docker-content-digest"];
    if (found === undefined || found === digest || !found.startsWith("sha256:")) return;
    const operation: Operation = this.#target.session.operation(this.#operation(`push blob ${digest}`));
    throw protocolError(operation, `the registry stored another digest${place(operation)}`, {
      expected: digest,
      found,
    });
  }
}

function locationOf(
  session: Session,
  response: HttpResponse,
  from: URL | string,
  operation: Omit<Operation, "registry">,
) {
  return session.locate(response.headers.location, from, operation);
}

/** The Location's own query stays: registries keep the state of the upload in it. */
function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.searchParams.set("digest", digest);
  return url;
}
