/** A cache that another machine reads: two stores that share nothing but a registry. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { base, writeWorkload } from "../bench/workloads.ts";
import { type RunningRegistry, startRegistry } from "../doubles/docker-registry.ts";
import { blobsOf, downloads, manifestOf } from "./registry-shop.ts";
import { type BuildOutcome, type Scene, scene } from "./scene.ts";

/** A machine that has made a base and pushed it, and the context of the bench's d2 on that base. */
async function firstMachine(t: ExecutionContext): Promise<[RunningRegistry, Scene, string]> {
  const registry = await startRegistry();
  t.teardown(() => registry.close());
  const one = await scene(t);
  const name = `${registry.host}/base:1`;
  t.is((await one.wbuild("tag", "wbuild.local/linux", name)).code, 0);
  t.is((await one.wbuild("push", name)).code, 0);
  const context = join(one.folder, "d2");
  writeWorkload("d2", context);
  const file = join(context, "Dockerfile");
  await writeFile(file, (await readFile(file, "utf8")).replace(base, name));
  return [registry, one, context];
}

function ranNothing(t: ExecutionContext, built: BuildOutcome): void {
  t.is(built.code, 0, built.stderr);
  const ran = [...built.steps].filter(([title, how]) => /RUN|COPY|WORKDIR/.test(title) && how !== "CACHED");
  t.deepEqual(ran, [], built.stderr);
}

async function digestOf(s: Scene, file: string): Promise<string> {
  const metadata = JSON.parse(await readFile(join(s.folder, file), "utf8")) as Record<string, string>;
  return metadata["containerimage.digest"] ?? "";
}

test("an empty store rebuilds d2 from the registry: no step is run, no layer comes here, the digest is the same", async (t) => {
  const [registry, one, context] = await firstMachine(t);
  const ref = `${registry.host}/app:cache`;
  const push = ["-t", `${registry.host}/app:1`, "-o", "type=registry", "--metadata-file"];
  const first = await one.build(
    context,
    ...push,
    join(one.folder, "m"),
    "--cache-to",
    `type=registry,ref=${ref},mode=max`,
  );
  t.is(first.code, 0, first.stderr);

  const two = await scene(t, { base: false });
  const second = await two.build(context, ...push, join(two.folder, "m"), "--cache-from", ref);
  ranNothing(t, second);
  t.is(await digestOf(two, "m"), await digestOf(one, "m"));
  const manifest = await manifestOf(registry, "app", "1");
  const layers = new Set(manifest.layers.map(({ digest }) => digest));
  t.is(layers.size, 13);
  t.deepEqual(
    (await blobsOf(two)).filter((digest) => layers.has(digest)),
    [],
    "layers in the store",
  );
  t.deepEqual(
    (await downloads(registry)).filter((digest) => layers.has(digest)),
    [],
    "layers that the registry sent",
  );

  const kept = await two.build(context, "-t", "app", "--cache-from", `type=registry,ref=${ref}`);
  ranNothing(t, kept);
  t.is(await two.run("app", "cat", "/work/made6"), "6\n");
  t.is((await one.wbuild("rmi", `${registry.host}/base:1`)).code, 0);
  const local = await two.build(context);
  ranNothing(t, local);
});

test("what is changed is carried out on layers that come then, and only then", async (t) => {
  const [registry, one, context] = await firstMachine(t);
  const ref = `${registry.host}/cache/of:app`;
  t.is((await one.build(context, "--cache-to", `type=registry,ref=${ref}`)).code, 0);
  await writeFile(join(context, "file6"), "changed\n");
  const two = await scene(t, { base: false });
  const built = await two.build(context, "-t", "app", "--cache-from", ref);
  t.is(built.code, 0, built.stderr);
  t.is([...built.steps].filter(([title, how]) => /COPY|RUN/.test(title) && how === "DONE").length, 2, built.stderr);
  t.is(await two.run("app", "cat", "/work/file6"), "changed\n");
});

test("an inline cache travels with the image", async (t) => {
  const [registry, one, context] = await firstMachine(t);
  const name = `${registry.host}/app:1`;
  const push = ["-t", name, "--push", "--metadata-file"];
  const first = await one.build(context, ...push, join(one.folder, "m"), "--cache-to", "type=inline");
  t.is(first.code, 0, first.stderr);
  const two = await scene(t, { base: false });
  const second = await two.build(
    context,
    ...push,
    join(two.folder, "m"),
    "--build-arg",
    "BUILDKIT_INLINE_CACHE=1",
    "--cache-from",
    name,
  );
  ranNothing(t, second);
  t.notRegex(second.stderr, /warning/i);
  t.is(await digestOf(two, "m"), await digestOf(one, "m"));
});

test("a layer that the registry has lost is told of once, and its step is run again", async (t) => {
  const [registry, one, context] = await firstMachine(t);
  const ref = `${registry.host}/app:cache`;
  t.is((await one.build(context, "--cache-to", `type=registry,ref=${ref}`)).code, 0);
  const manifest = await manifestOf(registry, "app", "cache");
  const lost = manifest.layers[2]?.digest.slice("sha256:".length) ?? "";
  for (const output of [
    ["-o", "type=registry", "-t", `${registry.host}/app:2`],
    ["-t", "app"],
  ]) {
    // A push of what was built anew heals the registry.
    await rm(join(registry.storage, "docker/registry/v2/blobs/sha256", lost.slice(0, 2), lost), { recursive: true });
    const two = await scene(t, { base: false });
    const built = await two.build(context, ...output, "--cache-from", ref);
    t.is(built.code, 0, built.stderr);
    t.is(built.stderr.split(`layer sha256:${lost} of the cache`).length, 2, built.stderr);
  }
});

test("a cache that is not there, or no cache at all, is a warning; an export that fails is an error unless that is asked for", async (t) => {
  const [registry, one, context] = await firstMachine(t);
  const none = await one.build(
    context,
    "--cache-from",
    `${registry.host}/nothing:here`,
    "--cache-from",
    `${registry.host}/base:1`,
  );
  t.is(none.code, 0, none.stderr);
  t.regex(none.stderr, /there is no cache .*nothing:here yet/);
  const failed = await one.build(context, "--cache-to", "type=registry,ref=127.0.0.1:1/x:y");
  t.not(failed.code, 0);
  t.regex(failed.stderr, /cannot export the cache to 127\.0\.0\.1:1\/x:y/);
  const ignored = await one.build(context, "--cache-to", "type=registry,ref=127.0.0.1:1/x:y,ignore-error=true");
  t.is(ignored.code, 0, ignored.stderr);
  t.regex(ignored.stderr, /the cache was not exported/);
});
