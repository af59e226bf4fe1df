/** hosts.toml: which hosts answer for a registry, what each may do, and how each is spoken to. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { containerdRoutes, parseHosts } from "../../../registry/hosts/containerd-hosts.ts";
import type { Route, Routes } from "../../../registry/hosts/route.ts";

function told({ pull, push }: Routes): string[] {
  const line = (use: string, route: Route) => {
    const { host, scheme = "?", root, namespace, serves, tls } = route;
    const notes = [
      ...(namespace === undefined ? [] : [`ns=${namespace}`]),
      ...(serves.tags ? [] : ["digests"]),
      ...(serves.digests ? [] : ["tags"]),
      ...(tls?.skipVerify ? ["unchecked"] : []),
      ...Object.entries(route.headers).map(([name, value]) => `${name}: ${value}`),
    ];
    return [use, `${scheme}://${host}${root}`, ...notes].join(" ");
  };
  return [
    ...pull.map((route) => line(route.isMirror ? "mirror" : "pull", route)),
    ...(push ? [`push ${push.host}`] : []),
  ];
}

const rows: [title: string, host: string, text: string, expected: string[]][] = [
  ["an empty file", "r.test", "", ["pull ?://r.test/v2", "push r.test"]],
  [
    "mirrors in the file's order, then the registry, which takes pushes",
    "docker.io",
    '[host."https://m2.test"]\ncapabilities = ["pull", "resolve"]\n[host."https://m1.test:5000"]\ncapabilities = ["pull"]',
    [
      "mirror https://m2.test/v2 ns=docker.io",
      "mirror https://m1.test:5000/v2 ns=docker.io digests",
      "pull ?://docker.io/v2",
      "push docker.io",
    ],
  ],
  [
    "a host that says nothing of itself can do everything",
    "r.test",
    '[host."https://m.test"]',
    ["mirror https://m.test/v2 ns=r.test", "pull ?://r.test/v2", "push m.test"],
  ],
  [
    "another server",
    "r.test",
    'server = "http://s.test:5000"',
    ["pull http://s.test:5000/v2 ns=r.test", "push s.test:5000"],
  ],
  ["a server that takes no push", "r.test", 'capabilities = ["pull", "resolve"]', ["pull ?://r.test/v2"]],
  [
    "a host that only resolves",
    "r.test",
    '[host."https://m.test"]\ncapabilities = ["resolve"]',
    ["mirror https://m.test/v2 ns=r.test tags", "pull ?://r.test/v2", "push r.test"],
  ],
  [
    "paths",
    "r.test",
    '[host."https://m.test/hub/"]\n[host."https://n.test/hub/v2"]\n[host."https://o.test/v1/api"]\noverride_path = true',
    [
      "mirror https://m.test/hub/v2 ns=r.test",
      "mirror https://n.test/hub/v2 ns=r.test",
      "mirror https://o.test/v1/api ns=r.test",
      "pull ?://r.test/v2",
      "push m.test",
    ],
  ],
  [
    "hosts without a scheme",
    "r.test",
    'server = "s.test"\n[host."localhost:5000"]',
    ["mirror http://localhost:5000/v2 ns=r.test", "pull https://s.test/v2 ns=r.test", "push localhost:5000"],
  ],
  [
    "headers and no checks",
    "r.test",
    'skip_verify = true\n[header]\nX-One = "a"\nx-two = ["b", "c"]',
    ["pull ?://r.test/v2 unchecked x-one: a x-two: b, c", "push r.test"],
  ],
];
for (const [title, host, text, expected] of rows)
  test(title, async (t) => t.deepEqual(told(await parseHosts("/c/hosts.toml", text, host, "a/b")), expected));

const wrong: [title: string, text: string, message: RegExp][] = [
  ["no TOML", '[header]\nauthorization = "secret-token', /no valid TOML \(line 2, column \d+\)$/],
  ["a capability that nobody knows", 'capabilities = ["fly"]', /capabilities/],
  ["a host with a password", '[host."https://me:secret-token@m.test"]', /is no address/],
  ["a host of another scheme", '[host."ftp://m.test"]', /is no address/],
  ["a host with a query", '[host."https://m.test/?a=secret-token"]', /is no address/],
  ["a header that breaks its line", '[header]\nx = "a\\r\\nsecret-token: 1"', /header/],
  ["a header's name that breaks its line", '[header]\n"x\\r\\nsecret-token" = "a"', /header/],
  ["a client certificate of three files", 'client = [["a", "b", "c"]]', /client must be/],
];
for (const [title, text, message] of wrong)
  test(`refused: ${title}`, async (t) => {
    const error = await t.throwsAsync(parseHosts("/c/hosts.toml", text, "r.test", "a"), {
      code: "REG_HOSTS",
      message,
    } as object);
    t.notRegex(`${error?.stack} ${JSON.stringify(error)}`, /secret-token/);
  });

test("the folder for host and port is found as containerd writes it, then as docker does, then the default", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-hosts-toml-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const find = async (host: string) => {
    const routes = await containerdRoutes([join(folder, "nowhere"), folder], host, "a");
    return routes?.pull.at(-1)?.host;
  };
  const add = async (name: string, server: string) => {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "hosts.toml"), `server = "https://${server}"`);
  };
  t.is(await find("r.test:5000"), undefined);
  await add("_default", "default.test");
  t.is(await find("r.test:5000"), "default.test");
  await add("r.test:5000", "colon.test");
  t.is(await find("r.test:5000"), "colon.test");
  await add("r.test_5000_", "under.test");
  t.is(await find("r.test:5000"), "under.test");
  t.is(await find("other.test"), "default.test");
  t.is(await find("../r.test_5000_"), undefined);
});

test("certificates are read from beside the file; client is a file, files, or pairs", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-hosts-toml-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const name of ["ca", "both", "cert", "key"]) await writeFile(join(folder, `${name}.pem`), name);
  const tls = async (text: string) => (await parseHosts(join(folder, "hosts.toml"), text, "r.test", "a")).pull[0]?.tls;
  const none = { skipVerify: false };
  t.deepEqual(await tls('ca = "ca.pem"'), { ...none, ca: ["ca"], cert: [], key: [] });
  t.deepEqual(await tls('client = "both.pem"'), { ...none, ca: [], cert: ["both"], key: ["both"] });
  t.deepEqual(await tls('client = ["both.pem", "cert.pem"]'), {
    ...none,
    ca: [],
    cert: ["both", "cert"],
    key: ["both", "cert"],
  });
  t.deepEqual(await tls(`client = [["cert.pem", "${folder}/key.pem"], ["both.pem", ""]]`), {
    ...none,
    ca: [],
    cert: ["cert", "both"],
    key: ["key", "both"],
  });
  await t.throwsAsync(tls('ca = ["ca.pem", "nowhere.pem"]'), { code: "REG_TLS", message: /nowhere\.pem/ } as object);
});
