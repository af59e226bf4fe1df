/** Docker's configuration: found, stored and forgotten as docker does, with helpers, and nothing lost on the way. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import anyTest, { type TestFn } from "ava";
import type { Credentials } from "../../registry/credential-helper.ts";
import { dockerCredentials, login, logout, logoutAll } from "../../registry/credentials.ts";

const test = anyTest as TestFn<{ dir: string; file: string; env: NodeJS.ProcessEnv }>;

test.beforeEach(async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "wbuild-credentials-"));
  const bin = join(dir, "bin");
  await mkdir(bin);
  const env = { PATH: `${bin}:${process.env.PATH ?? ""}`, DOCKER_CONFIG: join(dir, "config"), HELPER_DIR: dir };
  t.context = { dir, file: join(dir, "config", "config.json"), env };
});
test.afterEach.always((t) => rm(t.context.dir, { recursive: true, force: true }));

async function configure(context: { file: string; dir: string }, config: unknown): Promise<void> {
  await mkdir(join(context.dir, "config"), { recursive: true });
  await writeFile(context.file, typeof config === "string" ? config : JSON.stringify(config));
}

/** A helper that keeps one answer in a file, and writes down what it was asked. */
async function addHelper(dir: string, name: string, script = ""): Promise<void> {
  const path = join(dir, "bin", `docker-credential-${name}`);
  const body = `#!/bin/sh
${script}
input=$(cat)
echo "$1 $input" >> "$HELPER_DIR/asked"
case $1 in
  store) printf %s "$input" > "$HELPER_DIR/kept" ;;
  get) cat "$HELPER_DIR/kept" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
  erase) rm -f "$HELPER_DIR/kept" ;;
esac
`;
  await writeFile(path, body);
  await chmod(path, 0o755);
}

const auth = Buffer.from("ann:pass:word").toString("base64");
const found: [title: string, config: object, registry: string, expected: Credentials | undefined][] = [
  ["auth", { auths: { "r.test": { auth } } }, "r.test", { username: "ann", password: "pass:word" }],
  [
    "a URL for a key",
    { auths: { "https://r.test/v1/": { auth } } },
    "r.test",
    { username: "ann", password: "pass:word" },
  ],
  [
    "Docker Hub's old key",
    { auths: { "https://index.docker.io/v1/": { auth } } },
    "docker.io",
    { username: "ann", password: "pass:word" },
  ],
  [
    "user name and password apart",
    { auths: { "r.test": { username: "u", password: "p" } } },
    "r.test",
    { username: "u", password: "p" },
  ],
  [
    "an identity token",
    { auths: { "r.test": { auth: Buffer.from("u:").toString("base64"), identitytoken: "tok" } } },
    "r.test",
    { username: "u", identityToken: "tok" },
  ],
  ["a registry token", { auths: { "r.test": { registrytoken: "tok" } } }, "r.test", { registryToken: "tok" }],
  ["another port", { auths: { "r.test:1": { auth } } }, "r.test:2", undefined],
  ["an empty entry", { auths: { "r.test": {} } }, "r.test", undefined],
  ["no auths", { psFormat: "x" }, "r.test", undefined],
];
for (const [title, config, registry, expected] of found)
  test(`found: ${title}`, async (t) => {
    await configure(t.context, config);
    t.deepEqual(await dockerCredentials({ env: t.context.env }).find(registry), expected);
  });

test("no configuration means anonymous", async (t) => {
  t.is(await dockerCredentials({ env: t.context.env }).find("r.test"), undefined);
});

test("login writes what docker reads, mode 0600, and keeps all else; logout takes only that away", async (t) => {
  const { file, env } = t.context;
  const before = {
    auths: { "other.test": { auth: "b3RoZXI6eA==", email: "e@x" } },
    HttpHeaders: { a: "b" },
    unknown: [1, null],
  };
  await configure(t.context, before);
  const { place, isPlain } = await login("r.test:5000", { username: "ann", password: "pass:word" }, { env });
  t.deepEqual([place, isPlain], [file, true]);
  t.is((await stat(file)).mode & 0o777, 0o600);
  const after = JSON.parse(await readFile(file, "utf8"));
  t.deepEqual(after, { ...before, auths: { ...before.auths, "r.test:5000": { auth } } });
  t.deepEqual(await dockerCredentials({ env }).find("r.test:5000"), { username: "ann", password: "pass:word" });
  t.true((await logout("r.test:5000", { env })).isKnown);
  t.false((await logout("r.test:5000", { env })).isKnown);
  t.deepEqual(JSON.parse(await readFile(file, "utf8")), before);
  t.deepEqual(await readdir(join(t.context.dir, "config")), ["config.json"], "no temporary file is left");
});

test("login makes folder and file; a link stays a link", async (t) => {
  const { dir, file, env } = t.context;
  await login("docker.io", { username: "u", password: "p" }, { env });
  t.deepEqual(Object.keys(JSON.parse(await readFile(file, "utf8")).auths), ["https://index.docker.io/v1/"]);
  t.is((await stat(join(dir, "config"))).mode & 0o777, 0o700);
  const real = join(dir, "dotfiles.json");
  await writeFile(real, "{}");
  await rm(file);
  await symlink(real, file);
  await login("r.test", { username: "u", password: "p" }, { env });
  t.true((await readFile(real, "utf8")).includes("r.test"));
});

for (const [title, key] of [
  ["the default store", "credsStore"],
  ["a registry's helper", "credHelpers"],
] as const)
  test(`${title} is asked, told and emptied`, async (t) => {
    const { dir, file, env } = t.context;
    await addHelper(dir, "mem");
    await configure(t.context, { [key]: key === "credsStore" ? "mem" : { "r.test": "mem" } });
    const before = await readFile(file, "utf8");
    const source = () => dockerCredentials({ env });
    t.is(await source().find("r.test"), undefined);
    t.deepEqual(await login("r.test", { username: "u", password: "p" }, { env }), {
      place: "docker-credential-mem",
      isPlain: false,
    });
    t.deepEqual(await source().find("r.test"), { username: "u", password: "p" });
    t.true((await logout("r.test", { env })).isKnown);
    t.is(await source().find("r.test"), undefined);
    t.is(await readFile(file, "utf8"), before, "nothing of it is in the file");
    const asked = (await readFile(join(dir, "asked"), "utf8")).trim().split("\n");
    t.true(asked.includes("get r.test") && asked.includes("erase r.test"));
  });

test("a helper's <token> is an identity token", async (t) => {
  const { dir, env } = t.context;
  await addHelper(dir, "mem");
  await configure(t.context, { credsStore: "mem" });
  await writeFile(join(dir, "kept"), '{"ServerURL":"r.test","Username":"<token>","Secret":"refresh"}');
  t.deepEqual(await dockerCredentials({ env }).find("r.test"), { identityToken: "refresh" });
});

const broken: [title: string, config: unknown, message: RegExp][] = [
  ["a file that is no JSON", '{"auths":{"r.test":{"auth":"c2VjcmV0LXNlY3JldA==" oops', /is not a JSON object/],
  ["auths of another shape", { auths: { "r.test": { auth: 5 } } }, /unexpected shape/],
  ["an auth without a user name", { auths: { "r.test": { auth: "c2VjcmV0LXNlY3JldA==" } } }, /has no user name/],
  ["a helper that is not installed", { credsStore: "absent-helper" }, /is not installed/],
  ["a helper's name that leaves PATH", { credsStore: "../../tmp/evil" }, /is not a credential helper's name/],
  ["a helper that fails", { credsStore: "bad" }, /failed \(3\)/],
  ["a helper that babbles", { credsStore: "odd" }, /not understood/],
];
for (const [title, config, message] of broken)
  test(`refused without a word of it: ${title}`, async (t) => {
    const { dir, env } = t.context;
    await addHelper(dir, "bad", "echo secret-secret; echo secret-secret >&2; exit 3");
    await addHelper(dir, "odd", "echo secret-secret; exit 0");
    await configure(t.context, config);
    const error = await t.throwsAsync(dockerCredentials({ env }).find("r.test"), {
      code: "REG_CREDENTIALS",
      message,
    } as object);
    t.notRegex(`${error?.stack} ${JSON.stringify(error)} ${String(error?.cause)}`, /secret-secret|c2VjcmV0/);
  });

const entry = (name: string) => ({ auth: Buffer.from(`${name}:pw`).toString("base64") });

test("podman's files: the most specific namespace first, in the order of the files", async (t) => {
  const { dir } = t.context;
  const env = { ...t.context.env, XDG_RUNTIME_DIR: join(dir, "run"), XDG_CONFIG_HOME: join(dir, "xdg") };
  const write = async (folder: string, auths: object) => {
    await mkdir(join(dir, folder, "containers"), { recursive: true });
    await writeFile(join(dir, folder, "containers", "auth.json"), JSON.stringify({ auths }));
  };
  await write("run", {
    "r.test": entry("host"),
    "r.test/team": entry("team"),
    "r.test/team/sub/app": entry("app"),
    "docker.io": entry("hub"),
    "n.test/only": entry("only"),
  });
  await write("xdg", { "r.test": entry("later"), "x.test": entry("x"), "https://u.test/v1/": entry("url") });
  const rows: [registry: string, repository: string | undefined, expected: string | undefined][] = [
    ["r.test", undefined, "host"],
    ["r.test", "other/app", "host"],
    ["r.test", "team", "team"],
    ["r.test", "team/app", "team"],
    ["r.test", "teams/app", "host"],
    ["r.test", "team/sub/app", "app"],
    ["r.test", "team/sub/app/more", "app"],
    ["docker.io", "library/alpine", "hub"],
    ["n.test", "only/app", "only"],
    ["n.test", "app", undefined],
    ["n.test", undefined, undefined],
    ["x.test", "a", "x"],
    ["u.test", "a", "url"],
  ];
  const source = dockerCredentials({ env });
  for (const [registry, repository, expected] of rows)
    t.is((await source.find(registry, repository))?.username, expected, `${registry}/${repository}`);
  await configure(t.context, { auths: { "r.test": entry("docker") } });
  t.is((await dockerCredentials({ env }).find("r.test", "team/app"))?.username, "docker", "Docker's file comes first");
});

test("$REGISTRY_AUTH_FILE is the only file: read, written and emptied", async (t) => {
  const file = join(t.context.dir, "auth.json");
  await configure(t.context, { auths: { "r.test": entry("docker") } });
  const env = { ...t.context.env, REGISTRY_AUTH_FILE: file };
  t.is(await dockerCredentials({ env }).find("r.test"), undefined);
  t.deepEqual(await login("docker.io", { username: "u", password: "p" }, { env }), { place: file, isPlain: true });
  t.deepEqual(Object.keys(JSON.parse(await readFile(file, "utf8")).auths), ["docker.io"], "the name that podman uses");
  t.deepEqual(await dockerCredentials({ env }).find("docker.io", "a/b"), { username: "u", password: "p" });
  t.true((await logout("docker.io", { env })).isKnown);
  t.is((await dockerCredentials({ env: t.context.env }).find("r.test"))?.username, "docker");
});

test("an identity token is kept as docker keeps it; logout tells of files that it leaves alone", async (t) => {
  const { dir } = t.context;
  const env = { ...t.context.env, XDG_RUNTIME_DIR: join(dir, "run") };
  await login("r.test", { username: "u", identityToken: "refresh" }, { env });
  t.deepEqual(JSON.parse(await readFile(t.context.file, "utf8")).auths["r.test"], {
    auth: Buffer.from("u:").toString("base64"),
    identitytoken: "refresh",
  });
  t.deepEqual(await dockerCredentials({ env }).find("r.test"), { username: "u", identityToken: "refresh" });
  const podman = join(dir, "run", "containers", "auth.json");
  await mkdir(join(dir, "run", "containers"), { recursive: true });
  await writeFile(podman, JSON.stringify({ auths: { "r.test": entry("a") } }));
  t.deepEqual(await logout("r.test", { env }), { isKnown: true, remains: [podman] });
});

test("logout of everything empties the file and the helpers that it names", async (t) => {
  const { dir, env } = t.context;
  const list = `[ "$1" = list ] && { echo '{"https://index.docker.io/v1/":"u","s.test":"u"}'; echo "list" >> "$HELPER_DIR/asked"; exit 0; }`;
  await addHelper(dir, "store", list);
  await addHelper(dir, "own", `[ "$1" = get ] && { echo '{"Username":"u","Secret":"p"}'; exit 0; }`);
  await configure(t.context, {
    auths: { "a.test": entry("a"), "b.test/team": entry("b") },
    credsStore: "store",
    credHelpers: { "h.test": "own" },
    other: "stays",
  });
  t.deepEqual(await logoutAll({ env }), ["a.test", "b.test", "docker.io", "h.test", "s.test"]);
  const { auths, other } = JSON.parse(await readFile(t.context.file, "utf8"));
  t.deepEqual([auths, other], [{}, "stays"]);
  const asked = (await readFile(join(dir, "asked"), "utf8")).trim().split("\n");
  t.deepEqual(
    asked.filter((line) => line.startsWith("erase")),
    ["erase https://index.docker.io/v1/", "erase s.test", "erase h.test"],
  );
  t.deepEqual(await logoutAll({ env: { ...env, DOCKER_CONFIG: join(dir, "nowhere") } }), []);
});
