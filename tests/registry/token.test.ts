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
import { startTokenServer } from "../doubles/token-server.ts";

const account = { username: "bob", password: "s3cret-passw0rd" };

function open(credentials: Credentials | undefined, options: Partial<RegistryOptions> = {}) {
  return openRegistry({
    userAgent: "wbuild-test",
    warn() {},
    credentials: { find: async () => credentials },
    retry: { baseMs: 1, capMs: 2 },
    ...options,
  });
}
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
