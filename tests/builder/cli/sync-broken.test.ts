/** `sync` while either side refuses, breaks off and changes bytes: it completes, or says what failed and leaves nothing wrong. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { runCli, sandboxOf } from "../../doubles/cli.ts";
import { startRegistry } from "../../doubles/docker-registry.ts";
import { startFaultProxy } from "../../doubles/fault-proxy.ts";

/** Two images with a megabyte each in one registry, another one, a proxy before each, and the list. */
async function scene(t: ExecutionContext) {
  const { folder, env } = sandboxOf(t);
  const cli = (...args: string[]) => runCli(args, { cwd: folder, env });
  const [near, far] = [await startRegistry(), await startRegistry()];
  const [source, target] = [await startFaultProxy(near.host), await startFaultProxy(far.host)];
  t.teardown(() => Promise.all([near, far, source, target].map((one) => one[Symbol.asyncDispose]())));
  for (const name of ["a", "b"]) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "big"), randomBytes(1_000_000));
    writeFileSync(join(folder, name, "Dockerfile"), "FROM scratch\nCOPY big /\n");
    const built = await cli("build", "-q", "-t", `${near.host}/from/${name}:1`, "--push", name);
    t.is(built.code, 0, built.stderr);
  }
  writeFileSync(join(folder, "list.yaml"), `${source.host}: {images: {from/a: [], from/b: []}}`);
  const rawOf = async (host: string, name: string) =>
    (await cli("manifest", "show", "--raw", `${host}/${name}:1`)).stdout;
  return { cli, near, far, source, target, rawOf };
}

test("a sync over connections that break on both sides brings every image whole", async (t) => {
  const { cli, near, far, source, target, rawOf } = await scene(t);
  source.rules.push(
    { on: "GET /tags/list", fault: { kind: "answer", status: 503 } },
    { on: "GET /tags/list", fault: { kind: "cut answer", at: 3 } },
    { on: "GET /manifests/", fault: { kind: "cut answer", at: 20 } },
    { on: "GET /blobs/", fault: { kind: "cut answer", at: 600_000 } },
    { on: "GET /blobs/", fault: { kind: "shorten", at: 300_000 } },
  );
  target.rules.push(
    { on: "HEAD /manifests/", fault: { kind: "answer", status: 429, headers: { "retry-after": "0" } } },
    { on: "POST /uploads/", fault: { kind: "cut answer", at: -1 } },
    { on: "PUT /uploads/", fault: { kind: "cut request", at: 400_000 } },
    { on: "PUT /manifests/", fault: { kind: "answer", status: 500 } },
  );
  const synced = await cli("sync", "-q", "list.yaml", `${target.host}/to`);
  t.is(synced.code, 0, synced.stderr);
  for (const { fault, times } of [...source.rules, ...target.rules]) t.is(times, 0, `${fault.kind} has happened`);
  for (const name of ["a", "b"]) t.is(await rawOf(far.host, `to/${name}`), await rawOf(near.host, `from/${name}`));
});

test("bytes that are changed on the way reach no name; --keep-going brings the others", async (t) => {
  const { cli, near, far, source, target, rawOf } = await scene(t);
  const { layers } = JSON.parse(await rawOf(near.host, "from/a")) as { layers: { digest: string }[] };
  const change = (body: Buffer) => Buffer.from(body.map((byte) => byte ^ 1));
  const on = `GET ${layers[0]?.digest}`;
  source.rules.push({ on, fault: { kind: "change", how: change }, times: 99 });
  const ended = await cli("sync", "-q", "list.yaml", `${target.host}/to`);
  t.is(ended.code, 3);
  t.regex(ended.stderr, /error\[REG_DIGEST_MISMATCH\].*sha256:/);
  const going = await cli("sync", "-q", "--keep-going", "list.yaml", `${target.host}/to`);
  t.is(going.code, 1);
  t.regex(going.stderr, /from\/a:1 was not copied: .*\[REG_DIGEST_MISMATCH\]/);
  t.is((await cli("tags", `${far.host}/to/a`)).code, 3);
  t.is(await rawOf(far.host, "to/b"), await rawOf(near.host, "from/b"));
});
