/** One HTTP request: TLS, proxies, time limits, streams both ways. Knows nothing of registries; undici loads on first use. */
import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";

export type Body = Uint8Array | AsyncIterable<Uint8Array>;

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body | undefined;
  /** The answer takes long by its nature: a registry that was given a whole blob checks and moves it first. */
  readonly isSlow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; of repeated ones all values, joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

export interface HttpOptions {
  /** `host[:port]` whose certificates are not checked. */
  readonly insecure?: readonly string[] | undefined;
  /** PEM of authorities besides those that this host trusts. */
  readonly ca?: string | undefined;
  /** Milliseconds for the connection, for the answer's head, and between two parts of its body. */
  readonly timeoutMs?: number | undefined;
  readonly userAgent: string;
}

export interface Http {
  /** Throws what undici throws; the caller knows which words to put around it. */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

/** Bytes that an answer's body may run ahead of its reader. */
const readAhead = 1024 * 1024;
const defaultTimeoutMs = 60_000;
/** How much longer than others a slow answer may take. */
const slowness = 5;

/** Opens nothing yet: the first request loads undici and makes the dispatcher it needs. */
export function openHttp(options: HttpOptions): Http {
  const dispatchers = new Map<string, Promise<Dispatcher>>();
  const dispatcherFor = (url: URL) => {
    const kind: Kind = {
      isTls: url.protocol === "https:",
      isInsecure: options.insecure?.includes(url.host) === true,
      isDirect: isLoopback(url.hostname),
    };
    const key = JSON.stringify(kind);
    let dispatcher = dispatchers.get(key);
    if (!dispatcher) {
      dispatcher = makeDispatcher(options, kind);
      dispatchers.set(key, dispatcher);
    }
    return dispatcher;
  };
  return {
    async send(request) {
      const dispatcher = await dispatcherFor(request.url);
      const answer = await dispatcher.request({
        origin: request.url.origin,
        path: request.url.pathname + request.url.search,
        method: request.method as Dispatcher.HttpMethod,
        headers: { "user-agent": options.userAgent, ...request.headers },
        // undici takes any iterable of bytes; its types name only node's streams.
        body: (request.body ?? null) as Uint8Array | null,
        signal: request.signal ?? null,
        highWaterMark: readAhead,
        ...(request.isSlow === true ? { headersTimeout: slowness * (options.timeoutMs ?? defaultTimeoutMs) } : {}),
      });
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(answer.headers))
        if (value !== undefined) headers[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : value;
      return { status: answer.statusCode, headers, body: answer.body };
    },
    async close() {
      const open = await Promise.allSettled([...dispatchers.values()]);
      dispatchers.clear();
      await Promise.all(open.map((made) => made.status === "fulfilled" && made.value.destroy()));
    },
  };
}

interface Kind {
  readonly isTls: boolean;
  readonly isInsecure: boolean;
  readonly isDirect: boolean;
}

async function makeDispatcher(options: HttpOptions, { isTls, isInsecure, isDirect }: Kind): Promise<Dispatcher> {
  const { Agent, EnvHttpProxyAgent } = await import("undici");
  const timeout = options.timeoutMs ?? defaultTimeoutMs;
  const trusted = isTls && !isInsecure ? { secureContext: await (await import("./trust.ts")).trust(options.ca) } : {};
  const tls = { timeout, rejectUnauthorized: !isInsecure, ...trusted };
  const settings = { headersTimeout: timeout, bodyTimeout: timeout, connect: tls, requestTls: tls };
  // Like every other client of Docker's world: what runs on this host is never asked for through a proxy.
  const env = process.env;
  const hasProxy = [env.HTTPS_PROXY, env.https_proxy, env.HTTP_PROXY, env.http_proxy].some((value) => value);
  return isDirect || !hasProxy ? new Agent(settings) : new EnvHttpProxyAgent(settings);
}

/** True for names and addresses that never leave this host. `hostname` may be that of a URL, brackets included. */
export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]|::1)$/i.test(hostname);
}

/** The whole body, or undefined when it has more than `limit` bytes; then the rest is not read. */
export async function readAll(body: Readable, limit: number): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    size += part.length;
    // Leaving the loop destroys the stream, and with it the connection.
    if (size > limit) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Frees the connection for the next request: reads a short rest, cuts a long one off. */
export async function drain(body: Readable): Promise<void> {
  try {
    await readAll(body, 256 * 1024);
  } catch {
    // A connection that broke is as free as one that ended.
  }
}
