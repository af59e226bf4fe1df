/** One HTTP request: TLS, proxies, time limits, streams both ways. Knows nothing of registries; undici loads on first use. */
import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { HostTls } from "../hosts/route.ts";
import { arriving } from "./arriving.ts";
import { proxyFor } from "./proxy.ts";

export type Body = Uint8Array | AsyncIterable<Uint8Array>;

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body | undefined;
  /** The answer takes long by its nature: a registry that was given a whole blob checks and moves it first. */
  readonly isSlow?: boolean | undefined;
  /** Certificates for this one host; the same object for requests that may share connections. */
  readonly tls?: HostTls | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; of repeated ones all values, joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

export interface HttpOptions {
  /** PEM of authorities besides those that this host trusts. */
  readonly ca?: string | undefined;
  /** Milliseconds for the connection, for the answer's head, and between two parts of its body. */
  readonly timeoutMs?: number | undefined;
  readonly userAgent: string;
}

export interface Http {
  /** See HttpOptions. */
  readonly timeoutMs: number;
  /** Throws what undici throws; the caller knows which words to put around it. */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

/** Bytes that an answer's body may run ahead of its reader. */
const readAhead = 1024 * 1024;
const defaultTimeoutMs = 60_000;
/** How much longer than others a slow answer may take. */
const slowness = 5;
/** Milliseconds that a rest which nobody needs is waited for; another connection costs less. */
const drainMs = 3000;

/** Opens nothing yet: the first request loads undici and makes the dispatcher it needs. */
export function openHttp(options: HttpOptions): Http {
  const dispatchers = new Map<string, Promise<Dispatcher>>();
  const numbers = new Map<HostTls, number>();
  const dispatcherFor = (url: URL, given: HostTls | undefined) => {
    const isTls = url.protocol === "https:";
    const tls = isTls ? given : undefined;
    if (tls && !numbers.has(tls)) numbers.set(tls, numbers.size);
    // Like every other client of Docker's world: what runs on this host is never asked for through a proxy.
    const proxy = isLoopback(url.hostname) ? undefined : proxyFor(url);
    // A connection that was made with one host's certificates serves no other.
    const key = JSON.stringify([isTls, proxy, tls && numbers.get(tls)]);
    let dispatcher = dispatchers.get(key);
    if (!dispatcher) {
      dispatcher = makeDispatcher(options, isTls, proxy, tls);
      dispatchers.set(key, dispatcher);
    }
    return dispatcher;
  };
  return {
    timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
    async send(request) {
      const dispatcher = await dispatcherFor(request.url, request.tls);
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

async function makeDispatcher(
  options: HttpOptions,
  isTls: boolean,
  proxy: string | undefined,
  host: HostTls | undefined,
): Promise<Dispatcher> {
  const { Agent, ProxyAgent } = await import("undici");
  const timeout = options.timeoutMs ?? defaultTimeoutMs;
  const { trust } = await import("./trust.ts");
  const trusted = isTls ? { secureContext: await trust(options.ca, host) } : {};
  const tls = { timeout, rejectUnauthorized: host?.skipVerify !== true, ...trusted };
  const settings = { headersTimeout: timeout, bodyTimeout: timeout, connect: tls, requestTls: tls };
  if (proxy === undefined) return new Agent(settings);
  // The registry's client certificate is not for the proxy.
  const proxyTls = proxy.startsWith("https:") ? { proxyTls: { secureContext: await trust(options.ca) } } : {};
  return new ProxyAgent({ ...settings, ...proxyTls, uri: proxy });
}

/** True for names and addresses that never leave this host. `hostname` may be that of a URL, brackets included. */
export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]|::1)$/i.test(hostname);
}

/**
 * The whole body, or undefined when it has more than `limit` bytes; then the rest is not read. One that only drips fails
 * as a silent one does, see `arriving`.
 */
export async function readAll(
  body: Readable,
  limit: number,
  patienceMs = defaultTimeoutMs,
): Promise<Buffer | undefined> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of arriving(body, patienceMs)) {
    size += part.length;
    // Leaving the loop destroys the stream, and with it the connection.
    if (size > limit) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Frees the connection for the next request: reads a short rest, cuts off one that is long or slow. */
export async function drain(body: Readable): Promise<void> {
  const timer = setTimeout(() => body.destroy(), drainMs);
  try {
    await readAll(body, 256 * 1024);
  } catch {
    // A connection that broke is as free as one that ended.
  } finally {
    clearTimeout(timer);
  }
}
