/** A repository over the distribution protocol. */
import type { Descriptor } from "../layerfs/store/descriptor.ts";
import { type Digest, digestOf, isDigest } from "../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../native/error.ts";
import { maxManifestBytes, mediaTypeOf, schemaOne } from "./oci/schema.ts";
import { isTag } from "./reference.ts";
import type { FetchedManifest, PushBlobOptions, ReferrersOptions, Repository, TagsOptions } from "./repository.ts";
import { downloadBlob } from "./transport/download.ts";
import { drain } from "./transport/request.ts";
import { sendBlob } from "./transport/send-blob.ts";
import type { Session } from "./transport/session.ts";
import { mountBlob, type OpenUpload, startUpload, type Upload } from "./transport/upload.ts";

const maxMounts = 3;

/** One repository of one registry, by its path there (`library/alpine`). Its requests go through the session. */
export function openRepository(session: Session, name: string): Repository {
  return new RemoteRepository(session, name);
}

class RemoteRepository implements Repository {
  readonly registry: string;
  readonly name: string;
  readonly #session: Session;
  readonly #pull: readonly string[];
  readonly #push: readonly string[];
  readonly #delete: readonly string[];

  constructor(session: Session, name: string) {
    this.#session = session;
    this.registry = session.registry;
    this.name = name;
    this.#pull = [`repository:${name}:pull`];
    this.#push = [`repository:${name}:pull,push`];
    this.#delete = [`repository:${name}:pull,push,delete`];
  }

  async resolve(tagOrDigest: string): Promise<Descriptor> {
    this.#checkName(tagOrDigest);
    const { acceptManifests } = await import("./transport/distribution.ts");
    const response = await this.#session.send({
      method: "HEAD",
      path: `/v2/${this.name}/manifests/${tagOrDigest}`,
      operation: this.#doing(`resolve ${tagOrDigest}`),
      scopes: this.#pull,
      headers: { accept: acceptManifests },
      // Registries that do not know HEAD here, or answer it without the digest, are asked with GET.
      accept: [400, 405, 501],
      isIdempotent: true,
    });
    await drain(response.body);
    const { "docker-content-digest": digest = "", "content-length": length = "" } = response.headers;
    const mediaType = contentType(response.headers["content-type"]);
    if (response.status !== 200 || !isDigest(digest) || !/^\d{1,10}$/.test(length) || !isKnownType(mediaType))
      return (await this.manifest(tagOrDigest)).descriptor;
    if (isDigest(tagOrDigest) && digest !== tagOrDigest) throw this.#mismatch(tagOrDigest, digest);
    return { mediaType, digest, size: Number(length) };
  }

  async manifest(which: Descriptor | string): Promise<FetchedManifest> {
    const name = typeof which === "string" ? which : which.digest;
    this.#checkName(name);
    for (;;)
      try {
        return await this.#manifest(which, name);
      } catch (error) {
        const isWrong =
          isWbuildError(error, "REG_DIGEST_MISMATCH") ||
          isWbuildError(error, "REG_SIZE_MISMATCH") ||
          (isDigest(name) && isWbuildError(error, "REG_MANIFEST"));
        if (!isWrong || !this.distrust(name)) throw error;
      }
  }

  async #manifest(which: Descriptor | string, name: string): Promise<FetchedManifest> {
    // A manifest above the limit is not even begun, when its descriptor already says so.
    if (typeof which !== "string" && which.size > maxManifestBytes)
      throw new WbuildError(
        "REG_MANIFEST",
        `manifest ${name} has ${which.size} bytes, more than the ${maxManifestBytes} that are accepted`,
      );
    const { getManifest } = await import("./transport/distribution.ts");
    const answer = await getManifest(this.#call(`fetch manifest ${name}`, this.#pull), name);
    const { bytes } = answer;
    const type = contentType(answer.contentType);
    const digest = digestOf(bytes);
    if (isDigest(name) && digest !== name) throw this.#mismatch(name, digest);
    // Under a tag, only the registry's own word tells whether the bytes changed on their way.
    if (isDigest(answer.digest) && digest !== answer.digest) throw this.#mismatch(answer.digest, digest);
    if (typeof which !== "string" && which.size !== bytes.length) throw this.#wrongSize(which, bytes.length);
    const mediaType = isKnownType(type) ? type : mediaTypeOf(bytes);
    if (mediaType.startsWith("application/vnd.docker.distribution.manifest.v1")) throw schemaOne();
    const descriptor: Descriptor = { mediaType, digest, size: bytes.length };
    return { bytes, mediaType, descriptor: typeof which === "string" ? descriptor : { ...which, ...descriptor } };
  }

  blob(blob: Descriptor, from = 0, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    return downloadBlob({ session: this.#session, repository: this.name, scopes: this.#pull, signal }, blob, from);
  }

  distrust(tagOrDigest: string): boolean {
    return this.#session.distrust(tagOrDigest);
  }

  async hasBlob(digest: Digest, signal?: AbortSignal): Promise<boolean> {
    const response = await this.#session.send({
      method: "HEAD",
      path: `/v2/${this.name}/blobs/${digest}`,
      operation: this.#doing(`look for blob ${digest}`),
      scopes: this.#pull,
      accept: [404],
      isIdempotent: true,
      signal,
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
    const isPresent = () => this.#isPresent(blob.digest, options.signal);
    if (await isPresent()) return "present";
    let upload: OpenUpload | undefined;
    for (const from of (options.mountFrom ?? []).filter((other) => other !== this.name).slice(0, maxMounts)) {
      await upload?.cancel();
      upload = undefined;
      const answer = await mountBlob(target, blob.digest, from).catch(ifRefused);
      if (answer === true) {
        options.onMount?.(from);
        return "mounted";
      }
      upload = answer;
    }
    const openAt = options.openAt ?? ((from) => passingOver(open(), from));
    await sendBlob(target, blob, openAt, upload, isPresent);
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
    if (stored.digest !== null && stored.digest !== digest) throw this.#mismatch(digest, stored.digest);
    const descriptor = { mediaType, digest, size: bytes.length };
    // A registry that says nothing of the subject keeps no list of what refers to it: then its clients do.
    if (stored.subject === null && mayHaveSubject(bytes))
      await (await import("./referrers.ts")).noteReferrer(this, descriptor, bytes);
    return descriptor;
  }

  async referrers(digest: Digest, options: ReferrersOptions = {}): Promise<Descriptor[]> {
    this.#checkName(digest);
    return (await import("./referrers.ts")).listReferrers(this.#session, this, digest, options);
  }

  async tags(options: TagsOptions = {}): Promise<string[]> {
    const tags: string[] = [];
    for await (const page of this.tagPages(options)) tags.push(...page);
    return tags;
  }

  async *tagPages({ last, pageSize, limit = Infinity }: TagsOptions = {}): AsyncGenerator<readonly string[]> {
    const { pagesOf } = await import("./transport/pages.ts");
    const query = new URLSearchParams();
    if (pageSize !== undefined) query.set("n", String(pageSize));
    if (last !== undefined) query.set("last", last);
    const pages = pagesOf(this.#session, {
      path: `/v2/${this.name}/tags/list${query.size > 0 ? `?${query}` : ""}`,
      operation: this.#doing("list tags"),
      scopes: this.#pull,
      type: "application/json",
      what: "list of tags",
    });
    let left = limit;
    if (left <= 0) return;
    for await (const { content } of pages) {
      const found: unknown = (content as { tags?: unknown }).tags;
      const isName = (tag: unknown): tag is string => typeof tag === "string" && isTag(tag);
      const tags = Array.isArray(found) ? found.filter(isName).slice(0, left) : [];
      left -= tags.length;
      if (tags.length > 0) yield tags;
      if (left <= 0) return;
    }
  }

  async deleteManifest(tagOrDigest: string): Promise<void> {
    this.#checkName(tagOrDigest);
    const { remove, removeTag } = await import("./transport/removal.ts");
    const call = this.#call(`delete ${isDigest(tagOrDigest) ? "manifest" : "tag"} ${tagOrDigest}`, this.#delete);
    if (!isDigest(tagOrDigest)) return removeTag(call, tagOrDigest);
    const { forgetReferrer, referrersTag, subjectOf } = await import("./referrers.ts");
    // What cannot be read can still be deleted.
    const found = await this.manifest(tagOrDigest).catch((error: unknown) => {
      if (isWbuildError(error, "REG_MANIFEST") || isWbuildError(error, "REG_DIGEST_MISMATCH")) return undefined;
      throw error;
    });
    const subject = found && subjectOf(found.bytes);
    await remove(call, "manifests", tagOrDigest);
    // Where clients keep the list of referrers, who deletes one takes it off the list.
    if (subject !== undefined && (await this.#exists(referrersTag(subject))))
      await forgetReferrer(this, subject, tagOrDigest);
  }

  async deleteBlob(digest: Digest): Promise<void> {
    this.#checkName(digest);
    const { remove } = await import("./transport/removal.ts");
    await remove(this.#call(`delete blob ${digest}`, this.#delete), "blobs", digest);
  }

  async #exists(tag: string): Promise<boolean> {
    try {
      await this.resolve(tag);
      return true;
    } catch (error) {
      if (isWbuildError(error, "REG_NOT_FOUND")) return false;
      throw error;
    }
  }

  /** With no permission to look, or where that is not known (HEAD is refused), the upload itself tells more than the look does. */
  async #isPresent(digest: Digest, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      return await this.hasBlob(digest, signal);
    } catch (error) {
      const codes = ["REG_DENIED", "REG_UNAUTHORIZED", "REG_PROTOCOL"] as const;
      if (codes.some((code) => isWbuildError(error, code))) return false;
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

  #wrongSize({ digest, size }: Descriptor, found: number): WbuildError {
    return new WbuildError(
      "REG_SIZE_MISMATCH",
      `manifest ${digest} of ${this.#place()} has ${found} bytes, not the ${size} that its descriptor says`,
      {
        facts: { registry: this.registry, repository: this.name, expected: size, found },
        hint: "whoever made the index wrote a wrong size; push it again",
      },
    );
  }

  #mismatch(expected: string, found: string): WbuildError {
    return new WbuildError(
      "REG_DIGEST_MISMATCH",
      `${this.#place()} gave another manifest than asked: ${found.slice(0, 80)} instead of ${expected}`,
      {
        facts: { registry: this.registry, repository: this.name, expected, found: found.slice(0, 80) },
        hint: "something between here and the registry changes content, or the registry is damaged",
      },
    );
  }
}

/** A registry that refuses a mount, or fails over it, may still take the bytes. */
function ifRefused(error: unknown): undefined {
  const codes = [
    "REG_DENIED",
    "REG_UNAUTHORIZED",
    "REG_NOT_FOUND",
    "REG_PROTOCOL",
    "REG_UNSUPPORTED",
    "REG_UNAVAILABLE",
  ] as const;
  if (codes.some((code) => isWbuildError(error, code))) return undefined;
  throw error;
}

async function* passingOver(bytes: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count;
  for await (const part of bytes) {
    if (left < part.length) yield part.subarray(left);
    left -= Math.min(left, part.length);
  }
}

function contentType(header: string | undefined): string {
  return header?.split(";")[0]?.trim().toLowerCase() ?? "";
}

/** A type that says what the manifest is; general ones such as application/json do not. */
function isKnownType(type: string): boolean {
  return /^application\/vnd\.[\w.+-]{1,200}$/.test(type);
}

/** A look without parsing: most manifests have no subject. */
function mayHaveSubject(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes('"subject"');
}
