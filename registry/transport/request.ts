/** HTTP: TLS, proxies, time limits, streams both ways. Knows nothing of registries, and loads next to nothing before its first use. */
import type { Agent } from "node:http";
import type { Readable } from "node:stream";
import type { HostTls } from "../hosts/route.ts";
import { arriving } from "./arriving.ts";
import type { Answer, Asked } from "./exchange.ts";
import { proxyFor } from "./proxy.ts";

export interface HttpRequest extends Asked {
  /** The answer takes long by its nature: a registry that was given a whole blob checks and moves it first. */
  readonly isSlow?: boolean | undefined;
  /** Certificates for this one host; the same object for requests that may share connections. */
  readonly tls?: HostTls | undefined;
}

export type HttpResponse = Answer;

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
  /** Throws what `exchange` throws; the caller knows which words to put around it. */
  send(request: HttpRequest): Promise<HttpResponse>;
  close(): Promise<void>;
}

const defaultTimeoutMs = 60_000;
/** How much longer than others a slow answer may take. */
const slowness = 5;
/** Milliseconds that a rest which nobody needs is waited for; another connection costs less. */
const drainMs = 3000;

/** Opens nothing yet: the first request loads the client and makes the agent that it needs. */
export function openHttp(options: HttpOptions): Http {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const agents = new Map<string, Promise<Agent>>();
  const numbers = new Map<HostTls, number>();
  const agentFor = (url: URL, given: HostTls | undefined) => {
    const isTls = url.protocol === "https:";
    const tls = isTls ? given : undefined;
    if (tls && !numbers.has(tls)) numbers.set(tls, numbers.size);
    // Like every other client of Docker's world: what runs on this host is never asked for through a proxy.
    const proxy = isLoopback(url.hostname) ? undefined : proxyFor(url);
    // A connection that was made with one host's certificates serves no other.
    const key = JSON.stringify([isTls, proxy, tls && numbers.get(tls)]);
    let agent = agents.get(key);
    if (!agent) {
      agent = makeAgent({ ...options, timeoutMs }, isTls, proxy, tls);
      agents.set(key, agent);
    }
    return agent;
  };
  return {
    timeoutMs,
    async send(request) {
      const agent = await agentFor(request.url, request.tls);
      const { exchange } = await import("./exchange.ts");
      const headers = { "user-agent": options.userAgent, ...request.headers };
      const headMs = request.isSlow === true ? slowness * timeoutMs : timeoutMs;
      return exchange(agent, { ...request, headers }, { connectMs: timeoutMs, headMs, bodyMs: timeoutMs });
    },
    async close() {
      const open = await Promise.allSettled([...agents.values()]);
      agents.clear();
      for (const made of open) if (made.status === "fulfilled") made.value.destroy();
    },
  };
}

async function makeAgent(
  options: { readonly ca?: string | undefined; readonly timeoutMs: number },
  isTls: boolean,
  proxy: string | undefined,
  host: HostTls | undefined,
): Promise<Agent> {
  const { openAgent } = await import("./agents.ts");
  const isProxyTls = proxy?.startsWith("https:") === true;
  const trust = isTls || isProxyTls ? (await import("./trust.ts")).trust : undefined;
  return openAgent({
    timeoutMs: options.timeoutMs,
    ...(trust && isTls
      ? { tls: { secureContext: await trust(options.ca, host), rejectUnauthorized: host?.skipVerify !== true } }
      : {}),
    // The registry's client certificate is not for the proxy.
    ...(proxy === undefined
      ? {}
      : { proxy: { url: new URL(proxy), secureContext: isProxyTls ? await trust?.(options.ca) : undefined } }),
  });
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
