/** Connections that are kept for the next request, in the clear or with TLS, directly or through a proxy's tunnel. */
import { Agent, type AgentOptions, request as requestPlain } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContext } from "node:tls";
import { intake } from "./intake.ts";

export interface Connections {
  /** TLS with these certificates; undefined: none. */
  readonly tls?: { readonly secureContext: SecureContext; readonly rejectUnauthorized: boolean };
  /** URL of the proxy, and whom it is trusted by when it speaks TLS itself. */
  readonly proxy?: { readonly url: URL; readonly secureContext: SecureContext | undefined };
  /** Milliseconds for a tunnel to stand. */
  readonly timeoutMs: number;
}

/** Milliseconds that a connection without work is kept: less than servers and what lies between usually keep theirs. */
const idleMs = 4000;

export async function openAgent({ tls, proxy, timeoutMs }: Connections): Promise<Agent> {
  const options: AgentOptions = { keepAlive: true, timeout: idleMs, scheduling: "lifo" };
  const https = tls && (await import("node:https"));
  const agent = https ? new https.Agent({ ...options, ...tls, ALPNProtocols: ["http/1.1"] }) : new Agent(options);
  if (!proxy) {
    // The agent hands its options to the socket as they are.
    const create: (options: object) => unknown = agent.createConnection.bind(agent);
    return Object.assign(agent, { createConnection: (options: object) => create({ ...options, onread: intake() }) });
  }
  const { connect } = await import("node:tls");
  // Agents ask this of themselves for each connection; who calls back need not return one.
  const through = (
    target: { host: string; port: number },
    callback: (error: Error | null, socket?: Socket) => void,
  ) => {
    tunnel(target, proxy, timeoutMs).then(
      (socket) => callback(null, tls ? connect({ ...target, socket }) : socket),
      (error: Error) => callback(error),
    );
  };
  return Object.assign(agent, { createConnection: through, ...withoutRest(agent) });
}

/** What a tunnel brings while nobody asks would be the next request's answer: then it ends. (Others: see intake.) */
function withoutRest(agent: Agent): Pick<Agent, "keepSocketAlive" | "reuseSocket"> {
  const end = function (this: Duplex) {
    this.destroy();
  };
  const [keep, reuse] = [agent.keepSocketAlive.bind(agent), agent.reuseSocket.bind(agent)];
  return {
    keepSocketAlive(socket) {
      socket.on("data", end);
      return keep(socket);
    },
    reuseSocket(socket, request) {
      socket.off("data", end);
      reuse(socket, request);
    },
  };
}

/** RFC 9110, section 9.3.6. Also for http: a proxy that only passes bytes on can change none. */
async function tunnel(
  { host, port }: { readonly host: string; readonly port: number },
  { url, secureContext }: NonNullable<Connections["proxy"]>,
  timeoutMs: number,
): Promise<Socket> {
  const target = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const { username, password } = url;
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const options = {
    agent: false,
    method: "CONNECT",
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port,
    path: target,
    headers: {
      host: target,
      ...(login === ":" ? {} : { "proxy-authorization": `Basic ${Buffer.from(login).toString("base64")}` }),
    },
  };
  const tls = { secureContext, rejectUnauthorized: true };
  const request =
    url.protocol === "https:" ? (await import("node:https")).request({ ...options, ...tls }) : requestPlain(options);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => request.destroy(Object.assign(new Error("no tunnel"), { code: "HTTP_CONNECT_TIMEOUT" })),
      timeoutMs,
    );
    request.once("connect", ({ statusCode }, socket, head) => {
      clearTimeout(timer);
      if (statusCode === 200) {
        if (head.length > 0) socket.unshift(head);
        return resolve(socket);
      }
      socket.destroy();
      reject(new Error(`the proxy answered ${statusCode} when it was asked for a connection`));
    });
    request.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.end();
  });
}
