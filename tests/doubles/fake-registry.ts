/** A registry that misbehaves as told: a plain HTTP server on loopback, with its requests written down. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { onLoopback } from "./loopback.ts";

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface FakeRegistry extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly requests: FakeRequest[];
}

/** `answer` is called once a request has come in whole; `GET /v2/` gets 200 unless it is `ping: false`. */
export async function startFake(
  answer: (request: FakeRequest, response: ServerResponse, fake: FakeRegistry) => void,
  options: { ping?: boolean } = {},
): Promise<FakeRegistry> {
  const server = createServer((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => {
      const { method = "", url: path = "", headers } = incoming;
      if (path === "/v2/" && options.ping !== false) return response.writeHead(200).end();
      const request = { method, path, headers, body: Buffer.concat(parts) };
      fake.requests.push(request);
      answer(request, response, fake);
    });
    incoming.on("error", () => {});
  });
  const loopback = await onLoopback(server);
  const fake: FakeRegistry = {
    host: loopback.host,
    port: loopback.port,
    requests: [],
    [Symbol.asyncDispose]: () => loopback[Symbol.asyncDispose](),
  };
  return fake;
}

/** A registry's complaint. */
export function complain(response: ServerResponse, status: number, code: string, message: string, headers = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ errors: [{ code, message, detail: { anything: message } }] }));
}
