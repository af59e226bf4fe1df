/**
 * Stands between a client and a registry and harms what passes, as told: breaks at any byte of a request or an answer,
 * stalls, answers of its own, bytes changed, cut off or dripping. It counts what went over the wire.
 */
import { createServer, type IncomingMessage, request as open, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { onLoopback } from "./loopback.ts";

export type Fault =
  /** The connection is reset when the registry has so many bytes of the request's body; Infinity: all, and its answer is lost. */
  | { readonly kind: "cut request"; readonly at: number }
  /** The connection is reset after so many bytes of the answer's body; -1: before its head. */
  | { readonly kind: "cut answer"; readonly at: number }
  /** The answer ends as if it were whole after so many bytes. */
  | { readonly kind: "shorten"; readonly at: number }
  /** Nothing more comes after so many bytes of the answer's body; -1: not even its head. `reached`: that is so now. */
  | { readonly kind: "stall"; readonly at: number; readonly reached?: () => void }
  /** The answer comes in small parts. */
  | { readonly kind: "drip"; readonly bytes: number }
  /** The proxy answers itself. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** The answer's bytes are others. */
  | { readonly kind: "change"; readonly how: (body: Buffer) => Buffer };

export interface Rule {
  /** What it is for, such as `PUT /up/`: a method and a part of the path. */
  readonly on: string;
  readonly fault: Fault;
  /** How often; default 1. */
  times?: number;
}

export interface FaultProxy extends AsyncDisposable {
  readonly host: string;
  /** The first that fits a request is used, and used up. */
  readonly rules: Rule[];
  /** Method and path of every request. */
  readonly requests: string[];
  /** Bytes of blobs that the client sent, and that it got. */
  sent: number;
  received: number;
}

export interface ProxyOptions {
  /** Passes a request on only when it has come whole, as many proxies in front of registries do. */
  readonly holds?: boolean;
}

/** Locations that name the upstream are rewritten, so that a client stays with the proxy. */
export async function startFaultProxy(upstream: string, options: ProxyOptions = {}): Promise<FaultProxy> {
  const [hostname, port] = upstream.split(":");

  const take = (incoming: IncomingMessage): Fault | undefined => {
    const rule = proxy.rules.find(({ on, times = 1 }) => {
      const [method, part = ""] = on.split(" ");
      return times > 0 && incoming.method === method && (incoming.url ?? "").includes(part);
    });
    if (rule) rule.times = (rule.times ?? 1) - 1;
    return rule?.fault;
  };

  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    // A message that was left half-read forgets its socket.
    const { socket } = incoming;
    proxy.requests.push(`${incoming.method} ${incoming.url}`);
    const fault = take(incoming);
    const isBlob = /\/blobs\/|\/up\//.test(incoming.url ?? "");
    const count = (bytes: number) => {
      if (isBlob) proxy.sent += bytes;
    };
    if (fault?.kind === "answer") {
      incoming.resume();
      response.writeHead(fault.status, fault.headers).end(fault.body);
      return;
    }
    if (fault?.kind === "cut request" && fault.at < 0) return void socket.destroy();
    const { method, url: path, headers } = incoming;
    const outgoing = open({ hostname, port, method, path, headers: { ...headers, host: upstream }, agent: false });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once("response", resolve);
      outgoing.once("error", reject);
    });
    answered.catch(() => {});
    const limit = fault?.kind === "cut request" ? fault.at : Infinity;
    const whole = await passOn(incoming, outgoing, limit, options.holds === true, count);
    if (!whole) {
      // The registry reads all that was sent to it before the client is told that the connection broke.
      await hangUp(outgoing.socket);
      return void socket.destroy();
    }
    const answer = await answered;
    if (fault?.kind === "cut request") {
      answer.resume();
      return void socket.destroy();
    }
    await back(socket, answer, response, fault, isBlob);
  };

  const back = async (
    socket: Socket,
    answer: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
    isBlob: boolean,
  ) => {
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part as Buffer);
    let body = Buffer.concat(parts);
    const { "transfer-encoding": _, ...headers } = answer.headers;
    const place = headers.location?.replace(`http://${upstream}`, "");
    if (place !== undefined) headers.location = place;
    if (fault?.kind === "change") body = Buffer.from(fault.how(body));
    if (fault?.kind === "shorten") body = body.subarray(0, fault.at);
    if (body.length > 0 || fault !== undefined) headers["content-length"] ??= String(body.length);
    if (fault?.kind === "change" || fault?.kind === "shorten") headers["content-length"] = String(body.length);
    const at = fault?.kind === "cut answer" || fault?.kind === "stall" ? fault.at : Infinity;
    if (at < 0) return fault?.kind === "stall" ? undefined : void socket.destroy();
    response.writeHead(answer.statusCode ?? 500, headers);
    const step = fault?.kind === "drip" ? fault.bytes : Infinity;
    for (let from = 0; from < Math.min(body.length, at); from += step) {
      const part = body.subarray(from, Math.min(from + step, at));
      if (response.destroyed) return;
      await new Promise((resolve) => response.write(part, resolve));
      if (isBlob) proxy.received += part.length;
    }
    if (at === Infinity || (fault?.kind === "stall" && at >= body.length)) return void response.end();
    response.flushHeaders();
    if (fault?.kind === "stall") fault.reached?.();
    // What lies in the connection reaches the client before the end of the connection does.
    if (fault?.kind === "cut answer") socket.destroySoon();
  };

  const server = createServer((incoming, response) => {
    const { socket } = incoming;
    incoming.on("error", () => {});
    serve(incoming, response).catch(() => socket.destroy());
  });
  const loopback = await onLoopback(server);
  const proxy: FaultProxy = {
    host: loopback.host,
    rules: [],
    requests: [],
    sent: 0,
    received: 0,
    [Symbol.asyncDispose]: () => loopback[Symbol.asyncDispose](),
  };
  return proxy;
}

/** Passes a request's body on, up to the limit. Resolves with whether all of it went through. */
async function passOn(
  incoming: IncomingMessage,
  outgoing: ReturnType<typeof open>,
  limit: number,
  holds: boolean,
  count: (bytes: number) => void,
): Promise<boolean> {
  const held: Buffer[] = [];
  let passed = 0;
  if (limit === 0 && !holds) {
    await new Promise<void>((resolve) => outgoing.write("", () => resolve()));
    return false;
  }
  for await (const part of incoming as AsyncIterable<Buffer>) {
    const now = part.subarray(0, limit - passed);
    passed += now.length;
    count(now.length);
    if (holds) held.push(now);
    else await new Promise((resolve) => outgoing.write(now, resolve));
    if (passed >= limit) return false;
  }
  if (holds) outgoing.write(Buffer.concat(held));
  outgoing.end();
  return true;
}

async function hangUp(socket: Socket | null): Promise<void> {
  if (!socket || socket.destroyed) return;
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.end();
  await closed;
}
