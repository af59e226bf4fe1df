/** What a build with an imported cache does without: other stages' files, layers nobody needs, steps. Needs no privilege. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { BuildRequest } from "../../../builder/build-request.ts";
import type { CacheSource, CacheTarget } from "../../../builder/cache/spec.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { openStore, type Store } from "../../../layerfs/store/store.ts";
import { type Built, runBuild, usualRequest } from "../../doubles/builds.ts";

interface Scene {
  readonly context: string;
  readonly from: CacheSource & { readonly type: "local" };
  readonly to: CacheTarget;
  machine(): { readonly store: Store; build(lines: string[], more?: Partial<BuildRequest>): Promise<Built> };
}

function scene(t: ExecutionContext): Scene {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-test-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const context = join(folder, "context");
  mkdirSync(join(context, "d"), { recursive: true });
  for (const name of ["a", "b", "d/one", "d/two"]) writeFileSync(join(context, name), name);
  const dest = join(folder, "cache");
  let machines = 0;
  return {
    context,
    from: { type: "local", src: dest, tag: "latest" },
    to: {
      type: "local",
      dest,
      tag: "latest",
      mode: "max",
      ignoreError: false,
      imageManifest: true,
      ociMediaTypes: true,
    },
    machine() {
      const home = join(folder, `home${machines++}`);
      const store = openStore(home, { upkeep: false });
      t.teardown(() => store[Symbol.dispose]());
      return {
        store,
        async build(lines, more = {}) {
          const dockerfile = join(home, "Dockerfile");
          writeFileSync(dockerfile, lines.join("\n"));
          return runBuild(store, { ...usualRequest, context, dockerfile, ...more });
        },
      };
    },
  };
}

const stages = ["FROM scratch AS s", "COPY d /d", "FROM scratch", "COPY --from=s /d/one /one", "COPY a /a"];
const nowhere = { outputs: [{ type: "cacheonly" }] } as const;

/** Blobs of layers that a store has. */
async function layersIn(store: Store): Promise<number> {
  return (await store.usage()).rows.filter(({ kind, bytes }) => kind === "layer" && bytes > 0).length;
}

test("COPY --from is found without the other stage's files: nothing at all is fetched", async (t) => {
  const { machine, from, to } = scene(t);
  const first = await machine().build(stages, { cacheTo: [to] });
  const two = machine();
  const second = await two.build(stages, { ...nowhere, cacheFrom: [from] });
  t.deepEqual(second.ran, []);
  t.is(second.imageId, first.imageId);
  // The configuration and the manifest.
  t.is(await layersIn(two.store), 2);
});

test("an image in the store has all its layers, and only those; then it is found without any cache", async (t) => {
  const { machine, from, to } = scene(t);
  const first = await machine().build(stages, { cacheTo: [to] });
  const two = machine();
  const second = await two.build(stages, { cacheFrom: [from] });
  t.deepEqual(second.ran, []);
  t.is(second.manifest.digest, first.manifest.digest);
  t.is(await layersIn(two.store), 4);
  t.deepEqual((await two.build(stages)).ran, ["COPY d /d"], "the stage that was never needed");
});

const chained = [
  ...["FROM scratch AS deps", "COPY d /d", "FROM scratch AS made", "COPY --from=deps /d /d", "COPY b /b"],
  ...["FROM scratch", "COPY --from=made / /all", "COPY --link --from=deps /d/one /one", "COPY a /a"],
];

test("mode=min has no results of other stages, and what reads them is found without", async (t) => {
  const { machine, from, to, context } = scene(t);
  const first = await machine().build(chained, { cacheTo: [{ ...to, mode: "min" }] });
  const second = await machine().build(chained, { ...nowhere, cacheFrom: [from] });
  t.deepEqual(second.ran, []);
  t.is(second.imageId, first.imageId);
  writeFileSync(join(context, "b"), "changed");
  const third = await machine().build(chained, { ...nowhere, cacheFrom: [from] });
  t.deepEqual(
    third.ran,
    ["COPY --from=deps /d /d", "COPY --from=made / /all", "COPY a /a", "COPY b /b", "COPY d /d"],
    "a stage in which something changed is made anew, and what does not stand on it is found",
  );
  t.notDeepEqual(third.imageId, first.imageId);
});

test("--no-cache takes nothing from other machines; a stage of --no-cache-filter neither, and what copies from it looks at its files", async (t) => {
  const { machine, from, to, context } = scene(t);
  await machine().build(stages, { cacheTo: [to] });
  const all = await machine().build(stages, { cacheFrom: [from], noCache: true });
  t.is(all.ran.length, 3);
  const some = await machine().build(stages, { cacheFrom: [from], noCache: ["s"] });
  t.deepEqual(some.ran, ["COPY d /d"]);
  writeFileSync(join(context, "d/one"), "changed");
  const changed = await machine().build(stages, { cacheFrom: [from] });
  t.deepEqual(changed.ran, ["COPY --from=s /d/one /one", "COPY a /a", "COPY d /d"]);
});

test("what one machine had from another it can hand on, without having its layers", async (t) => {
  const { machine, from, to } = scene(t);
  await machine().build(stages, { cacheTo: [to] });
  const onward: CacheTarget = { ...to, ...({ dest: `${from.src}-onward` } as object) };
  const two = machine();
  await two.build(stages, { ...nowhere, cacheFrom: [from], cacheTo: [to] });
  t.is(await layersIn(two.store), 2, "the same place has them");
  await two.build(stages, { ...nowhere, cacheFrom: [from], cacheTo: [onward] });
  const three = await machine().build(stages, { ...nowhere, cacheFrom: [{ ...from, src: `${from.src}-onward` }] });
  t.deepEqual(three.ran, []);
});

test("a record that gives a layer the wrong diffID is found out when the layer comes here, and the step carried out", async (t) => {
  const { machine, from, to } = scene(t);
  await machine().build(["FROM scratch", "COPY a /a"], { cacheTo: [to] });
  const index = JSON.parse(await readFile(join(from.src, "index.json"), "utf8")) as {
    manifests: { digest: string; size: number }[];
  };
  const blob = (digest: string) => join(from.src, "blobs/sha256", digest.slice("sha256:".length));
  const [entry] = index.manifests as [{ digest: string; size: number }];
  const manifest = JSON.parse(await readFile(blob(entry.digest), "utf8")) as {
    config: { digest: string; size: number };
  };
  const config = (await readFile(blob(manifest.config.digest), "utf8")).replace(
    /"diffID":"sha256:[0-9a-f]{64}"/,
    `"diffID":"${digestOf("lie")}"`,
  );
  const put = async (text: string) => {
    await writeFile(blob(digestOf(text)), text);
    return { digest: digestOf(text), size: Buffer.byteLength(text) };
  };
  Object.assign(manifest.config, await put(config));
  Object.assign(entry, await put(JSON.stringify(manifest)));
  await writeFile(join(from.src, "index.json"), JSON.stringify(index));

  const built = await machine().build(["FROM scratch", "COPY a /a", "COPY b /b"], { cacheFrom: [from] });
  t.deepEqual(built.ran, ["COPY a /a", "COPY b /b"]);
  t.is(built.warnings.length, 1, built.warnings.join("\n"));
  const asImage = await machine().build(["FROM scratch", "COPY a /a"], { cacheFrom: [from] });
  t.deepEqual(asImage.ran, ["COPY a /a"], "an image in the store is what its configuration says");
  const { layers } = JSON.parse(config) as { layers: { blob: string }[] };
  const knows = machine();
  for (const layer of layers) {
    const bytes = await readFile(blob(layer.blob));
    await knows.store.blobs.put(bytes, { mediaType: "application/octet-stream", digest: digestOf(bytes) });
  }
  const known = await knows.build(["FROM scratch", "COPY a /a"], { cacheFrom: [from] });
  t.deepEqual(known.ran, ["COPY a /a"], "also where the blob is here already, from elsewhere");
});

test("the store answers first: a cache that hangs keeps nobody waiting who needs nothing of it", async (t) => {
  const { machine } = scene(t);
  const one = machine();
  await one.build(stages);
  const asked: string[] = [];
  const { createServer } = await import("node:net");
  const server = createServer((socket) => {
    asked.push("connection");
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const built = await one.build(stages, { cacheFrom: [{ type: "registry", ref: `127.0.0.1:${port}/app:cache` }] });
  t.deepEqual(built.ran, []);
  t.deepEqual(built.warnings, []);
});
