/**
 * No secret is ever printed, also with --debug: every flow that handles one is walked through with the real program, all
 * that it writes to its two streams is kept, and in the end each secret is looked for in each form that it can take.
 */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import type { CliOptions } from "../doubles/cli.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { complain, startFake } from "../doubles/fake-registry.ts";
import { startTokenServer } from "../doubles/token-server.ts";
import { scene } from "./scene.ts";

const secrets = {
  password: "right-Passw0rd/+@",
  wrong: "wrong-Passw0rd%23",
  tokenPassword: "token-Account-pw1",
  refresh: "refresh-T0ken-abcdef",
  registryToken: "registry-T0ken-abcdef",
  helper: "helper-Secret-77zz",
  proxy: "proxy-Passw0rd-9",
  environmentProxy: "environment-Proxy-8",
  url: "url-Passw0rd-5",
  signature: "signature-of-a-redirect-3",
  typed: "leaks-in-a-Header-2",
  mirrorHeader: "header-of-a-Mirror-4",
  authFile: "auth-File-pw-6",
  clientKey: "client-Key-material-1",
};

/** As it is, in a URL, in base64, and in the base64 of `user:password`. */
function formsOf(secret: string): string[] {
  const pairs = ["me", "somebody", "user", ""].map((user) => Buffer.from(`${user}:${secret}`).toString("base64"));
  return [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64"), ...pairs];
}

test("no secret is printed by any flow, also with --debug", async (t) => {
  const s = await scene(t);
  const written: { flow: string; text: string }[] = [];
  const walk = async (flow: string, codes: number[], options: CliOptions, ...args: string[]) => {
    const result = await s.wbuildWith(options, "--debug", ...args);
    written.push({ flow, text: `${result.stdout}\n${result.stderr}` });
    t.true(codes.includes(result.code), `${flow}: exit code ${result.code}\n${result.stderr}`);
    return result;
  };
  const dockerConfig = async (config: object) => {
    await mkdir(s.env.DOCKER_CONFIG, { recursive: true });
    await writeFile(join(s.env.DOCKER_CONFIG, "config.json"), JSON.stringify(config));
  };
  const context = await s.files("context", { Dockerfile: "FROM wbuild.local/linux\nRUN echo > /a\n" });
  const offline = ["--network", "none", "--progress", "plain"];

  // Basic: refused, accepted, used, forgotten.
  await using basic = await startRegistry({ auth: { username: "me", password: secrets.password } });
  const app = `${basic.host}/app:1`;
  const login = ["login", "-u", "me", "--password-stdin", basic.host];
  await walk("push without an account", [3], {}, "build", ...offline, "-t", app, "--push", context);
  await walk("login, wrong", [3], { input: secrets.wrong }, ...login);
  await walk("login, -p", [0, 2, 3], {}, "login", "-u", "me", "-p", secrets.wrong, basic.host);
  await walk("login, right", [0], { input: secrets.password }, ...login);
  await walk("push", [0], {}, "push", app);
  await walk("pull", [0], {}, "pull", app);
  await walk("pull as json", [0], {}, "pull", "--progress", "json", app);
  t.true(
    (await readFile(join(s.env.DOCKER_CONFIG, "config.json"), "utf8")).includes(formsOf(secrets.password)[3] ?? ""),
  );
  await walk("logout", [0], {}, "logout", basic.host);
  await dockerConfig({ auths: { [basic.host]: { auth: Buffer.from(`me:${secrets.wrong}`).toString("base64") } } });
  await walk("push, refused", [3], {}, "push", app);
  const refused = { input: `FROM ${basic.host}/other:1\n` };
  await walk("build from a refused base", [3], refused, "build", ...offline, "-f", "-", context);

  // Docker's file itself: broken JSON, wrong shapes, an entry without a user.
  const file = join(s.env.DOCKER_CONFIG, "config.json");
  for (const [name, text] of [
    ["broken", `{"auths": {"${basic.host}": {"auth": "${secrets.password}" `],
    ["a shape of its own", `{"auths": {"${basic.host}": "${secrets.password}"}}`],
    [
      "no user",
      JSON.stringify({ auths: { [basic.host]: { auth: Buffer.from(secrets.password).toString("base64") } } }),
    ],
  ] as const) {
    await writeFile(file, text);
    await walk(`Docker's file: ${name}`, [3, 4, 2], {}, "pull", app);
  }

  // Bearer: by password, by refresh token, by a token given as it is.
  await using tokens = await startTokenServer(
    { username: "somebody", password: secrets.tokenPassword },
    secrets.refresh,
  );
  await using bearer = await startRegistry({ token: tokens });
  const guarded = `${bearer.host}/app:1`;
  await walk("tag", [0], {}, "tag", app, guarded);
  const entries: [flow: string, codes: number[], entry: object][] = [
    ["wrong password", [3], { auth: Buffer.from(`somebody:${secrets.wrong}`).toString("base64") }],
    ["password", [0], { auth: Buffer.from(`somebody:${secrets.tokenPassword}`).toString("base64") }],
    ["refresh token", [0], { identitytoken: secrets.refresh }],
    ["wrong refresh token", [3], { identitytoken: `${secrets.wrong}` }],
    ["registry token", [3], { registrytoken: secrets.registryToken }],
  ];
  for (const [flow, codes, entry] of entries) {
    await dockerConfig({ auths: { [bearer.host]: entry } });
    await walk(`push, ${flow}`, codes, {}, "push", guarded);
  }

  // A login that is given a refresh token, which is kept and used.
  await dockerConfig({});
  const asSomebody = ["login", "-u", "somebody", "--password-stdin", bearer.host];
  await walk("login for a refresh token", [0], { input: secrets.tokenPassword }, ...asSomebody);
  const kept = JSON.parse(await readFile(file, "utf8")).auths[bearer.host];
  t.deepEqual(kept, { auth: Buffer.from("somebody:").toString("base64"), identitytoken: secrets.refresh });
  await walk("push with the refresh token", [0], {}, "push", guarded);
  await walk("logout of everything", [0], {}, "logout", "--all");

  // podman's file, whole and broken.
  const authFile = join(s.folder, "auth.json");
  const podman = { REGISTRY_AUTH_FILE: authFile };
  const somebody = Buffer.from(`somebody:${secrets.authFile}`).toString("base64");
  await writeFile(authFile, JSON.stringify({ auths: { [`${bearer.host}/app`]: { auth: somebody } } }));
  await walk("push, podman's file", [3], { env: podman }, "push", guarded);
  await writeFile(authFile, `{"auths": {"${bearer.host}": {"auth": "${secrets.authFile}`);
  await walk("push, podman's file broken", [3], { env: podman }, "push", guarded);

  // Mirrors with secret headers, which repeat them; hosts.toml and certificates that cannot be used.
  await using mirror = await startFake((request, response) =>
    complain(response, 403, "DENIED", `not with ${request.headers["x-key"]}`, { "x-key": secrets.mirrorHeader }),
  );
  const places = await s.files("certs.d", {});
  const hosts = { env: { WBUILD_CERTS_D: places } };
  const toml = (text: string) => s.files("certs.d/r.invalid", { "hosts.toml": text });
  await toml(`server = "http://${mirror.host}"\n[header]\nx-key = "${secrets.mirrorHeader}"\n`);
  await walk("pull through a mirror", [3], hosts, "pull", "r.invalid/app:1");
  await walk("doctor of a name", [0], hosts, "doctor", "r.invalid/app:1");
  await walk("doctor of a name, json", [0], hosts, "doctor", "--json", "r.invalid/app:1");
  t.true(mirror.requests.some(({ headers }) => headers["x-key"] === secrets.mirrorHeader));
  for (const text of [
    `[header]\nx-key = "${secrets.mirrorHeader}`,
    `[header]\nx-key = "${secrets.mirrorHeader}\\n"`,
    `[header]\nx-key = { a = "${secrets.mirrorHeader}" }`,
    `[host."https://user:${secrets.url}@m.invalid"]`,
  ]) {
    await toml(text);
    await walk("pull, hosts.toml that cannot be used", [3], hosts, "pull", "r.invalid/app:1");
    await walk("doctor, hosts.toml that cannot be used", [3], hosts, "doctor", "r.invalid/app:1");
  }
  await s.files("certs.d/k.invalid", { "me.cert": secrets.clientKey, "me.key": secrets.clientKey });
  await walk("pull, a key that is none", [3], hosts, "pull", "k.invalid/app:1");
  const conf = join(s.folder, "registries.conf");
  await writeFile(conf, `[[registry]]\nlocation = "user:${secrets.url}@r.invalid`);
  await walk("pull, registries.conf broken", [3], { env: { CONTAINERS_REGISTRIES_CONF: conf } }, "pull", app);

  // Helpers that answer, fail loudly with the secret on both streams, or talk nonsense.
  const bin = await s.files("bin", {
    "docker-credential-good": `#!/bin/sh\ncat > /dev/null\necho '{"Username":"me","Secret":"${secrets.helper}"}'\n`,
    "docker-credential-bad": `#!/bin/sh\ncat > /dev/null\necho ${secrets.helper}\necho ${secrets.helper} >&2\nexit 3\n`,
    "docker-credential-odd": `#!/bin/sh\ncat > /dev/null\necho '{"Username": ["${secrets.helper}"'\n`,
  });
  for (const name of ["good", "bad", "odd"]) {
    await chmod(join(bin, `docker-credential-${name}`), 0o755);
    await dockerConfig({ credsStore: name });
    const env = { PATH: `${bin}:${process.env.PATH}` };
    await walk(`pull, helper ${name}`, [3, 4], { env }, "pull", app);
    await walk(`login, helper ${name}`, [0, 3, 4], { env, input: secrets.wrong }, ...login);
    await walk(`logout, helper ${name}`, [0, 3, 4], { env }, "logout", basic.host);
  }

  // A registry that repeats what it is told, and redirects to signed addresses that fail.
  await using echo = await startFake((request, response, fake) => {
    const heard = `${request.headers.authorization} ${secrets.typed}`;
    if (request.path.startsWith("/v2/signed"))
      return void response
        .writeHead(307, {
          location: `http://user:${secrets.url}@${fake.host}/gone?X-Signature=${secrets.signature}&token=${secrets.signature}`,
        })
        .end();
    const challenge = `Basic realm="http://user:${secrets.url}@127.0.0.1/?token=${secrets.signature}"`;
    complain(response, 401, "UNAUTHORIZED", `no: Basic ${heard}`, { "www-authenticate": challenge });
  });
  await dockerConfig({ auths: { [echo.host]: { auth: Buffer.from(`me:${secrets.password}`).toString("base64") } } });
  await walk("pull, repeated by the registry", [3, 1, 4], {}, "pull", `${echo.host}/app:1`);
  await walk("pull, signed redirect", [3, 1, 4], {}, "pull", `${echo.host}/signed:1`);
  for (const text of [`https://user:${secrets.url}@${echo.host}/app:1`, `user:${secrets.url}@${echo.host}/app:1`]) {
    await walk("a reference with credentials", [2, 3], {}, "pull", text);
    await walk("a registry with credentials", [2], { input: secrets.wrong }, ...login.slice(0, -1), text);
    await walk("logout with credentials", [2], {}, "logout", text);
    await walk("a context with credentials", [2, 3], {}, "build", `${text.replace(/^user/, "https://user")}.git`);
  }

  const withUrl = { input: `FROM https://user:${secrets.url}@${echo.host}/app:1\n` };
  await walk("a FROM with credentials", [2, 3], withUrl, "build", "-f", "-", ...offline, context);

  // A proxy's password: as build argument and from the environment; the step prints it, also in pieces, and fails.
  const proxy = `http://user:${secrets.proxy}@127.0.0.1:9`;
  const env = { HTTPS_PROXY: `http://user:${secrets.environmentProxy}@127.0.0.1:9`, SCENE_PROXY: proxy };
  const proxied = await s.files("proxied", {
    Dockerfile: [
      "FROM wbuild.local/linux",
      "RUN env; echo $HTTP_PROXY; echo $https_proxy",
      `RUN printf %s "\${HTTP_PROXY%${secrets.proxy.slice(3)}*}"; printf '%s\\n' "\${HTTP_PROXY#*${secrets.proxy.slice(0, 3)}}" | cut -c1-4`,
      "ARG FAIL=0",
      "RUN env; echo $HTTP_PROXY >&2; exit $FAIL",
    ].join("\n"),
  });
  // The pieces stand in the Dockerfile on purpose; the whole password does not.
  const args = ["--build-arg", `HTTP_PROXY=${proxy}`, "--build-arg", "HTTPS_PROXY"];
  for (const face of ["plain", "json", "quiet"]) {
    const how = ["--network", "none", "--progress", face, "--no-cache", ...args];
    await walk(`build, proxy, ${face}`, [0], { env }, "build", ...how, "-t", "proxied", proxied);
    await walk(`failed build, proxy, ${face}`, [1], { env }, "build", ...how, "--build-arg", "FAIL=1", proxied);
  }
  await walk("plan, text", [0], { env }, "plan", ...args, proxied);
  await walk("plan, json", [0], { env }, "plan", "--json", ...args, proxied);
  await walk("plan, mermaid", [0], { env }, "plan", "--mermaid", ...args, proxied);
  for (const command of [
    ["history", "--no-trunc"],
    ["history", "--json"],
    ["history", "--dockerfile"],
    ["inspect"],
    ["inspect", "--raw"],
  ])
    await walk(command.join(" "), [0], { env }, ...command, "proxied");
  const elsewhere = "registry.invalid/app:1";
  await walk("pull through a dead proxy", [3], { env }, "pull", elsewhere);
  const odd = { HTTPS_PROXY: `http://user:${secrets.environmentProxy}@[bad` };
  await walk("pull through a proxy that is no URL", [2, 3, 4], { env: odd }, "pull", elsewhere);
  await walk("doctor", [0, 1, 4], { env }, "doctor");

  const found = written.flatMap(({ flow, text }) =>
    Object.entries(secrets)
      .filter(([, secret]) => formsOf(secret).some((form) => text.includes(form)))
      .map(([name]) => `${flow}: ${name}\n${text.slice(0, 1500)}`),
  );
  // What a registry made up itself is no secret of ours; that it is not passed on is courtesy, not law.
  t.deepEqual(
    found.filter((line) => !line.includes(": typed")),
    [],
  );
});
