/** Bearer tokens against docker-registry with a token service of our own, and services that misbehave. */
import test from "ava";
import { openRegistry, type RegistryOptions } from "../../registry/client.ts";
import type { Credentials } from "../../registry/credential-helper.ts";
import { pullImage } from "../../registry/pull.ts";
import { pushImage } from "../../registry/push.ts";
import { parseReference } from "../../registry/reference.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { complain, startFake } from "../doubles/fake-registry.ts";
import { makeImage } from "../doubles/images.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { anonymousClient } from "../doubles/registry-client.ts";
import { startTokenServer } from "../doubles/token-server.ts";

const account = { username: "bob", password: "s3cret-passw0rd" };

const open = (credentials: Credentials | undefined, options: Partial<RegistryOptions> = {}) =>
  anonymousClient({ credentials: { find: async () => credentials }, ...options });
const choose = () => undefined;

for (const field of ["token", "access_token"] as const)
  test(`push and pull with tokens in "${field}", one for each scope`, async (t) => {
    await using service = await startTokenServer(account);
    service.field = field;
    await using registry = await startRegistry({ token: service });
    const reference = parseReference(`${registry.host}/team/app:1`);
    const ours = new MemoryBlobs();
    const image = await makeImage(ours, {
      layers: [
        { name: "a", content: "a" },
        { name: "b", content: "b" },
      ],
    });
    await using client = open(account);
    await pushImage(client, image, reference, ours);
    // A mount asks for both repositories at once.
    const mounted = await pushImage(client, image, parseReference(`${registry.host}/team/other:1`), ours, {
      mountFrom: () => ["team/app"],
    });
    t.is(mounted.mounted, 3);
    const pulled = await pullImage(client, reference, new MemoryBlobs(), { choose });
    t.is(pulled.descriptor.digest, image.digest);
    t.deepEqual([...new Set(service.asked)].sort(), [
      "GET repository:team/app:pull known",
      "GET repository:team/app:pull,push known",
      "GET repository:team/other:pull known",
      "GET repository:team/other:pull,push known",
      "GET repository:team/other:pull,push repository:team/app:pull known",
    ]);
    t.is(service.asked.length, 5, "each token is fetched once, however many requests run side by side");
  });

test("an identity token is exchanged by POST; a registry token is used as it is", async (t) => {
  await using service = await startTokenServer(account, "the-refresh-token");
  await using registry = await startRegistry({ token: service });
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  await using client = open({ identityToken: "the-refresh-token" });
  await pushImage(client, image, parseReference(`${registry.host}/id/app:1`), ours);
  t.true(service.asked.every((line) => line.startsWith("POST ") && line.endsWith(" known")));

  await using fake = await startFake((request, response) => {
    if (request.headers.authorization === "Bearer as-it-is") return response.writeHead(404).end();
    return complain(response, 401, "UNAUTHORIZED", "who?", {
      "www-authenticate": `Bearer realm="https://nobody.invalid/token",service="x"`,
    });
  });
  await using direct = open({ registryToken: "as-it-is" });
  t.false(await direct.repository(parseReference(`${fake.host}/a`)).hasBlob(image.digest));
});

test("a wrong password is an error that names the registry and holds no secret", async (t) => {
  await using service = await startTokenServer(account);
  await using registry = await startRegistry({ token: service });
  await using client = open({ ...account, password: "wrong-passw0rd" });
  const error = await t.throwsAsync(client.repository(parseReference(`${registry.host}/a/b`)).tags(), {
    code: "REG_UNAUTHORIZED",
  } as object);
  t.regex(
    String(error),
    /cannot get a token to list tags at 127\.0\.0\.1:\d+\/a\/b: HTTP 401: UNAUTHORIZED: wrong account/,
  );
});

test("a token that the registry no longer takes is replaced once", async (t) => {
  let good = "first-token";
  const tokens: string[] = [];
  await using service = await startFake((_request, response) => {
    tokens.push(good);
    response.end(JSON.stringify({ token: good }));
  });
  await using fake = await startFake((request, response) => {
    if (request.headers.authorization === `Bearer ${good}`) return response.end('{"tags":["x"]}');
    return complain(response, 401, "UNAUTHORIZED", "stale", {
      "www-authenticate": `Bearer realm="http://${service.host}/t",service="s"`,
    });
  });
  await using client = open(undefined);
  const repository = client.repository(parseReference(`${fake.host}/a`));
  t.deepEqual(await repository.tags(), ["x"]);
  good = "second-token";
  t.deepEqual(await repository.tags(), ["x"]);
  t.deepEqual(tokens, ["first-token", "second-token"]);
  good = "never";
  await using stuck = await startFake((_request, response) => void response.end('{"token":"same-again"}'));
  await using refusing = await startFake((_request, response) =>
    complain(response, 401, "UNAUTHORIZED", "no", { "www-authenticate": `Bearer realm="http://${stuck.host}/t"` }),
  );
  await t.throwsAsync(client.repository(parseReference(`${refusing.host}/a`)).tags(), {
    code: "REG_UNAUTHORIZED",
  } as object);
  t.is(stuck.requests.length, 1);
});

const services: [title: string, body: string, code: string][] = [
  ["no token at all", '{"secret_thing":"hunter2-hunter2"}', "REG_UNAUTHORIZED"],
  ["a token that would break out of its header", '{"token":"a\\r\\nx-evil: 1"}', "REG_UNAUTHORIZED"],
  ["a number for a token", '{"token":5}', "REG_UNAUTHORIZED"],
  ["no JSON", "<html>hunter2-hunter2</html>", "REG_UNAUTHORIZED"],
];
for (const [title, body, code] of services)
  test.serial(`a token service that answers with ${title}: an error, and nothing on standard error`, async (t) => {
    const written: string[] = [];
    const { write } = process.stderr;
    process.stderr.write = ((text: string) => written.push(String(text)) > 0) as typeof write;
    try {
      await using service = await startFake((_request, response) => void response.end(body));
      await using fake = await startFake((_request, response) =>
        complain(response, 401, "UNAUTHORIZED", "who?", {
          "www-authenticate": `Bearer realm="http://${service.host}/t"`,
        }),
      );
      await using client = open(account);
      const error = await t.throwsAsync(client.repository(parseReference(`${fake.host}/a`)).manifest("x"), {
        code,
      } as object);
      t.notRegex(JSON.stringify([error, String(error), error?.stack]), /hunter2|s3cret/);
    } finally {
      process.stderr.write = write;
    }
    t.notRegex(written.join(""), /hunter2|s3cret|resp/);
  });

test("a token service without TLS on another host gets no password", async (t) => {
  await using fake = await startFake((_request, response) =>
    complain(response, 401, "UNAUTHORIZED", "who?", { "www-authenticate": 'Bearer realm="http://tokens.invalid/t"' }),
  );
  await using client = open(account);
  await t.throwsAsync(client.repository(parseReference(`${fake.host}/a`)).tags(), { code: "REG_INSECURE" } as object);
});

test("a login asks for a refresh token and keeps it instead of the password; other requests do not ask", async (t) => {
  const queries: URLSearchParams[] = [];
  await using service = await startFake((request, response) => {
    queries.push(new URL(request.path, "http://t").searchParams);
    response.end('{"token":"for-now","refresh_token":"for-later"}');
  });
  await using fake = await startFake(
    (request, response) => {
      if (request.headers.authorization === "Bearer for-now") return void response.end('{"tags":[]}');
      complain(response, 401, "UNAUTHORIZED", "who?", {
        "www-authenticate": `Bearer realm="http://${service.host}/t"`,
      });
    },
    { ping: false },
  );
  await using client = open(account);
  t.deepEqual(await client.checkLogin(fake.host, account), { username: "bob", identityToken: "for-later" });
  t.is(queries[0]?.get("offline_token"), "true");
  t.is(queries[0]?.get("client_id"), "wbuild");
  await client.repository(parseReference(`${fake.host}/a`)).tags();
  t.is(queries[1]?.get("offline_token"), null);
});

test("a refresh token that is good for one use is replaced by what the service gave for it", async (t) => {
  let next = 0;
  const used: (string | null)[] = [];
  await using service = await startFake((request, response) => {
    const form = new URLSearchParams(request.body.toString());
    used.push(form.get("refresh_token"));
    t.is(form.get("grant_type"), "refresh_token");
    if (form.get("refresh_token") !== `refresh-${next}`) return complain(response, 401, "UNAUTHORIZED", "used");
    next++;
    response.end(`{"access_token":"access-${next}","refresh_token":"refresh-${next}"}`);
  });
  await using fake = await startFake((request, response) => {
    // Each access token is good for one request.
    if (request.headers.authorization === `Bearer access-${next}` && next > fake.requests.length / 2 - 0.5)
      return void response.end('{"tags":[]}');
    complain(response, 401, "UNAUTHORIZED", "who?", { "www-authenticate": `Bearer realm="http://${service.host}/t"` });
  });
  await using client = open({ identityToken: "refresh-0" });
  for (let i = 0; i < 3; i++) await client.repository(parseReference(`${fake.host}/a${i}`)).tags();
  t.deepEqual(used, ["refresh-0", "refresh-1", "refresh-2"]);
});

test("a token that ends in the middle of a push is replaced, and the bytes are sent again", async (t) => {
  let token = 1;
  await using service = await startFake((_request, response) => void response.end(`{"token":"token-${token}"}`));
  const stored: string[] = [];
  await using fake = await startFake((request, response) => {
    const { method, path, body, headers } = request;
    // The token ends while the first bytes are on their way.
    if (body.length > 0 && token === 1) token = 2;
    if (headers.authorization !== `Bearer token-${token}`)
      return complain(response, 401, "UNAUTHORIZED", "expired", {
        "www-authenticate": `Bearer realm="http://${service.host}/t",error="invalid_token"`,
      });
    if (method === "HEAD") return response.writeHead(404).end();
    if (body.length > 0) stored.push(body.toString());
    const location = "/v2/a/blobs/uploads/one";
    const range = `0-${Math.max(0, stored.join("").length - 1)}`;
    return response.writeHead(method === "PUT" ? 201 : 202, { location, range, "x-path": path }).end();
  });
  await using client = open(account);
  const blob = await new MemoryBlobs().put(Buffer.from("all the bytes"), { mediaType: "a/b" });
  let opened = 0;
  const bytes = async function* () {
    opened++;
    yield Buffer.from("all the bytes");
  };
  t.is(await client.repository(parseReference(`${fake.host}/a`)).pushBlob(blob, bytes), "sent");
  t.deepEqual(stored, ["all the bytes"]);
  t.is(opened, 2);
  t.is(service.requests.length, 3, "one to look, one to push, one in the middle");
});

test("each repository of a registry is asked for with its own account", async (t) => {
  const seen = new Map<string, string | undefined>();
  await using fake = await startFake((request, response) => {
    if (request.headers.authorization === undefined)
      return complain(response, 401, "UNAUTHORIZED", "who?", { "www-authenticate": 'Basic realm="r"' });
    seen.set(request.path, request.headers.authorization);
    response.end('{"tags":[]}');
  });
  await using client = openRegistry({
    userAgent: "wbuild-test",
    warn() {},
    credentials: { find: async (_registry, repository) => ({ username: repository ?? "", password: "pw" }) },
  });
  for (const name of ["one", "two/deep"]) await client.repository(parseReference(`${fake.host}/${name}`)).tags();
  const basic = (name: string) => `Basic ${Buffer.from(`${name}:pw`).toString("base64")}`;
  t.is(seen.get("/v2/one/tags/list"), basic("one"));
  t.is(seen.get("/v2/two/deep/tags/list"), basic("two/deep"));
});
