/** Servers of tests: on loopback, at a port that the kernel gives. */
import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";

export interface Loopback extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:PORT` */
  readonly host: string;
}

/**
 * Resolves when the server listens. What is still connected at its end is cut off. Idle connections are kept as long as
 * registries and what stands before them keep theirs: with node's 5 s, a busy machine's client would find them ended.
 */
export async function onLoopback(
  server: Server & { closeAllConnections?(): void; keepAliveTimeout?: number },
): Promise<Loopback> {
  if (server.keepAliveTimeout !== undefined) server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    host: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections?.();
        server.close(() => resolve());
      }),
  };
}
