/** Proxies from the environment: registries elsewhere go through them, loopback and NO_PROXY do not. */
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, createServer as createPlain, type Socket } from "node:net";
import test, { type ExecutionContext } from "ava";
import { proxyFor } from "../../registry/transport/proxy.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { startFake } from "../doubles/fake-registry.ts";
import { onLoopback } from "../doubles/loopback.ts";
import { anonymousClient } from "../doubles/registry-client.ts";

/** A proxy for both ways: a tunnel to this port, whatever was asked for, and requests with a whole URL. */
async function startProxy(t: ExecutionContext, port: number) {
  const seen: string[] = [];
  const accounts: (string | undefined)[] = [];
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end('{"tags":["through"]}');
  });
  proxy.on("connect", (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    accounts.push(request.headers["proxy-authorization"]);
    const upstream = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  const loopback = await onLoopback(proxy);
  t.teardown(() => loopback[Symbol.asyncDispose]());
  return { address: loopback.host, seen, accounts };
}

/** Variables of this process for as long as the test runs, which has to be alone. */
function setEnvironment(t: ExecutionContext, variables: Readonly<Record<string, string>>): void {
  const before = { ...process.env };
  t.teardown(() => {
    for (const name of Object.keys(variables)) {
      delete process.env[name];
      if (before[name] !== undefined) process.env[name] = before[name];
    }
  });
  Object.assign(process.env, variables);
}

test.serial("HTTP_PROXY is used for other hosts, not for loopback, not for NO_PROXY", async (t) => {
  await using fake = await startFake((_request, response) => void response.end('{"tags":["through"]}'));
  const { address, seen } = await startProxy(t, fake.port);
  const [proxy, none] = [`http://${address}`, "skipped.invalid"];
  setEnvironment(t, { HTTP_PROXY: proxy, http_proxy: proxy, NO_PROXY: none, no_proxy: none });
  await using client = anonymousClient({
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
});

test.serial("what a tunnel brings while nobody asks is no answer to the next request", async (t) => {
  const tags = (name: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${name.length + 13}\r\n\r\n{"tags":["${name}"]}`;
  const connections: Socket[] = [];
  const upstream = await onLoopback(
    createPlain((socket) => {
      connections.push(socket);
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.write(tags("honest"));
        if (connections.length === 1) setImmediate(() => socket.write(tags("evil")));
      });
    }),
  );
  t.teardown(() => upstream[Symbol.asyncDispose]());
  const { address } = await startProxy(t, upstream.port);
  setEnvironment(t, { HTTP_PROXY: `http://${address}` });
  await using client = anonymousClient({ retry: { attempts: 1 }, plainHttp: ["registry.invalid"] });
  const repository = client.repository({ registry: "registry.invalid", repository: "a" });
  t.deepEqual(await repository.tags(), ["honest"]);
  await once(connections[0] as Socket, "close");
  t.deepEqual(await repository.tags(), ["honest"]);
  t.is(connections.length, 2);
});

const exempt: [list: string, url: string, isExempt: boolean][] = [
  ["", "https://r.test/", false],
  ["*", "https://r.test/", true],
  ["r.test", "https://r.test/", true],
  ["r.test", "https://a.r.test/", true],
  ["r.test", "https://xr.test/", false],
  [".r.test", "https://a.r.test/", true],
  [".r.test", "https://r.test/", false],
  ["*.r.test", "https://a.b.r.test/", true],
  ["*.r.test", "https://r.test/", false],
  ["a.test, R.TEST ,b.test", "https://r.test/", true],
  ["r.test:5000", "https://r.test:5000/", true],
  ["r.test:5000", "https://r.test/", false],
  ["r.test:443", "https://r.test/", true],
  ["10.0.0.0/8", "https://10.1.2.3/", true],
  ["10.0.0.0/8", "https://11.1.2.3/", false],
  ["10.0.0.0/8", "https://ten.test/", false],
  ["10.1.2.3", "https://10.1.2.3/", true],
  ["10.1.2.3:5000", "https://10.1.2.3:5000/", true],
  ["10.1.2.3:5000", "https://10.1.2.3/", false],
  ["2001:db8::/32", "https://[2001:db8::5]/", true],
  ["2001:db8::/32", "https://[2001:db9::5]/", false],
  ["2001:db8::5", "https://[2001:db8:0::5]/", true],
  ["[2001:db8::5]:5000", "https://[2001:db8::5]:5000/", true],
  ["10.0.0.0/99,10.0.0.0/x,/8,,:,.", "https://10.1.2.3/", false],
];
for (const [list, address, isExempt] of exempt)
  test(`NO_PROXY=${JSON.stringify(list)} and ${address}: ${isExempt ? "directly" : "through the proxy"}`, (t) => {
    const env = { HTTPS_PROXY: "http://proxy.test:3128" };
    const found = proxyFor(new URL(address), { ...env, NO_PROXY: list });
    t.is(found, isExempt ? undefined : "http://proxy.test:3128/");
    t.is(proxyFor(new URL(address), { ...env, no_proxy: list }), found);
  });

test("the scheme says which variable counts; a proxy may leave out its own; what is no proxy is told without its value", (t) => {
  const env = { HTTP_PROXY: "one.test:1", https_proxy: "https://me:pw@two.test:2" };
  t.is(proxyFor(new URL("http://r.test/"), env), "http://one.test:1/");
  t.is(proxyFor(new URL("https://r.test/"), env), "https://me:pw@two.test:2/");
  t.is(proxyFor(new URL("https://r.test/"), { HTTP_PROXY: "one.test:1" }), undefined);
  for (const value of ["http://me:hidden@[bad", "socks5://me:hidden@s.test"]) {
    const error = t.throws(() => proxyFor(new URL("https://r.test/"), { HTTPS_PROXY: value }), {
      code: "REG_UNREACHABLE",
      message: /HTTPS_PROXY/,
    } as object);
    t.notRegex(`${error?.stack} ${JSON.stringify(error)}`, /hidden/);
  }
});

test.serial("a proxy that wants credentials gets those of its address, the registry behind it does not", async (t) => {
  await using fake = await startFake((_request, response) => void response.end('{"tags":["through"]}'));
  const { address, accounts } = await startProxy(t, fake.port);
  setEnvironment(t, { HTTP_PROXY: `http://me:p%40ss-w0rd@${address}` });
  await using client = anonymousClient({
    retry: { attempts: 1 },
    plainHttp: ["registry.invalid"],
  });
  t.deepEqual(await client.repository({ registry: "registry.invalid", repository: "a" }).tags(), ["through"]);
  t.deepEqual(accounts, [`Basic ${Buffer.from("me:p@ss-w0rd").toString("base64")}`]);
  t.is(fake.requests[0]?.headers["proxy-authorization"], undefined);
});

test.serial("TLS goes through the tunnel: the registry's certificate is checked, not the proxy's", async (t) => {
  await using secure = await startRegistry({ tls: true });
  const { address, seen, accounts } = await startProxy(t, Number(secure.host.split(":")[1]));
  setEnvironment(t, { HTTPS_PROXY: `http://me:pw-of-me@${address}` });
  const open = (insecure: readonly string[]) =>
    anonymousClient({
      retry: { attempts: 1 },
      ca: secure.ca ?? "",
      insecure,
    });
  const look = (client: ReturnType<typeof open>) =>
    client.repository({ registry: "registry.invalid", repository: "a" }).hasBlob(`sha256:${"0".repeat(64)}`);
  await using strict = open([]);
  await t.throwsAsync(look(strict), { code: "REG_TLS", message: /certificate is for another name/ } as object);
  await using careless = open(["registry.invalid"]);
  t.false(await look(careless));
  t.true(seen.length >= 2, "one attempt of each client");
  t.deepEqual(new Set(seen), new Set(["CONNECT registry.invalid:443"]));
  t.false(accounts.includes(undefined), "the proxy's account goes with each");
});
