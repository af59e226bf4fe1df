/**
 * A registry in memory that knows what Debian's docker-registry 2.8 does not: uploads that keep their parts and tell how
 * much they have, pieces of a least size, and if wanted a list of referrers (OCI distribution specification 1.1).
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { digestOf } from "../../layerfs/store/digest.ts";
import { complain } from "./fake-registry.ts";
import { onLoopback } from "./loopback.ts";

export interface SpecRegistry extends AsyncDisposable {
  readonly host: string;
  readonly blobs: Map<string, Buffer>;
  /** By name (tag or digest). */
  readonly manifests: Map<string, { readonly bytes: Buffer; readonly type: string }>;
  /** Uploads that were neither finished nor cancelled, with what came of them. */
  readonly uploads: Map<string, Buffer>;
  /** Method and first letters of the path of every request. */
  readonly requests: string[];
}

export interface SpecOptions {
  /** `OCI-Chunk-Min-Length`. */
  readonly minimum?: number;
  /** Lists what names a manifest as its subject; without it that is not found, as in docker's registry 2.8. */
  readonly referrers?: boolean;
}

/** What a manifest says of others, and of itself to them. */
interface Related {
  readonly subject?: { readonly digest: string };
  readonly artifactType?: string;
  readonly config?: { readonly mediaType: string };
  readonly annotations?: object;
}

/** Answers for every repository alike. */
export async function startSpecRegistry({ minimum, referrers }: SpecOptions = {}): Promise<SpecRegistry> {
  const blobs: SpecRegistry["blobs"] = new Map();
  const manifests: SpecRegistry["manifests"] = new Map();
  const uploads = new Map<string, Buffer>();
  const requests: string[] = [];
  let count = 0;

  const told = (id: string) => {
    const size = uploads.get(id)?.length ?? 0;
    return { location: `/up/${id}?state=a%2Bb&seen=${size}`, range: `0-${Math.max(0, size - 1)}` };
  };

  const upload = async (request: IncomingMessage, response: ServerResponse, url: URL, id: string) => {
    const has = uploads.get(id);
    if (has === undefined) return complain(response, 404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
    if (request.method === "GET") return response.writeHead(204, told(id)).end();
    if (request.method === "DELETE") return uploads.delete(id) && response.writeHead(204).end();
    const start = /^(\d+)-\d+$/.exec(request.headers["content-range"] ?? "")?.[1];
    if (start !== undefined && Number(start) !== has.length) {
      request.resume();
      return response.writeHead(416, told(id)).end();
    }
    // What comes before a break stays.
    for await (const part of request) uploads.set(id, Buffer.concat([uploads.get(id) ?? has, part as Buffer]));
    if (request.method === "PATCH") return response.writeHead(202, told(id)).end();
    const bytes = uploads.get(id) ?? has;
    const digest = url.searchParams.get("digest") ?? "";
    uploads.delete(id);
    if (digestOf(bytes) !== digest) return complain(response, 400, "DIGEST_INVALID", "not what it says");
    blobs.set(digest, bytes);
    return response.writeHead(201, { location: `/v2/x/blobs/${digest}`, "docker-content-digest": digest }).end();
  };

  const blob = (request: IncomingMessage, response: ServerResponse, digest: string) => {
    const bytes = blobs.get(digest);
    if (bytes === undefined) return complain(response, 404, "BLOB_UNKNOWN", "no such blob");
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const range = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    const headers = { "content-length": bytes.length - from, "docker-content-digest": digest };
    response.writeHead(from > 0 ? 206 : 200, from > 0 ? { ...headers, ...range } : headers);
    return response.end(request.method === "HEAD" ? undefined : bytes.subarray(from));
  };

  const manifest = async (request: IncomingMessage, response: ServerResponse, name: string) => {
    if (request.method === "PUT") {
      const bytes = await bodyOf(request);
      const entry = { bytes, type: request.headers["content-type"] ?? "" };
      const digest = digestOf(bytes);
      for (const key of [digest, name]) manifests.set(key, entry);
      const subject = referrers && (JSON.parse(bytes.toString("utf8")) as Related).subject?.digest;
      const told = subject ? { "oci-subject": subject } : {};
      return response.writeHead(201, { location: "/x", "docker-content-digest": digest, ...told }).end();
    }
    const found = manifests.get(name);
    if (found === undefined) return complain(response, 404, "MANIFEST_UNKNOWN", "no such manifest");
    const { bytes, type } = found;
    const headers = { "content-type": type, "docker-content-digest": digestOf(bytes), "content-length": bytes.length };
    return response.writeHead(200, headers).end(request.method === "HEAD" ? undefined : bytes);
  };

  /** Distribution specification, "Listing Referrers". */
  const referring = (response: ServerResponse, digest: string) => {
    const descriptors = [...manifests].flatMap(([name, { bytes, type }]) => {
      const { subject, artifactType, config, annotations } = JSON.parse(bytes.toString("utf8")) as Related;
      if (subject?.digest !== digest || !name.startsWith("sha256:")) return [];
      const kind = { artifactType: artifactType ?? config?.mediaType, annotations };
      return [{ mediaType: type, digest: name, size: bytes.length, ...kind }];
    });
    const mediaType = "application/vnd.oci.image.index.v1+json";
    response.writeHead(200, { "content-type": mediaType });
    return response.end(JSON.stringify({ schemaVersion: 2, mediaType, manifests: descriptors }));
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "/", "http://x");
    const { pathname } = url;
    const last = pathname.split("/").at(-1) ?? "";
    requests.push(`${request.method} ${pathname}`);
    if (pathname === "/v2/") return response.writeHead(200).end();
    if (pathname.startsWith("/up/")) return upload(request, response, url, last);
    if (pathname.endsWith("/blobs/uploads/")) {
      const id = String(++count);
      uploads.set(id, Buffer.alloc(0));
      const least = minimum === undefined ? {} : { "oci-chunk-min-length": String(minimum) };
      return response.writeHead(202, { ...told(id), ...least }).end();
    }
    if (pathname.includes("/blobs/")) return blob(request, response, last);
    if (referrers && pathname.includes("/referrers/")) return referring(response, last);
    if (pathname.includes("/referrers/")) return complain(response, 404, "UNSUPPORTED", "no referrers API");
    return manifest(request, response, last);
  };

  const server = createServer((request, response) => {
    // A request that breaks off rejects here; there is nobody left to tell.
    answer(request, response).catch(() => response.destroy());
  });
  const loopback = await onLoopback(server);
  return {
    host: loopback.host,
    blobs,
    manifests,
    uploads,
    requests,
    [Symbol.asyncDispose]: () => loopback[Symbol.asyncDispose](),
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
