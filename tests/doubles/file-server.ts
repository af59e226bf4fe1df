/** A real web server on loopback for files: ranges, validators, redirects, and connections that break where a test says. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { ExecutionContext } from "ava";
import { onLoopback } from "./loopback.ts";

export interface ServedFile {
  bytes: Uint8Array;
  etag?: string;
  lastModified?: string;
  /** The connection breaks after each so many bytes of a body. */
  breaksAfter?: number;
  /** Ranges are answered with everything. */
  ignoresRanges?: boolean;
  /** Statuses of the first answers. */
  failsWith?: number[];
  /** Needed in every request. */
  authorization?: string;
  headers?: Readonly<Record<string, string>>;
  /** No length is told. */
  hidesLength?: boolean;
  /** The length that is told, when it is not the true one. */
  claims?: number;
}

export interface FileServer {
  readonly url: string;
  /** By path, `/a`. */
  readonly files: Map<string, ServedFile>;
  /** path → where to. */
  readonly redirects: Map<string, string>;
  readonly asked: { readonly path: string; readonly status: number; readonly headers: IncomingMessage["headers"] }[];
}

export async function fileServer(t: ExecutionContext): Promise<FileServer> {
  const files: FileServer["files"] = new Map();
  const redirects: FileServer["redirects"] = new Map();
  const asked: { path: string; status: number; headers: IncomingMessage["headers"] }[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?")[0] as string;
    const end = (status: number, headers = {}, body?: Uint8Array) => {
      asked.push({ path, status, headers: request.headers });
      response.writeHead(status, headers).end(body);
    };
    const to = redirects.get(path);
    if (to !== undefined) return end(302, { location: to });
    const file = files.get(path);
    if (!file) return end(404);
    if (file.authorization !== undefined && request.headers.authorization !== file.authorization) return end(401);
    const failure = file.failsWith?.shift();
    if (failure !== undefined) return end(failure);
    const validators = {
      ...(file.etag === undefined ? {} : { etag: file.etag }),
      ...(file.lastModified === undefined ? {} : { "last-modified": file.lastModified }),
      ...file.headers,
    };
    const isSame =
      request.headers["if-none-match"] === undefined
        ? file.lastModified !== undefined && request.headers["if-modified-since"] === file.lastModified
        : request.headers["if-none-match"] === file.etag;
    if (isSame) return end(304, validators);
    sendBody(file, request, response, validators, (status) => asked.push({ path, status, headers: request.headers }));
  });
  const loopback = await onLoopback(server);
  t.teardown(() => loopback[Symbol.asyncDispose]());
  return { url: `http://${loopback.host}`, files, redirects, asked };
}

function sendBody(
  file: ServedFile,
  request: IncomingMessage,
  response: ServerResponse,
  validators: Record<string, string>,
  note: (status: number) => void,
): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const condition = request.headers["if-range"]?.toString();
  const resumes =
    from > 0 && !file.ignoresRanges && (condition === undefined || [file.etag, file.lastModified].includes(condition));
  const body = resumes ? file.bytes.subarray(from) : file.bytes;
  const length = String(file.claims ?? body.length);
  const range = resumes ? { "content-range": `bytes ${from}-${file.bytes.length - 1}/${file.bytes.length}` } : {};
  note(resumes ? 206 : 200);
  response.writeHead(resumes ? 206 : 200, {
    ...(file.hidesLength ? {} : { "content-length": length }),
    ...validators,
    ...range,
  });
  const { breaksAfter } = file;
  if (breaksAfter === undefined || breaksAfter >= body.length) {
    response.write(body, () => (file.claims === undefined ? response.end() : response.socket?.end()));
    return;
  }
  // Not destroyed: a reset would take along what is still on its way.
  response.write(body.subarray(0, breaksAfter), () => response.socket?.end());
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
