/**
 * GitHub's cache service in small, on loopback: version 1 (REST), version 2 (Twirp) and the block storage behind it.
 * Entries never change; a look-up finds an entry by its key or, the newest first, by how a key begins.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { onLoopback } from "./loopback.ts";

export interface GhaDouble extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  /** Finished entries, oldest first. */
  readonly entries: { readonly key: string; readonly version: string; bytes: Buffer }[];
  /** `POST /path?query`, in order. */
  readonly requests: string[];
  /** Asked before each request: true when it has answered in the service's stead. */
  misbehave: (
    request: { method: string; path: string; headers: IncomingMessage["headers"] },
    response: ServerResponse,
  ) => boolean;
}

interface Upload {
  readonly key: string;
  readonly version: string;
  readonly blocks: Map<string, Buffer>;
  bytes: Buffer;
}

const service = "/twirp/github.actions.results.api.v1.CacheService/";

export async function startGha(): Promise<GhaDouble> {
  const uploads: Upload[] = [];
  const find = (keys: readonly string[], version: string) => {
    const newest = [...double.entries].reverse().filter((entry) => entry.version === version);
    for (const key of keys) {
      const found = newest.find((entry) => entry.key === key) ?? newest.find((entry) => entry.key.startsWith(key));
      if (found) return found;
    }
    return undefined;
  };
  const reserve = (key: string, version: string): number | undefined => {
    if (double.entries.some((entry) => entry.key === key && entry.version === version)) return undefined;
    return uploads.push({ key, version, blocks: new Map(), bytes: Buffer.alloc(0) }) - 1;
  };
  const finish = (upload: Upload, size: number): boolean => {
    if (upload.bytes.length !== size) return false;
    double.entries.push({ key: upload.key, version: upload.version, bytes: upload.bytes });
    return true;
  };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      double.requests.push(`${method} ${path}`);
      if (!double.misbehave({ method, path, headers }, response)) answer(request, Buffer.concat(parts), response);
    });
  });
  const loopback = await onLoopback(server);
  const double: GhaDouble = {
    url: `http://${loopback.host}/tenant/`,
    token: "eyJ0ZXN0.c2VjcmV0LW9mLXRoZS1ydW4.c2lnbmF0dXJl",
    entries: [],
    requests: [],
    misbehave: () => false,
    [Symbol.asyncDispose]: () => loopback[Symbol.asyncDispose](),
  };
  return double;

  function answer(
    { method, url: path = "", headers }: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
  ): unknown {
    const url = new URL(path, double.url);
    if (url.pathname.startsWith("/storage/")) return storage(method ?? "", url, headers, body, response);
    if (headers.authorization !== `Bearer ${double.token}`) return json(response, 401, { msg: "who are you?" });
    if (!url.pathname.startsWith("/tenant/")) return json(response, 404, {});
    const rest = url.pathname.slice("/tenant".length);
    if (rest.startsWith(service)) return twirp(rest.slice(service.length), JSON.parse(body.toString()), response);
    return restful(method ?? "", rest, url, headers, body, response);
  }

  function restful(
    method: string,
    path: string,
    url: URL,
    headers: IncomingMessage["headers"],
    body: Buffer,
    response: ServerResponse,
  ) {
    if (method === "GET" && path === "/_apis/artifactcache/cache") {
      const keys = (url.searchParams.get("keys") ?? "").split(",");
      const found = find(keys, url.searchParams.get("version") ?? "");
      if (!found) return response.writeHead(204).end();
      return json(response, 200, { cacheKey: found.key, archiveLocation: download(found), scope: "refs/heads/main" });
    }
    if (method === "POST" && path === "/_apis/artifactcache/caches") {
      const { key, version } = JSON.parse(body.toString()) as { key: string; version: string };
      const id = reserve(key, version);
      return id === undefined
        ? json(response, 409, { message: "already there" })
        : json(response, 201, { cacheId: id });
    }
    const upload = uploads[Number(/^\/_apis\/artifactcache\/caches\/(\d+)$/.exec(path)?.[1] ?? -1)];
    if (!upload) return json(response, 404, {});
    if (method === "PATCH") {
      const [, from, to] = /^bytes (\d+)-(\d+)\/\*$/.exec(headers["content-range"] ?? "") ?? [];
      if (Number(from) !== upload.bytes.length || Number(to) - Number(from) + 1 !== body.length)
        return json(response, 400, { message: "wrong range" });
      upload.bytes = Buffer.concat([upload.bytes, body]);
      return response.writeHead(204).end();
    }
    const { size } = JSON.parse(body.toString()) as { size: number };
    return response.writeHead(finish(upload, size) ? 204 : 400).end();
  }

  function twirp(name: string, asked: Record<string, unknown>, response: ServerResponse): unknown {
    const key = String(asked.key);
    const version = String(asked.version);
    switch (name) {
      case "GetCacheEntryDownloadURL": {
        const found = find([key, ...((asked.restore_keys as string[] | undefined) ?? [])], version);
        return json(
          response,
          200,
          found ? { ok: true, signed_download_url: download(found), matched_key: found.key } : { ok: false },
        );
      }
      case "CreateCacheEntry": {
        const id = reserve(key, version);
        if (id === undefined) return json(response, 409, { code: "already_exists", msg: "cache entry exists" });
        return json(response, 200, {
          ok: true,
          signed_upload_url: `${new URL(double.url).origin}/storage/up/${id}?sig=write`,
        });
      }
      case "FinalizeCacheEntryUpload": {
        const upload = uploads.find((one) => one.key === key && one.version === version);
        const ok = upload !== undefined && finish(upload, Number(asked.size_bytes));
        return json(response, 200, ok ? { ok, entry_id: "1" } : { ok: false });
      }
      default:
        return json(response, 404, { code: "bad_route" });
    }
  }

  function download(entry: GhaDouble["entries"][number]): string {
    return `${new URL(double.url).origin}/storage/down/${double.entries.indexOf(entry)}?sig=read`;
  }

  /** Rights are in the query, and nobody shows a token here. */
  function storage(
    method: string,
    url: URL,
    headers: IncomingMessage["headers"],
    body: Buffer,
    response: ServerResponse,
  ) {
    const [, , way, id] = url.pathname.split("/");
    if (headers.authorization !== undefined) return json(response, 400, { message: "a token does not belong here" });
    if (way === "down" && url.searchParams.get("sig") === "read") {
      const bytes = double.entries[Number(id)]?.bytes;
      const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
      if (!bytes) return response.writeHead(404).end();
      return response
        .writeHead(headers.range ? 206 : 200, { "content-length": bytes.length - from })
        .end(bytes.subarray(from));
    }
    const upload = uploads[Number(id)];
    if (way !== "up" || method !== "PUT" || url.searchParams.get("sig") !== "write" || !upload)
      return response.writeHead(403).end();
    const comp = url.searchParams.get("comp");
    if (comp === "block") upload.blocks.set(url.searchParams.get("blockid") ?? "", body);
    else if (comp === "blocklist")
      upload.bytes = Buffer.concat(
        [...body.toString().matchAll(/<Latest>([^<]+)<\/Latest>/g)].map(
          ([, one = ""]) => upload.blocks.get(one) ?? Buffer.alloc(0),
        ),
      );
    else if (headers["x-ms-blob-type"] === "BlockBlob") upload.bytes = body;
    else return response.writeHead(400).end();
    return response.writeHead(201).end();
  }
}

function json(response: ServerResponse, status: number, value: object): unknown {
  return response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}
