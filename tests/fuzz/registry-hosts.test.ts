/** registries.conf, hosts.toml, NO_PROXY and challenges on hostile text: a place that is taken never leaves its host or path. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { isWbuildError } from "../../native/error.ts";
import { dockerCredentials } from "../../registry/credentials.ts";
import { parseHosts } from "../../registry/hosts/containerd-hosts.ts";
import { containersRoutes, parseContainersConf } from "../../registry/hosts/containers-conf.ts";
import type { Routes } from "../../registry/hosts/route.ts";
import { parseChallenges } from "../../registry/transport/challenge.ts";
import { isExempt } from "../../registry/transport/proxy.ts";
import { holds } from "../doubles/holds.ts";

const numRuns = Number(process.env.FUZZ_RUNS ?? 2000);
const value = fc.oneof(
  fc.constantFrom(
    '"r.test"',
    '"*.test"',
    '"r.test/a/b"',
    '"m.test:5000/x"',
    '"../.."',
    '"https://u:p@m.test"',
    "true",
    "5",
    "[]",
  ),
  fc.constantFrom(
    '["pull"]',
    '["pull", "resolve"]',
    '[["a", "b"]]',
    '"tag-only"',
    '"digest-only"',
    '"a\\r\\nb"',
    "{}",
    "1979-05-27",
  ),
  fc.string({ maxLength: 12 }).map((text) => JSON.stringify(text)),
  fc.string({ maxLength: 12 }),
);
const key = fc.constantFrom(
  "prefix",
  "location",
  "insecure",
  "blocked",
  "mirror-by-digest-only",
  "pull-from-mirror",
  "server",
  "skip_verify",
  "override_path",
  "ca",
  "x",
  "__proto__",
);
const line = fc.oneof(
  fc.tuple(key, value).map(([name, text]) => `${name} = ${text}`),
  fc.constantFrom(
    "[[registry]]",
    "[[registry.mirror]]",
    "[registries.block]",
    'registries = ["r.test"]',
    "[header]",
    "[aliases]",
  ),
  fc
    .constantFrom("m.test", "http://r.test:1/v2", "https://m.test/a/../..", "ftp://x", "//m", "[::1]:5")
    .map((host) => `[host.${JSON.stringify(host)}]`),
  fc.string({ maxLength: 20 }),
);
const document = fc.array(line, { maxLength: 12 }).map((lines) => lines.join("\n"));

function check(
  t: { fail(message: string): void; true(value: boolean, message?: string): void },
  routes: Routes | undefined,
): void {
  for (const { host, root, repository, headers, scheme = "https" } of [
    ...(routes?.pull ?? []),
    ...(routes?.push ? [routes.push] : []),
  ]) {
    const url = new URL(`${scheme}://${host}${root}/${repository}/manifests/latest`);
    const told = `${host} ${root} ${repository}`;
    // Default ports are left out by URL; everything else must come back as it was written.
    if (host.toLowerCase().replace(/:(80|443)$/, "") !== url.host.replace(/:(80|443)$/, ""))
      t.true(/^[\d.]|:0/.test(host) || host.includes("["), told);
    t.true(url.pathname.endsWith(`/${repository}/manifests/latest`) && url.search === "" && url.username === "", told);
    for (const [name, text] of Object.entries(headers)) if (/[\r\n\0]/.test(name + text)) t.fail(JSON.stringify(name));
  }
}

/** Errors of ours are answers; everything else is a fault. */
async function answered<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (isWbuildError(error, "REG_HOSTS") || isWbuildError(error, "REG_TLS")) return undefined;
    throw error;
  }
}

test("registries.conf", async (t) => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(document, fc.constantFrom("r.test", "m.test:5000", "a.test"), async (text, host) => {
      const conf = await answered(parseContainersConf("x.conf", text));
      const routes = conf && (await answered(Promise.resolve().then(() => containersRoutes(conf, host, "team/app"))));
      if (routes) taken++;
      check(t, routes);
    }),
    { numRuns },
  );
  t.true(taken > 0, "some of what is tried is taken");
});

test("hosts.toml", async (t) => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(document, async (text) => {
      const routes = await answered(parseHosts("/nowhere/hosts.toml", text, "r.test", "team/app"));
      if (routes) taken++;
      check(t, routes);
    }),
    { numRuns },
  );
  t.true(taken > 0, "some of what is tried is taken");
});

test("NO_PROXY", (t) => {
  const piece = fc.constantFrom(
    "*",
    ".",
    "r.test",
    "10.0.0.0",
    "/8",
    "/",
    ":",
    "5000",
    "[",
    "]",
    "::1",
    ",",
    " ",
    "-",
    "%",
  );
  holds(
    t,
    fc.property(
      fc.array(piece, { maxLength: 10 }),
      fc.constantFrom("https://r.test/", "http://10.1.2.3:5000/", "https://[::1]/"),
      (pieces, url) => {
        isExempt(new URL(url), pieces.join(""));
      },
    ),
    { numRuns },
  );
});

test("challenges", (t) => {
  const piece = fc.constantFrom(
    "Bearer ",
    "Basic",
    "realm=",
    '"',
    "https://t.test/",
    ",",
    " ",
    "\\",
    "scope=",
    "=",
    "a:b:c",
    "é",
  );
  holds(
    t,
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      for (const { scheme } of parseChallenges(pieces.join(""))) if (!/^[a-z][\w-]*$/.test(scheme)) t.fail(scheme);
    }),
    { numRuns },
  );
});

test("credentials of one host are never found for another, nor a namespace's beside it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-fuzz-auth-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "auth.json");
  const env = { REGISTRY_AUTH_FILE: file };
  const piece = fc.constantFrom(
    "r.test",
    "r.test:5000",
    "evil.test",
    "/",
    "team",
    "team/app",
    "https://",
    "http://",
    "v1/",
    "@",
    "..",
    ":",
    "#",
    "?",
    "docker.io",
    "index.docker.io",
  );
  const names = fc.array(
    fc.array(piece, { maxLength: 5 }).map((parts) => parts.join("")),
    { maxLength: 6 },
  );
  let found = 0;
  await fc.assert(
    fc.asyncProperty(names, fc.constantFrom("r.test", "r.test:5000", "docker.io"), async (keys, registry) => {
      const entry = (key: string) => ({ auth: Buffer.from(`${encodeURIComponent(key)}:pw`).toString("base64") });
      writeFileSync(file, JSON.stringify({ auths: Object.fromEntries(keys.map((key) => [key, entry(key)])) }));
      const answer = await dockerCredentials({ env }).find(registry, "team/app/x");
      if (answer?.username === undefined) return;
      found++;
      const rest = decodeURIComponent(answer.username)
        .replace(/^https?:\/\//, "")
        .replace(/^index\.docker\.io/, "docker.io");
      t.true(rest === registry || rest.startsWith(`${registry}/`), rest);
      const path = rest.slice(registry.length + 1).replace(/\/+$/, "");
      const isUrl = /^https?:/.test(decodeURIComponent(answer.username)) || /^v1(\/|$)/.test(path);
      t.true(isUrl || path === "" || "team/app/x".startsWith(path), path);
    }),
    { numRuns: Math.min(numRuns, 2000) },
  );
  t.true(found > 0, "some of what is asked for is found");
});
