/** What a build asks of a registry that has its cache and its image: no layer's bytes, and as little as can be. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { BuildRequest } from "../../../builder/build-request.ts";
import { openStore } from "../../../layerfs/store/store.ts";
import { type Built, runBuild, usualRequest } from "../../doubles/builds.ts";
import { startRegistry } from "../../doubles/docker-registry.ts";
import { startFaultProxy } from "../../doubles/fault-proxy.ts";
import { scratchFolder } from "../../doubles/scratch.ts";

/** A registry with a base, and with cache and image of a build on it; other machines build the same. */
async function pipeline(t: ExecutionContext) {
  const folder = scratchFolder(t);
  const context = join(folder, "context");
  mkdirSync(context);
  for (const name of ["a", "b", "c", "d"]) writeFileSync(join(context, name), name.repeat(1000));
  const registry = await startRegistry();
  t.teardown(() => registry.close());
  const proxy = await startFaultProxy(registry.host);
  t.teardown(() => proxy[Symbol.asyncDispose]());
  let machines = 0;
  const build = async (dockerfile: string, more: Partial<BuildRequest>): Promise<Built> => {
    const home = join(folder, `home${machines++}`);
    const store = openStore(home, { upkeep: false });
    t.teardown(() => store[Symbol.dispose]());
    writeFileSync(join(home, "Dockerfile"), dockerfile);
    return runBuild(store, { ...usualRequest, context, dockerfile: join(home, "Dockerfile"), ...more });
  };
  await build("FROM scratch\nCOPY a /a\n", { tags: [`${proxy.host}/base:1`], push: true });
  const lines = `FROM ${proxy.host}/base:1\nCOPY --link b /b\nCOPY --link c /c\n`;
  const ref = `${proxy.host}/team/app:cache`;
  const form = { mode: "max", ignoreError: false, imageManifest: true, ociMediaTypes: true } as const;
  const tags = [`${proxy.host}/team/app:1`];
  await build(lines, { tags, push: true, cacheTo: [{ type: "registry", ref, ...form }] });
  return {
    context,
    host: proxy.host,
    /** On a new machine; what it asked, digests shortened, in alphabetical order. */
    async again(more: Partial<BuildRequest>): Promise<{ readonly built: Built; readonly asked: string[] }> {
      proxy.requests.splice(0);
      const built = await build(lines, { tags, cacheFrom: [{ type: "registry", ref }], ...more });
      const asked = proxy.requests.filter((one) => !one.endsWith(" /v2/"));
      return { built, asked: asked.map((one) => one.replace(/sha256:[0-9a-f]+/g, "DIGEST")).sort() };
    },
  };
}

const pushes: Readonly<Record<string, Partial<BuildRequest>>> = {
  "--lazy --push": { lazy: true, push: true },
  "-o type=registry": { outputs: [{ type: "registry", names: [] }] },
};

/** Of cache and base, each its manifest and its configuration. */
const read = [
  "GET /v2/base/blobs/DIGEST",
  "GET /v2/base/manifests/1",
  "GET /v2/team/app/blobs/DIGEST",
  "GET /v2/team/app/manifests/cache",
];

for (const [flags, request] of Object.entries(pushes)) {
  test(`${flags}: where the tag means the same image already, one request tells so`, async (t) => {
    const { again } = await pipeline(t);
    const { built, asked } = await again(request);
    t.deepEqual(built.ran, []);
    t.deepEqual(asked, [...read, "HEAD /v2/team/app/manifests/1"]);
  });

  test(`${flags}: a new tag for an image that is there is one manifest`, async (t) => {
    const { again, host } = await pipeline(t);
    const { asked } = await again({ ...request, tags: [`${host}/team/app:2`] });
    t.deepEqual(asked, [
      ...read,
      "HEAD /v2/team/app/manifests/2",
      "HEAD /v2/team/app/manifests/DIGEST",
      "PUT /v2/team/app/manifests/2",
    ]);
  });

  test(`${flags}: a new image asks once for each blob that it shares with what is there, and for nothing of the cache's`, async (t) => {
    const { again, context } = await pipeline(t);
    writeFileSync(join(context, "c"), "changed");
    const { built, asked } = await again(request);
    t.deepEqual(built.ran, ["COPY --link c /c"]);
    // Two layers that are there, the configuration, and the new one: when it was sent while it was made, and by the push.
    t.is(asked.filter((one) => one === "HEAD /v2/team/app/blobs/DIGEST").length, 2 + 1 + 2);
    t.false(
      asked.some((one) => one.startsWith("HEAD ") && one.includes("/manifests/")),
      "what is new is not looked for",
    );
    t.deepEqual(asked.filter((one) => one.startsWith("GET ")).sort(), read);
    t.is(asked.filter((one) => one.startsWith("PUT ") && one.includes("/manifests/")).length, 1);
  });

  test(`${flags}: in another repository of the registry layers are mounted`, async (t) => {
    const { again, host } = await pipeline(t);
    const { built, asked } = await again({ ...request, tags: [`${host}/other/app:1`] });
    t.deepEqual(built.ran, []);
    t.is(asked.filter((one) => one.includes("?mount=")).length, 3);
    t.deepEqual(asked.filter((one) => one.startsWith("GET ")).sort(), read);
  });
}
