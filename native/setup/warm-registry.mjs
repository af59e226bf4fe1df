/** A registry in memory, no more than what a push and a pull of the build's own image ask: code that ran can be cached. */
import { createHash } from "node:crypto";
import { createServer } from "node:http";

/** Listens on loopback at a port that the kernel gives; wants a token, as most registries do. */
export async function startWarmRegistry() {
  const stored = new Map();
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const { pathname, searchParams } = new URL(request.url, "http://warm");
    const answer = (status, headers = {}, body = "") =>
      response
        .writeHead(status, { "content-length": body.length, ...headers })
        .end(request.method === "HEAD" ? undefined : body);
    if (pathname === "/token") return answer(200, {}, '{"token":"warm"}');
    if (request.headers.authorization === undefined && pathname !== "/v2/")
      return answer(401, { "www-authenticate": `Bearer realm="http://${request.headers.host}/token",service="warm"` });
    const name = pathname.split("/").at(-1);
    if (request.method === "POST") return answer(202, { location: "/v2/warm/blobs/uploads/1" });
    if (request.method === "PUT") {
      const body = Buffer.concat(parts);
      const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
      const content = {
        body,
        headers: { "content-type": request.headers["content-type"] ?? "", "docker-content-digest": digest },
      };
      for (const key of [searchParams.get("digest") ?? name, digest]) stored.set(key, content);
      return answer(201, { "docker-content-digest": digest });
    }
    const found = stored.get(name);
    return found ? answer(200, found.headers, found.body) : answer(pathname === "/v2/" ? 200 : 404);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    host: `127.0.0.1:${server.address().port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
