/**
 * The two protocols of GitHub's cache service behind one face. Entries have a key and never change; a look-up finds the
 * newest entry whose key begins with what is asked for. Storage is elsewhere, under addresses that carry their rights.
 */
import * as v from "valibot";
import { digestOf, hexOf } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import { GhaHttp } from "./gha-http.ts";
import type { GhaService } from "./spec.ts";

export interface GhaEntry {
  readonly key: string;
  readonly url: URL;
}

export interface GhaEntries {
  /** The entry of exactly this key or, when there is none, the newest one whose key begins so. */
  find(key: string): Promise<GhaEntry | undefined>;
  /** False: the key is taken already. */
  put(key: string, size: number, bytes: AsyncIterable<Uint8Array>): Promise<boolean>;
  /** The content of an entry; `find` again where an address has run out. */
  read(key: string, size: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** Entries of other programs under the same key are not ours: the version is part of every look-up. */
const version = hexOf(digestOf("wbuild cache/1"));
/** Bytes sent at a time. */
const chunkBytes = 16 * 1024 * 1024;

/** Opens nothing yet. Throws CACHE_SERVICE when the service's address is none. */
export function openGhaEntries(service: GhaService, signal: AbortSignal): GhaEntries {
  const base = baseOf(service);
  const http = new GhaHttp(service.token, signal);
  const protocol = service.version === 2 ? twirp(base, http) : rest(base, http);
  return {
    ...protocol,
    read: (key, size) =>
      http.download(
        async () => {
          const entry = await protocol.find(key);
          if (entry?.key === key) return entry.url;
          throw new WbuildError("CACHE_NOT_FOUND", `the cache service has no entry ${key}`, { facts: { key } });
        },
        size,
        `fetch ${key}`,
      ),
    close: () => http.close(),
  };
}

function baseOf(service: GhaService): URL {
  const text = (service.version === 2 ? service.urlV2 : service.url) ?? "";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "https:" || url?.protocol === "http:") {
    if (!url.pathname.endsWith("/")) url.pathname += "/";
    return url;
  }
  // Not quoted: some services have a token in their address.
  throw new WbuildError("CACHE_SERVICE", "the address of the cache service is no http or https URL", {
    hint: service.version === 2 ? "give url_v2=…, or $ACTIONS_RESULTS_URL" : "give url=…, or $ACTIONS_CACHE_URL",
  });
}

type Protocol = Pick<GhaEntries, "find" | "put">;

const restFound = v.looseObject({ cacheKey: v.pipe(v.string(), v.maxLength(1024)), archiveLocation: v.string() });
const restReserved = v.looseObject({ cacheId: v.pipe(v.number(), v.safeInteger()) });

/** Version 1: REST below `_apis/artifactcache/`. */
function rest(base: URL, http: GhaHttp): Protocol {
  const service = new URL("_apis/artifactcache/", base);
  const headers = { accept: "application/json;api-version=6.0-preview.1", "content-type": "application/json" };
  return {
    async find(key) {
      const doing = `look for ${key}`;
      const url = new URL(`cache?keys=${encodeURIComponent(key)}&version=${version}`, service);
      const { body } = await http.json({ method: "GET", url, doing, headers, accept: [404], isService: true });
      const found = v.safeParse(restFound, body);
      if (!found.success) return undefined;
      return { key: found.output.cacheKey, url: http.storage(found.output.archiveLocation, service, doing) };
    },
    async put(key, size, bytes) {
      const doing = `save ${key}`;
      const reserved = await http.json({
        method: "POST",
        url: new URL("caches", service),
        doing,
        headers,
        body: json({ key, version, cacheSize: size }),
        accept: [409],
        isService: true,
      });
      const entry = v.safeParse(restReserved, reserved.body);
      if (!entry.success || reserved.status === 409) return false;
      const url = new URL(`caches/${entry.output.cacheId}`, service);
      let at = 0;
      for await (const chunk of chunks(bytes)) {
        await http.done({
          method: "PATCH",
          url,
          doing,
          headers: {
            ...headers,
            "content-type": "application/octet-stream",
            "content-range": `bytes ${at}-${at + chunk.length - 1}/*`,
          },
          body: chunk,
          isService: true,
        });
        at += chunk.length;
      }
      await http.done({ method: "POST", url, doing, headers, body: json({ size: at }), isService: true });
      return true;
    },
  };
}

/** Twirp writes names as the protocol's text has them, or as JavaScript would. */
const upload = v.looseObject({
  ok: v.optional(v.boolean(), false),
  signed_upload_url: v.optional(v.string()),
  signedUploadUrl: v.optional(v.string()),
});
const download = v.looseObject({
  ok: v.optional(v.boolean(), false),
  signed_download_url: v.optional(v.string()),
  signedDownloadUrl: v.optional(v.string()),
  matched_key: v.optional(v.string()),
  matchedKey: v.optional(v.string()),
});

/** Version 2: Twirp calls, and Azure's block blobs as storage. */
function twirp(base: URL, http: GhaHttp): Protocol {
  const call = (method: string, doing: string, body: object, accept: readonly number[]) =>
    http.json({
      method: "POST",
      url: new URL(`twirp/github.actions.results.api.v1.CacheService/${method}`, base),
      doing,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: json(body),
      accept,
      isService: true,
    });
  return {
    async find(key) {
      const doing = `look for ${key}`;
      const { body } = await call("GetCacheEntryDownloadURL", doing, { key, restore_keys: [key], version }, [404]);
      const found = v.safeParse(download, body);
      if (!found.success || !found.output.ok) return undefined;
      const { signed_download_url: url = found.output.signedDownloadUrl, matched_key: matched } = found.output;
      return { key: matched ?? found.output.matchedKey ?? key, url: http.storage(url, base, doing) };
    },
    async put(key, size, bytes) {
      const doing = `save ${key}`;
      const { body } = await call("CreateCacheEntry", doing, { key, version }, [409]);
      const created = v.safeParse(upload, body);
      if (!created.success || !created.output.ok) return false;
      const { signed_upload_url: signed = created.output.signedUploadUrl } = created.output;
      const sent = await putBlocks(http, http.storage(signed, base, doing), doing, bytes);
      const finished = await call("FinalizeCacheEntryUpload", doing, { key, version, size_bytes: String(sent) }, []);
      const taken = v.safeParse(upload, finished.body);
      if (taken.success && taken.output.ok) return true;
      throw new WbuildError("CACHE_SERVICE", `cannot ${doing}: the cache service did not take ${size} bytes`);
    },
  };
}

/** Azure storage, "Put Blob" for what is small, else "Put Block" and "Put Block List". Gives how many bytes went. */
async function putBlocks(http: GhaHttp, url: URL, doing: string, bytes: AsyncIterable<Uint8Array>): Promise<number> {
  const headers = { "x-ms-version": "2020-10-02", "content-type": "application/octet-stream" };
  const ids: string[] = [];
  let sent = 0;
  let first: Buffer | undefined;
  const putBlock = async (block: Buffer) => {
    const id = Buffer.from(String(ids.length).padStart(8, "0")).toString("base64");
    await http.done({
      method: "PUT",
      url: withQuery(url, { comp: "block", blockid: id }),
      doing,
      headers,
      body: block,
    });
    ids.push(id);
  };
  for await (const chunk of chunks(bytes)) {
    sent += chunk.length;
    if (first === undefined && ids.length === 0) {
      first = chunk;
      continue;
    }
    if (first) await putBlock(first);
    first = undefined;
    await putBlock(chunk);
  }
  if (ids.length === 0) {
    const whole = { ...headers, "x-ms-blob-type": "BlockBlob" };
    await http.done({ method: "PUT", url, doing, headers: whole, body: first ?? Buffer.alloc(0) });
    return sent;
  }
  const list = ids.map((id) => `<Latest>${id}</Latest>`).join("");
  const body = Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`);
  await http.done({
    method: "PUT",
    url: withQuery(url, { comp: "blocklist" }),
    doing,
    headers: { ...headers, "content-type": "application/xml" },
    body,
  });
  return sent;
}

/** The signature in the query stays as it is. */
function withQuery(url: URL, more: Readonly<Record<string, string>>): URL {
  const made = new URL(url);
  for (const [name, value] of Object.entries(more)) made.searchParams.set(name, value);
  return made;
}

function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value), "utf8");
}

/** The same bytes in pieces of one size, so that each can be sent again. */
async function* chunks(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of bytes) {
    for (let at = 0; at < part.length; ) {
      const piece = part.subarray(at, at + chunkBytes - size);
      parts.push(piece);
      size += piece.length;
      at += piece.length;
      if (size < chunkBytes) continue;
      yield Buffer.concat(parts);
      parts = [];
      size = 0;
    }
  }
  if (size > 0) yield Buffer.concat(parts);
}
