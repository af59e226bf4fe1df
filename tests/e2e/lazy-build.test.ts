/** Builds with --lazy whose image is kept in the store: layers that no step reads stay in their registry until they are needed. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { blobsOf, downloads, manifestOf, ok, openShop, type Shop } from "./registry-shop.ts";
import { type Scene, scene } from "./scene.ts";

const unread = "ENV a=b\nCOPY --link file /file\nLABEL x=y";

/** Writes a Dockerfile on the shop's base and builds it with --lazy. Gives its output. */
async function built(t: Parameters<typeof ok>[0], s: Scene, dockerfile: string, ...args: string[]): Promise<string> {
  const context = await s.files("context", { Dockerfile: dockerfile, file: "new\n" });
  const result = await s.build(context, "--lazy", ...args);
  t.is(result.code, 0, result.stderr);
  return result.stderr;
}

async function lacks(s: Scene, { layers }: Shop): Promise<boolean> {
  const here = await blobsOf(s);
  return layers.every((layer) => !here.includes(layer));
}

test("the image is there with its name, and its base's layers come when it is run", async (t) => {
  const shop = await openShop(t);
  const s = await scene(t, { base: false });
  await built(t, s, `FROM ${shop.base}\n${unread}\n`, "-t", "app");
  t.deepEqual(await shop.sold(), []);
  t.true(await lacks(s, shop));
  t.regex(await ok(t, s, "images"), /app +latest .* elsewhere\)/);
  const [told] = JSON.parse(await ok(t, s, "inspect", "app")) as [{ Layers: object[] }];
  t.deepEqual(
    told.Layers.map((layer) => "Elsewhere" in layer),
    [true, true, false],
  );

  // A build on it, by its name here, which means nothing to any registry.
  await built(t, s, "FROM app\nENV c=d\n", "-t", "above");
  t.deepEqual(await shop.sold(), []);
  t.is(await s.run("above", "sh", "-c", "/tool; cat /file; echo $a$c"), "tool\nnew\nbd\n");
  t.deepEqual(await shop.sold(), [0, 1]);
});

test("a later build fetches what its steps read: all layers for RUN, none for more settings", async (t) => {
  const shop = await openShop(t);
  const s = await scene(t, { base: false });
  const lazily = async (...args: string[]) => {
    await rm(s.env.WBUILD_HOME, { recursive: true, force: true });
    await ok(t, s, "pull", "--lazy", shop.base);
    return args;
  };
  const cases: [dockerfile: string, flags: string[], layers: number[]][] = [
    [`FROM ${shop.base}\nENV x=y\n`, ["--lazy", "-t", "app"], []],
    [`FROM ${shop.base}\nENV x=y\n`, ["-t", "app"], [0, 1]],
    [`FROM ${shop.base}\nRUN /tool\n`, ["--lazy", "-t", "app"], [0, 1]],
    [`FROM scratch\nCOPY --from=${shop.base} /tool /tool\n`, ["--lazy", "-t", "app"], [0, 1]],
    [`FROM ${shop.base}\nENV x=y\n`, ["--lazy", "-o", "type=local,dest=out"], [0, 1]],
    [`FROM ${shop.base}\nENV x=y\n`, ["--lazy", "-o", "type=tar,dest=out.tar"], [0, 1]],
    [`FROM ${shop.base}\nENV x=y\n`, ["--lazy", "-o", "type=oci,dest=oci.tar"], [0, 1]],
    [`FROM ${shop.base}\nENV x=y\n`, ["--lazy", "-o", "type=docker,dest=docker.tar"], [0, 1]],
    [`FROM ${shop.base}\nENV x=y\n`, ["--lazy", "--compression", "gzip", "-t", "app"], [0, 1]],
    [`FROM ${shop.base}\nENV x=y\n`, ["--lazy", "-o", "type=image,name=app,unpack=true"], [0, 1]],
  ];
  for (const [dockerfile, flags, layers] of cases) {
    const context = await s.files("context", { Dockerfile: dockerfile });
    const made = await s.build(context, ...(await lazily(...flags)));
    t.is(made.code, 0, made.stderr);
    t.deepEqual(await shop.sold(), layers, `${dockerfile} ${flags.join(" ")}`);
  }
});

test("builds on a lazy image by its name here; without the registry those go on that read nothing of it", async (t) => {
  const shop = await openShop(t);
  const s = await scene(t, { base: false });
  await built(t, s, `FROM ${shop.base}\nENV a=b\n`, "-t", "app");
  const context = await s.files("above", {
    "copy/Dockerfile": "FROM scratch\nCOPY --from=app /tool /tool\n",
    "run/Dockerfile": "FROM app\nRUN /tool >/out\n",
  });
  for (const name of ["copy", "run"]) {
    const above = await s.build(join(context, name), "--lazy", "-t", name);
    t.is(above.code, 0, above.stderr);
  }
  t.deepEqual(await shop.sold(), [0, 1]);
  t.is(await s.run("run", "cat", "/out"), "tool\n");

  const offline = await scene(t, { base: false });
  await built(t, offline, `FROM ${shop.base}\nENV a=b\n`, "-t", "app");
  await shop.registry.close();
  await built(t, offline, `FROM ${shop.base}\nENV c=d\n`, "-t", "other");
  const failed = await offline.build(join(context, "run"), "-t", "run");
  t.is(failed.code, 3, failed.stderr);
  for (const part of ["RUN /tool", `was left in ${shop.registry.host}/base`, `wbuild pull ${shop.base}`])
    t.true(failed.stderr.includes(part), `${part} in ${failed.stderr}`);
});

test("--lazy --push: within the registry the base is mounted, another one gets it through this store", async (t) => {
  const shop = await openShop(t);
  await using far = await startRegistry();
  const s = await scene(t, { base: false });
  const near = `${shop.registry.host}/app:1`;
  await built(t, s, `FROM ${shop.base}\n${unread}\n`, "-t", near, "--push");
  t.deepEqual(await shop.sold(), []);
  t.true(await lacks(s, shop));
  t.is((await manifestOf(shop.registry, "app", "1")).layers.length, 3);
  await built(t, s, `FROM ${shop.base}\n${unread}\n`, "-t", `${far.host}/app:1`, "-o", "type=registry");
  t.deepEqual(await shop.sold(), [0, 1]);
  t.deepEqual(await downloads(far), []);
  const other = await scene(t, { base: false });
  await ok(t, other, "pull", `${far.host}/app:1`);
  t.is(await other.run(`${far.host}/app:1`, "cat", "/file"), "new\n");
});

test("cached steps of another machine stay in their registry, too, and are proved when they come", async (t) => {
  const shop = await openShop(t);
  const cache = `type=registry,ref=${shop.registry.host}/app:cache`;
  const dockerfile = `FROM ${shop.base}\nRUN echo made >/made\nCOPY --link file /file\n`;
  const one = await scene(t, { base: false });
  const context = await one.files("context", { Dockerfile: dockerfile, file: "new\n" });
  const cold = await one.build(context, "-t", "app", "--cache-to", `${cache},mode=max`);
  t.is(cold.code, 0, cold.stderr);
  const before = (await downloads(shop.registry)).length;
  const two = await scene(t, { base: false });
  const told = await built(t, two, dockerfile, "-t", "app", "--cache-from", cache);
  t.regex(told, /CACHED/);
  const { layers } = await cacheLayers(one, "app");
  const asked = async () => (await downloads(shop.registry)).slice(before).filter((digest) => layers.includes(digest));
  t.deepEqual(await asked(), []);
  t.is(await ok(t, two, "images", "-q", "app"), await ok(t, one, "images", "-q", "app"));
  t.is(await two.run("app", "cat", "/made", "/file"), "made\nnew\n");
  t.deepEqual((await asked()).sort(), [...layers].sort());
});

async function cacheLayers(s: Scene, name: string): Promise<{ layers: string[] }> {
  const inspected = await s.wbuild("inspect", "--format", "{{json .Layers}}", name);
  return { layers: (JSON.parse(inspected.stdout) as { Digest: string }[]).map(({ Digest }) => Digest) };
}

test("bake --lazy: targets share what one of them reads, and the images of the others lack it", async (t) => {
  const shop = await openShop(t);
  const s = await scene(t, { base: false });
  await s.files(".", {
    "docker-bake.json": JSON.stringify({
      group: { default: { targets: ["low", "high"] } },
      target: {
        low: { "dockerfile-inline": `FROM ${shop.base}\nENV a=b\n`, tags: ["low"] },
        high: { "dockerfile-inline": "FROM low\nENV c=d\n", contexts: { low: "target:low" }, tags: ["high"] },
      },
    }),
  });
  await ok(t, s, "bake", "--lazy");
  t.deepEqual(await shop.sold(), []);
  t.regex(await ok(t, s, "images"), /high .*elsewhere[\s\S]*low .*elsewhere/);
  t.is(await s.run("high", "sh", "-c", "/tool; echo $a$c"), "tool\nbd\n");
  await ok(t, s, "save", "-o", join(s.folder, "low.tar"), "low");
  t.deepEqual(await shop.sold(), [0, 1]);
});

test("a step that fails on a lazy image, and one with --sbom, have its files", async (t) => {
  const shop = await openShop(t);
  const s = await scene(t, { base: false });
  await ok(t, s, "pull", "--lazy", shop.base);
  const context = await s.files("failing", { Dockerfile: `FROM ${shop.base}\nRUN echo left >/left && false\n` });
  const failed = await s.build(context, "--lazy", "--keep-failed=kept");
  t.not(failed.code, 0);
  t.is(await s.run("kept", "cat", "/left"), "left\n");
  t.deepEqual(await shop.sold(), [0, 1]);
  const next = await scene(t, { base: false });
  await built(t, next, `FROM ${shop.base}\nENV a=b\n`, "--sbom=true", "-t", "app");
  t.deepEqual(await shop.sold(), [0, 1]);
});
