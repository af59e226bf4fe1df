/** One blob upload while it lasts: the registry names a new place after each step (distribution specification, "Pushing Blobs"). */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { type Operation, place, protocolError } from "./complaint.ts";
import { drain, type HttpResponse } from "./request.ts";
import { isTransient } from "./retry.ts";
import type { Ask, Session } from "./session.ts";

export interface Upload {
  /**
   * Streams bytes into the upload as they come; they need no length. May be called several times, one after the other.
   * Not repeatable: after a failure `stored` tells from where on bytes are wanted. Resolves with the bytes of this call.
   */
  write(bytes: AsyncIterable<Uint8Array>): Promise<number>;
  /**
   * How many bytes the registry has of it, so that a broken upload goes on from there; undefined when it no longer knows
   * the upload or does not tell. Throws only when it cannot be asked.
   */
  stored(): Promise<number | undefined>;
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

/** A piece of a blob: bytes `from` up to, but without, `to`. */
export interface Piece {
  readonly from: number;
  readonly to: number;
  readonly body: () => AsyncIterable<Uint8Array>;
}

/** Bytes. A registry that wants larger pieces than this is not obeyed: they could not be sent again cheaply. */
const maxMinimum = 1024 * 1024 * 1024;

/** Opens an upload session. */
export async function startUpload(target: UploadTarget): Promise<OpenUpload> {
  const operation = { repository: target.repository, doing: "start an upload" };
  return open(target, `/v2/${target.repository}/blobs/uploads/`, operation, target.scopes);
}

/**
 * Asks the registry to take a blob over from another of its repositories. True: it has. Otherwise an upload is open,
 * and this is it. Distribution specification, "Mounting a blob from another repository".
 */
export async function mountBlob(target: UploadTarget, digest: Digest, from: string): Promise<true | OpenUpload> {
  const operation = { repository: target.repository, doing: `mount blob ${digest} from ${from}` };
  const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  const scopes = [...target.scopes, `repository:${from}:pull`];
  return open(target, `/v2/${target.repository}/blobs/uploads/?${query}`, operation, scopes, true);
}

async function open<Mounts extends boolean = false>(
  target: UploadTarget,
  path: string,
  operation: Omit<Operation, "registry">,
  scopes: readonly string[],
  mounts?: Mounts,
): Promise<OpenUpload | (Mounts extends true ? true : never)> {
  const response = await target.session.send({
    method: "POST",
    path,
    operation,
    scopes,
    headers: { "content-length": "0" },
    // A session that nobody uses is forgotten by the registry; so opening another one changes nothing.
    isIdempotent: true,
    signal: target.signal,
  });
  await drain(response.body);
  if (mounts === true && response.status === 201) return true as Mounts extends true ? true : never;
  const location = await target.session.locate(response.headers.location, path, operation);
  return new OpenUpload(target, location, Number(response.headers["oci-chunk-min-length"] ?? 0));
}

export class OpenUpload implements Upload {
  /** Bytes that every piece but the last must have (`OCI-Chunk-Min-Length`); 0 when the registry does not say. */
  readonly minimum: number;
  readonly #target: UploadTarget;
  #location: URL;

  constructor(target: UploadTarget, location: URL, minimum: number) {
    this.#target = target;
    this.#location = location;
    this.minimum = Number.isSafeInteger(minimum) && minimum > 0 && minimum <= maxMinimum ? minimum : 0;
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
    await this.#patch("upload a layer", { "content-type": "application/octet-stream" }, counted());
    return sent;
  }

  /** Sends one piece of a blob behind those before it. Throws with errno UPLOAD_RANGE when the registry has other bytes. */
  async append(blob: Descriptor, { from, to, body }: Piece): Promise<void> {
    const headers = {
      "content-type": "application/octet-stream",
      "content-length": String(to - from),
      // Unlike in HTTP, without a unit and a total.
      "content-range": `${from}-${to - 1}`,
    };
    await this.#patch(`push blob ${blob.digest}`, headers, body);
  }

  async #patch(doing: string, headers: Record<string, string>, body: Ask["body"] & object): Promise<void> {
    const response = await this.#step({ method: "PATCH", path: this.#location, headers, body, isSlow: true }, doing);
    this.#location = await this.#target.session.locate(
      response.headers.location,
      this.#location,
      this.#operation(doing),
    );
  }

  async finish(digest: Digest): Promise<void> {
    const path = withDigest(this.#location, digest);
    const headers = { "content-length": "0" };
    const response = await this.#step({ method: "PUT", path, headers, isSlow: true }, `finish the upload of ${digest}`);
    this.#check(response, digest);
  }

  /** The whole blob in one request. */
  async put(blob: Descriptor, body: () => AsyncIterable<Uint8Array>): Promise<void> {
    const path = withDigest(this.#location, blob.digest);
    const headers = { "content-type": "application/octet-stream", "content-length": String(blob.size) };
    const response = await this.#step({ method: "PUT", path, headers, body, isSlow: true }, `push blob ${blob.digest}`);
    this.#check(response, blob.digest);
  }

  async stored(): Promise<number | undefined> {
    const { session, scopes, signal } = this.#target;
    const operation = this.#operation("ask how much of an upload has arrived");
    let response: HttpResponse;
    try {
      const path = this.#location;
      response = await session.send({ method: "GET", path, operation, scopes, isIdempotent: true, signal });
    } catch (error) {
      // Registries that cannot answer this have forgotten the upload, or never keep a part of one.
      if (isWbuildError(error) && !isTransient(error) && typeof error.facts.status === "number") return undefined;
      throw error;
    }
    await drain(response.body);
    const { location, range = "" } = response.headers;
    if (location !== undefined) this.#location = await session.locate(location, this.#location, operation);
    const last = /^(?:bytes[= ])?0-(\d{1,15})$/.exec(range.trim())?.[1];
    // `0-0` says one byte as well as none: nothing is lost by beginning anew.
    return last === undefined || last === "0" ? undefined : Number(last) + 1;
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

  /** One request of the upload. That the registry lost it, or has other bytes of it, is worth another attempt. */
  async #step(ask: Pick<Ask, "method" | "path" | "headers" | "body" | "isSlow">, doing: string): Promise<HttpResponse> {
    const { session, scopes, signal } = this.#target;
    const operation = this.#operation(doing);
    const response = await session.send({
      ...ask,
      operation,
      scopes,
      accept: [404, 416],
      isIdempotent: false,
      signal,
    });
    await drain(response.body);
    const { status } = response;
    if (status !== 404 && status !== 416) return response;
    const full = session.operation(operation);
    const why = status === 404 ? "it no longer knows the upload" : "it has other bytes of the upload than were sent";
    throw new WbuildError("REG_UNAVAILABLE", `cannot ${doing}${place(full)}: ${why}`, {
      facts: {
        ...full,
        doing: undefined,
        operation: doing,
        status,
        errno: status === 404 ? "UPLOAD_LOST" : "UPLOAD_RANGE",
      },
      hint: "try again; if it stays so, several servers behind one name may not share their uploads",
    });
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

/** The Location's own query stays as it is written: registries keep the state of the upload in it, and some sign it. */
function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.search += `${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(digest)}`;
  return url;
}
