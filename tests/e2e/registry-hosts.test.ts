/** The real program on a machine with mirrors, certificates and insecure registries; skopeo with the same files agrees. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { scene } from "./scene.ts";

test("a build takes its base from a mirror, pushes to the registry itself, and doctor says why", async (t) => {
  const s = await scene(t);
  await using home = await startRegistry();
  await using mirror = await startRegistry();
  await s.wbuild("tag", "wbuild.local/linux", `${mirror.host}/hub/base:1`);
  t.is((await s.wbuild("push", `${mirror.host}/hub/base:1`)).code, 0);
  t.is((await s.wbuild("rmi", `${mirror.host}/hub/base:1`)).code, 0);
  const conf = join(s.folder, "registries.conf");
  await writeFile(
    conf,
    `[[registry]]\nlocation = "${home.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}/hub"\ninsecure = true\n`,
  );
  const env = { CONTAINERS_REGISTRIES_CONF: conf, WBUILD_HOME: join(s.folder, "empty") };
  const context = await s.files("context", { Dockerfile: `FROM ${home.host}/base:1\nCOPY a /\n`, a: "a" });

  const told = await s.wbuildWith({ env }, "doctor", `${home.host}/base:1`);
  t.is(
    told.stdout,
    [
      `${home.host}/base, by ${conf}`,
      `  pull, mirror  https://${mirror.host}/v2/hub/base (its certificate is not checked; http where there is no TLS)`,
      `  pull          https://${home.host}/v2/base`,
      `  push          https://${home.host}/v2/base`,
      "",
    ].join("\n"),
  );
  const built = await s.wbuildWith(
    { env },
    "build",
    "--progress",
    "plain",
    "-t",
    `${home.host}/app:1`,
    "--push",
    context,
  );
  t.is(built.code, 0, built.stderr);
  const catalog = async (url: string) =>
    ((await (await fetch(`${url}/v2/_catalog`)).json()) as { repositories: string[] }).repositories;
  t.deepEqual(await catalog(home.url), ["app"]);
  t.deepEqual(await catalog(mirror.url), ["hub/base"]);

  const blocked = join(s.folder, "blocked.conf");
  await writeFile(blocked, `[[registry]]\nlocation = "${home.host}"\nblocked = true\n`);
  for (const [command, ...args] of [
    ["pull", `${home.host}/app:1`],
    ["push", `${home.host}/app:1`],
  ] as const) {
    const result = await s.wbuildWith({ env: { ...env, CONTAINERS_REGISTRIES_CONF: blocked } }, command, ...args);
    t.is(result.code, 3);
    t.regex(result.stderr, /REG_BLOCKED/);
  }
  const doctor = await s.wbuildWith(
    { env: { ...env, CONTAINERS_REGISTRIES_CONF: blocked } },
    "doctor",
    "--json",
    `${home.host}/app`,
  );
  t.true((JSON.parse(doctor.stdout) as { isBlocked: boolean }).isBlocked);
});

test("doctor tells where Docker Hub's images are", async (t) => {
  const s = await scene(t, { base: false });
  const env = { CONTAINERS_REGISTRIES_CONF: "/dev/null", WBUILD_CERTS_D: s.folder };
  const url = "https://registry-1.docker.io/v2/library/alpine";
  t.is(
    (await s.wbuildWith({ env }, "doctor", "alpine")).stdout,
    `docker.io/library/alpine\n  pull          ${url}\n  push          ${url}\n`,
  );
});

test("the same registries.conf leads skopeo and wbuild to the same places", async (t) => {
  const s = await scene(t);
  await using home = await startRegistry();
  await using mirror = await startRegistry();
  const names = ["mirrored", "moved", "direct", "digests"];
  const digests = new Map<string, string>();
  const digestOf = (text: string) => /sha256:[0-9a-f]{64}/.exec(text)?.[0] ?? text;
  for (const [i, host] of [home.host, mirror.host].entries())
    for (const name of names) {
      const context = await s.files(`context-${i}-${name}`, {
        Dockerfile: "FROM scratch\nCOPY a /\n",
        a: `${i} ${name}`,
      });
      const built = await s.wbuild("build", "-t", `${host}/${name}:1`, "--push", context);
      t.is(built.code, 0, built.stderr);
      digests.set(`${i}/${name}`, digestOf((await s.wbuild("push", `${host}/${name}:1`)).stdout));
    }
  const conf = join(s.folder, "registries.conf");
  const entry = (name: string, location: string, more: string) =>
    `[[registry]]\nprefix = "${home.host}/${name}"\nlocation = "${location}/${name}"\ninsecure = true\n${more}`;
  const mirrorAt = (name: string, use: string) =>
    `[[registry.mirror]]\nlocation = "${mirror.host}/${name}"\ninsecure = true\npull-from-mirror = "${use}"\n`;
  await writeFile(
    conf,
    [
      `[[registry]]\nlocation = "${home.host}"\ninsecure = true\n`,
      entry("mirrored", home.host, mirrorAt("mirrored", "all")),
      entry("moved", mirror.host, ""),
      entry("digests", home.host, mirrorAt("digests", "digest-only")),
    ].join(""),
  );
  const expected = { mirrored: "1/mirrored", moved: "1/moved", direct: "0/direct", digests: "0/digests" };
  for (const [name, where] of Object.entries(expected)) {
    const env = { CONTAINERS_REGISTRIES_CONF: conf, WBUILD_HOME: join(s.folder, `home-${name}`) };
    const pulled = await s.wbuildWith({ env }, "pull", `${home.host}/${name}:1`);
    t.is(digestOf(pulled.stdout), digests.get(where) ?? "", `${name}: ${pulled.stderr}`);
    const args = ["--registries-conf", conf, "inspect", "--raw", `docker://${home.host}/${name}:1`];
    const { createHash } = await import("node:crypto");
    const theirs = createHash("sha256")
      .update(await s.tool("skopeo", ...args))
      .digest("hex");
    t.is(`sha256:${theirs}`, digests.get(where) ?? "", `skopeo, ${name}`);
  }
});

test("--insecure, --tls-verify=false and certs.d: a registry whose authority nobody knows", async (t) => {
  const s = await scene(t);
  await using secure = await startRegistry({ tls: true, auth: { username: "ci", password: "word-of-ci" } });
  const name = `${secure.host}/app:1`;
  await s.wbuild("tag", "wbuild.local/linux", name);
  const login = (...flags: string[]) =>
    s.wbuildWith({ input: "word-of-ci" }, "login", ...flags, "-u", "ci", "--password-stdin", secure.host);
  const doubted = await login();
  t.is(doubted.code, 3);
  t.regex(doubted.stderr, /REG_TLS/);
  const careless = await login("--insecure");
  t.is(careless.code, 0, careless.stderr);
  t.regex(careless.stderr, /the certificate of 127\.0\.0\.1:\d+ is not checked/);
  t.regex((await s.wbuild("push", name)).stderr, /REG_TLS/);
  t.regex((await s.wbuild("push", "--tls-verify=true", name)).stderr, /REG_TLS/);
  const pushed = await s.wbuild("push", "--tls-verify=false", name);
  t.is(pushed.code, 0, pushed.stderr);
  t.is((await s.wbuild("push", "--tls-verify=maybe", name)).code, 2);
  const context = await s.files("context", { Dockerfile: `FROM ${name}\nCOPY a /\n`, a: "a" });
  const other = { WBUILD_HOME: join(s.folder, "other") };
  const build = (env: object, ...flags: string[]) =>
    s.wbuildWith(
      { env: { ...other, ...env } },
      "build",
      "--no-cache",
      ...flags,
      "-t",
      `${secure.host}/built:1`,
      "--push",
      context,
    );
  t.regex((await build({})).stderr, /REG_TLS/);
  const built = await build({}, "--insecure");
  t.is(built.code, 0, built.stderr);

  const places = join(s.folder, "certs.d");
  await mkdir(join(places, secure.host), { recursive: true });
  await writeFile(join(places, secure.host, "ca.crt"), secure.ca ?? "");
  const trusted = await build({ WBUILD_CERTS_D: places });
  t.is(trusted.code, 0, trusted.stderr);
  t.regex((await s.wbuild("doctor", name)).stdout, /^ {2}push {10}https:\S+$/m);
  t.regex((await s.wbuildWith({ env: { WBUILD_CERTS_D: places } }, "doctor", name)).stdout, /authorities of its own/);
});

test("credentials for one namespace, from podman's file; logout forgets them", async (t) => {
  const s = await scene(t);
  await using registry = await startRegistry({ auth: { username: "ci", password: "word-of-ci" } });
  const file = join(s.folder, "auth.json");
  const auth = (password: string) => ({ auth: Buffer.from(`ci:${password}`).toString("base64") });
  await writeFile(
    file,
    JSON.stringify({ auths: { [`${registry.host}/team`]: auth("word-of-ci"), [registry.host]: auth("wrong") } }),
  );
  const env = { REGISTRY_AUTH_FILE: file };
  for (const [name, code] of [
    ["team/app:1", 0],
    ["other/app:1", 3],
  ] as const) {
    await s.wbuild("tag", "wbuild.local/linux", `${registry.host}/${name}`);
    const result = await s.wbuildWith({ env }, "push", `${registry.host}/${name}`);
    t.is(result.code, code, result.stderr);
  }
  const out = await s.wbuildWith({ env }, "logout", registry.host);
  t.is(out.stdout, `Removed the credentials for ${registry.host}\n`);
  t.is(
    (await s.wbuildWith({ env }, "push", `${registry.host}/team/app:1`)).code,
    0,
    "those of the namespace are others",
  );
  t.regex((await s.wbuildWith({ env }, "logout", "--all")).stdout, /^Removed/);
  t.is((await s.wbuildWith({ env }, "logout", "--all")).stdout, "There were no credentials\n");
  t.is((await s.wbuildWith({ env }, "push", `${registry.host}/team/app:1`)).code, 3);
  t.is((await s.wbuildWith({ env }, "logout", "--all", registry.host)).code, 2);
});
