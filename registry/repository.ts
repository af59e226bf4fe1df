/** One repository of a registry: manifests, blobs and tags, over the distribution protocol. Made by client.ts. */
import type { Descriptor } from "../layerfs/store/descriptor.ts";
import { type Digest, digestOf, isDigest } from "../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../native/error.ts";
import { mediaTypes } from "./oci/image.ts";
import { maxManifestBytes, mediaTypeOf, parseJson, schemaOne } from "./oci/schema.ts";
import { isTag } from "./reference.ts";

import { downloadBlob } from "./transport/download.ts";
import { drain, type HttpResponse, readAll } from "./transport/request.ts";
import { withRetry } from "./transport/retry.ts";
import type { Session } from "./transport/session.ts";
import { mountBlob, putBlob, startUpload, type Upload } from "./transport/upload.ts";

/** A manifest as it came, byte for byte. */
export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly descriptor: Descriptor;
}

export interface PushBlobOptions {
  /** Repositories of the same registry that are known to hold the blob. */
  readonly mountFrom?: readonly string[];
  readonly signal?: AbortSignal;
}

export interface Repository {
  readonly registry: string;
  readonly name: string;
  /** Which manifest a tag or digest names. Throws REG_NOT_FOUND. */
  resolve(tagOrDigest: string): Promise<Descriptor>;
  /** A manifest whose digest (and size, when a descriptor is given) was verified. Throws REG_NOT_FOUND, REG_DIGEST_MISMATCH. */
  manifest(which: Descriptor | string): Promise<FetchedManifest>;
  /**
   * A blob's bytes from `from` on; a broken connection is resumed where it broke. The caller verifies the digest, which
   * BlobStore.put does. Throws REG_NOT_FOUND, REG_SIZE_MISMATCH.
   */
  blob(blob: Descriptor, from?: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  hasBlob(digest: Digest): Promise<boolean>;
  /** Brings a blob there with as little work as may be; `open` may be called again after a broken connection. */
  pushBlob(
    blob: Descriptor,
    open: () => AsyncIterable<Uint8Array>,
    options?: PushBlobOptions,
  ): Promise<"sent" | "mounted" | "present">;
  /** For a layer that is sent while it is still being made: its digest is said at the end. */
  startUpload(signal?: AbortSignal): Promise<Upload>;
  pushManifest(bytes: Uint8Array, mediaType: string, tag?: string): Promise<Descriptor>;
  /** All tags, in the registry's order. */
  tags(): Promise<string[]>;
}

const accept = [mediaTypes.ociManifest, mediaTypes.ociIndex, mediaTypes.dockerManifest, mediaTypes.dockerIndex].join(
  ", ",
);
const maxMounts = 3;
const maxTagPages = 1000;
const maxPageBytes = 8 * 1024 * 1024;

export function openRepository(session: Session, name: string): Repository {
  return new RemoteRepository(session, name);
}

class RemoteRepository implements Repository {
  readonly registry: string;
  readonly name: string;
  readonly #session: Session;
  readonly #pull: readonly string[];
  readonly #push: readonly string[];

  constructor(session: Session, name: string) {
    this.#session = session;
    this.registry = session.registry;
    this.name = name;
    this.#pull = [`repository:${name}:pull`];
    this.#push = [`repository:${name}:pull,push`];
  }

  async resolve(tagOrDigest: string): Promise<Descriptor> {
    this.#checkName(tagOrDigest);
    const response = await this.#session.send({
      method: "HEAD",
      path: `/v2/${this.name}/manifests/${tagOrDigest}`,
      operation: this.#doing(`resolve ${tagOrDigest}`),
      scopes: this.#pull,
      headers: { accept },
      // Registries that do not know HEAD here, or answer it without the digest, are asked with GET.
      accept: [400, 405, 501],
      isIdempotent: true,
    });
    await drain(response.body);
    const { "docker-content-digest": digest = "", "content-length": length = "" } = response.headers;
    const mediaType = contentType(response.headers["content-type"]);
    if (response.status !== 200 || !isDigest(digest) || !/^\d{1,10}$/.test(length) || !isKnownType(mediaType))
      return (await this.manifest(tagOrDigest)).descriptor;
    if (isDigest(tagOrDigest) && digest !== tagOrDigest) throw this.#mismatch(tagOrDigest, digest, "manifest");
    return { mediaType, digest, size: Number(length) };
  }

  async manifest(which: Descriptor | string): Promise<FetchedManifest> {
    const name = typeof which === "string" ? which : which.digest;
    this.#checkName(name);
    // A manifest above the limit is not even begun, when its descriptor already says so.
    if (typeof which !== "string" && which.size > maxManifestBytes)
      throw new WbuildError(
        "REG_MANIFEST",
        `manifest ${name} has ${which.size} bytes, more than the ${maxManifestBytes} that are accepted`,
      );
    const { getManifest } = await import("./transport/distribution.ts");
    const { bytes, contentType: header } = await getManifest(this.#call(`fetch manifest ${name}`, this.#pull), name);
    const type = contentType(header);
    const digest = digestOf(bytes);
    if (isDigest(name) && digest !== name) throw this.#mismatch(name, digest, "manifest");
    const mediaType = isKnownType(type) ? type : mediaTypeOf(bytes);
    if (mediaType.startsWith("application/vnd.docker.distribution.manifest.v1")) throw schemaOne();
    const descriptor: Descriptor = { mediaType, digest, size: bytes.length };
    return { bytes, mediaType, descriptor: typeof which === "string" ? descriptor : { ...which, ...descriptor } };
  }

  blob(blob: Descriptor, from = 0, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    return downloadBlob({ session: this.#session, repository: this.name, scopes: this.#pull, signal }, blob, from);
  }

  async hasBlob(digest: Digest): Promise<boolean> {
    const response = await this.#session.send({
      method: "HEAD",
      path: `/v2/${this.name}/blobs/${digest}`,
      operation: this.#doing(`look for blob ${digest}`),
      scopes: this.#pull,
      accept: [404],
      isIdempotent: true,
    });
    await drain(response.body);
    return response.status !== 404;
  }

  async pushBlob(
    blob: Descriptor,
    open: () => AsyncIterable<Uint8Array>,
    options: PushBlobOptions = {},
  ): Promise<"sent" | "mounted" | "present"> {
    const target = { session: this.#session, repository: this.name, scopes: this.#push, signal: options.signal };
    if (await this.#isPresent(blob.digest)) return "present";
    let upload: Upload | undefined;
    for (const from of (options.mountFrom ?? []).filter((other) => other !== this.name).slice(0, maxMounts)) {
      await upload?.cancel();
      upload = undefined;
      const answer = await mountBlob(target, blob.digest, from).catch(ifRefused);
      if (answer === true) return "mounted";
      upload = answer;
    }
    await withRetry(this.#session.options.retry, options.signal, async () => {
      const open_ = upload ?? (await startUpload(target));
      // A broken upload cannot be continued from the middle; the next attempt opens its own.
      upload = undefined;
      await putBlob(open_, blob, open);
    });
    return "sent";
  }

  startUpload(signal?: AbortSignal): Promise<Upload> {
    return startUpload({ session: this.#session, repository: this.name, scopes: this.#push, signal });
  }

  async pushManifest(bytes: Uint8Array, mediaType: string, tag?: string): Promise<Descriptor> {
    const digest = digestOf(bytes);
    const name = tag ?? digest;
    this.#checkName(name);
    const { putManifest } = await import("./transport/distribution.ts");
    const stored = await putManifest(this.#call(`push manifest ${name}`, this.#push), name, bytes, mediaType);
    if (stored !== null && stored !== digest) throw this.#mismatch(digest, stored, "manifest");
    return { mediaType, digest, size: bytes.length };
  }

  async tags(): Promise<string[]> {
    const tags: string[] = [];
    const operation = this.#doing("list tags");
    let path: string | URL | undefined = `/v2/${this.name}/tags/list`;
    for (let page = 0; path !== undefined && page < maxTagPages; page++) {
      const response: HttpResponse = await this.#session.send({
        method: "GET",
        path,
        operation,
        scopes: this.#pull,
        headers: { accept: "application/json" },
        isIdempotent: true,
      });
      const bytes = await readAll(response.body, maxPageBytes);
      const json = parseJson(bytes ?? new Uint8Array(), maxPageBytes, "REG_PROTOCOL", "list of tags");
      const found: unknown = (json as { tags?: unknown }).tags;
      if (Array.isArray(found))
        tags.push(...found.filter((tag): tag is string => typeof tag === "string" && isTag(tag)));
      const link: string | undefined = /<([^>]+)>\s*;\s*rel="?next"?/.exec(response.headers.link ?? "")?.[1];
      path = link === undefined ? undefined : await this.#session.locate(link, path, operation);
    }
    return tags;
  }

  /** With no permission to look, the upload itself tells more than the look does. */
  async #isPresent(digest: Digest): Promise<boolean> {
    try {
      return await this.hasBlob(digest);
    } catch (error) {
      if (isWbuildError(error, "REG_DENIED") || isWbuildError(error, "REG_UNAUTHORIZED")) return false;
      throw error;
    }
  }

  #call(doing: string, scopes: readonly string[]) {
    return { session: this.#session, repository: this.name, scopes, operation: this.#doing(doing) };
  }

  #doing(doing: string) {
    return { repository: this.name, doing };
  }

  #place(): string {
    return `${this.registry}/${this.name}`;
  }

  /** Names become part of a URL's path; a caller's text must not leave its place there. */
  #checkName(name: string): void {
    if (isDigest(name) || isTag(name)) return;
    throw new WbuildError(
      "REG_REFERENCE",
      `${JSON.stringify(name.slice(0, 100))} is neither a tag nor a sha256 digest`,
    );
  }

  #mismatch(expected: string, found: string, what: string): WbuildError {
    return new WbuildError(
      "REG_DIGEST_MISMATCH",
      `${this.#place()} gave another ${what} than asked: ${found.slice(0, 80)} instead of ${expected}`,
      {
        facts: { registry: this.registry, repository: this.name, expected, found: found.slice(0, 80) },
        hint: "something between here and the registry changes content, or the registry is damaged",
      },
    );
  }
}

/** A registry that refuses a mount still takes the bytes. */
function ifRefused(error: unknown): undefined {
  const codes = ["REG_DENIED", "REG_UNAUTHORIZED", "REG_NOT_FOUND", "REG_PROTOCOL"] as const;
  if (codes.some((code) => isWbuildError(error, code))) return undefined;
  throw error;
}

function contentType(header: string | undefined): string {
  return header?.split(";")[0]?.trim().toLowerCase() ?? "";
}

function isKnownType(type: string): boolean {
  return (
    type.startsWith("application/vnd.oci.image.") || type.startsWith("application/vnd.docker.distribution.manifest.")
  );
}
