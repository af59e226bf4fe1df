/** Proxies from the environment: registries elsewhere go through them, loopback and NO_PROXY do not. */
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import test from "ava";
import { openRegistry } from "../../registry/client.ts";
import { startFake } from "../doubles/fake-registry.ts";

test.serial("HTTP_PROXY is used for other hosts, not for loopback, not for NO_PROXY", async (t) => {
  await using fake = await startFake((_request, response) => void response.end('{"tags":["through"]}'));
  const seen: string[] = [];
  // A proxy for both ways: a tunnel, and a request with a whole URL.
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end('{"tags":["through"]}');
  });
  proxy.on("connect", (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    const upstream = connect(fake.port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const before = { ...process.env };
  Object.assign(process.env, {
    HTTP_PROXY: url,
    http_proxy: url,
    NO_PROXY: "skipped.invalid",
    no_proxy: "skipped.invalid",
  });
  try {
    await using client = openRegistry({
      userAgent: "wbuild-test",
      warn() {},
      credentials: { find: async () => undefined },
      retry: { attempts: 1 },
      plainHttp: ["registry.invalid", "skipped.invalid"],
    });
    const tags = (registry: string) => client.repository({ registry, repository: "a" }).tags();
    t.deepEqual(await tags("registry.invalid"), ["through"]);
    t.is(seen.length, 1);
    t.regex(seen[0] ?? "", /registry\.invalid/);
    t.deepEqual(await tags(fake.host), ["through"]);
    await t.throwsAsync(tags("skipped.invalid"), { code: "REG_UNREACHABLE" } as object);
    t.is(seen.length, 1);
  } finally {
    for (const name of ["HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"]) {
      delete process.env[name];
      if (before[name] !== undefined) process.env[name] = before[name];
    }
    proxy.closeAllConnections();
    proxy.close();
  }
});
