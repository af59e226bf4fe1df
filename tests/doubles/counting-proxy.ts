/** Stands before a registry on loopback, passes everything on, and writes down what was asked. */
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

export interface CountingProxy extends AsyncDisposable {
  readonly host: string;
  /** `METHOD /path`, in the order of their coming; `/v2/` itself is left out. */
  readonly asked: string[];
  /** Forgets what was asked so far. */
  reset(): void;
}

/** `upstream` is `host:port`. `before` sees each request and may answer it (then it returns true). */
export async function startCounting(
  upstream: string,
  before: (
    method: string,
    path: string,
    end: (status: number, headers?: Record<string, string>) => void,
  ) => boolean = () => false,
): Promise<CountingProxy> {
  const asked: string[] = [];
  const [hostname, port] = upstream.split(":");
  const server = createServer((incoming, response) => {
    const { method = "", url: path = "", headers } = incoming;
    if (path !== "/v2/") asked.push(`${method} ${path}`);
    if (before(method, path, (status, more = {}) => response.writeHead(status, more).end())) {
      incoming.resume();
      return;
    }
    const outgoing = request({ hostname, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    reset: () => asked.splice(0),
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
