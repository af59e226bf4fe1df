/** Images of builds with --lazy whose cached layers stayed in a folder: what is told of them, what needs them, what is told when the folder is gone. */
import { cp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { blobsOf, manifestOf, ok } from "./registry-shop.ts";
import { scene } from "./scene.ts";

/** A store with `app`, whose two layers above the base lie in the folder `cache` alone; and a whole `app` elsewhere. */
async function lazily(t: ExecutionContext) {
  const maker = await scene(t);
  const context = await maker.files("context", {
    Dockerfile: "FROM wbuild.local/linux\nCOPY --chmod=755 tool /tool\nRUN /tool >/made\nLABEL a=b\n",
    tool: "#!/bin/sh\necho tool\n",
  });
  const cache = join(maker.folder, "cache");
  const made = await maker.build(context, "-t", "app", "--cache-to", `type=local,dest=${cache},mode=max`);
  t.is(made.code, 0, made.stderr);
  const s = await scene(t);
  const build = async () => {
    const built = await s.build(context, "--lazy", "-t", "app", "--cache-from", `type=local,src=${cache}`);
    t.is(built.code, 0, built.stderr);
    t.regex(built.stderr, /CACHED/);
  };
  await build();
  const layers = JSON.parse(await ok(t, maker, "inspect", "--format", "{{json .Layers}}", "app")) as {
    Digest: string;
    Size: number;
  }[];
  const above = layers.slice(1);
  /** How many of the cached layers the store has. */
  const here = async () => {
    const blobs = await blobsOf(s);
    return above.filter(({ Digest }) => blobs.includes(Digest)).length;
  };
  return { maker, s, cache, build, above, here };
}

test("images, inspect, history, du, prune and tag tell of it and need no layer", async (t) => {
  const { s, cache, above, here } = await lazily(t);
  t.is(await here(), 0);
  const size = above.reduce((sum, layer) => sum + layer.Size, 0);
  t.regex(await ok(t, s, "images"), /app +latest .* \([\d.]+[kM]?B elsewhere\)/);
  const [told] = JSON.parse(await ok(t, s, "inspect", "app")) as [
    { Elsewhere: object; Layers: { Elsewhere?: object }[] },
  ];
  t.deepEqual(told.Elsewhere, { Layers: 2, Size: size });
  t.deepEqual(
    told.Layers.map((layer) => layer.Elsewhere),
    [undefined, [cache], [cache]],
  );
  t.regex(await ok(t, s, "history", "app"), /RUN .*\/tool >\/made .* N\/A/);
  await ok(t, s, "tag", "app", "other");
  await ok(t, s, "rmi", "app");
  await ok(t, s, "prune", "--all", "--force");
  t.regex(await ok(t, s, "du", "-v"), /image +docker\.io\/library\/other:latest .* 2 layers are elsewhere/);
  t.is(await here(), 0);
  t.is(await s.run("other", "cat", "/made"), "tool\n");
  t.is(await here(), 2);
  t.notRegex(await ok(t, s, "images"), /elsewhere/);
});

const uses: readonly (readonly [args: string[], came: number])[] = [
  [["save", "app"], 2],
  [["save", "--format", "docker", "app"], 2],
  [["export", "app"], 2],
  [["sbom", "app"], 2],
  [["diff", "app"], 2],
  [["inspect", "--verify", "app"], 2],
  [["mutate", "app", "--env", "x=y", "-t", "mutated"], 0],
  [["flatten", "app", "-t", "flat"], 2],
  [["copy", "store:app", "oci:layout:x"], 2],
];

test("what reads files has the layers from the folder, and finds what it finds in a whole image", async (t) => {
  const { maker, s, build, here } = await lazily(t);
  const home = s.env.WBUILD_HOME;
  await cp(home, `${home}-lazy`, { recursive: true });
  for (const [args, came] of uses) {
    await rm(home, { recursive: true });
    await cp(`${home}-lazy`, home, { recursive: true });
    const found = await ok(t, s, ...args);
    t.is(await here(), came, args.join(" "));
    if (["copy", "flatten", "mutate", "sbom"].includes(args[0] ?? "")) continue;
    t.true(found === (await ok(t, maker, ...args)), `${args.join(" ")} gives the same from a whole image`);
  }
  await build();
});

test("a push, an append and a build on it; of processes that need the same layers all have them", async (t) => {
  const { s, here, above } = await lazily(t);
  await using registry = await startRegistry();
  const context = await s.files("above", { Dockerfile: "FROM app\nENV c=d\n" });
  t.is((await s.build(context, "--lazy", "-t", "above")).code, 0);
  await s.files("tree", { "srv/file": "appended\n" });
  await s.tool("tar", "-C", "tree", "-cf", "tree.tar", "srv");
  await ok(t, s, "append", "--base", "above", "-f", "tree.tar", "-t", "appended");
  t.is(await here(), 0);
  await ok(t, s, "tag", "appended", `${registry.host}/app:1`);
  await Promise.all([
    ok(t, s, "push", `${registry.host}/app:1`),
    ...[1, 2].map(async () => t.is(await s.run("appended", "cat", "/made", "/srv/file"), "tool\nappended\n")),
  ]);
  t.is(await here(), 2);
  const pushed = (await manifestOf(registry, "app", "1")).layers.map(({ digest }) => digest);
  for (const { Digest } of above) t.true(pushed.includes(Digest));
});

test("a folder that is gone is named by whatever needs a layer, which leaves nothing behind; then it is built again", async (t) => {
  const { s, cache, build } = await lazily(t);
  await rename(cache, `${cache}-moved`);
  for (const [args, code] of [
    [["run", "app", "true"], 125],
    [["save", "-o", "x.tar", "app"], 4],
    [["export", "-o", "x.tar", "app"], 4],
  ] as const) {
    const failed = await s.wbuild(...args);
    t.is(failed.code, code, failed.stderr);
    for (const part of [
      "IMG_INCOMPLETE",
      "was left in the build cache",
      "no such folder",
      cache,
      "build the image again",
    ])
      t.true(failed.stderr.includes(part), `${part} in ${failed.stderr}`);
  }
  const above = await s.files("above", { Dockerfile: "FROM app\nRUN cat /made\n" });
  const failed = await s.build(above, "-t", "above");
  t.not(failed.code, 0);
  for (const part of ["IMG_INCOMPLETE", cache]) t.true(failed.stderr.includes(part), failed.stderr);
  const unread = await s.files("unread", { Dockerfile: "FROM app\nENV c=d\n" });
  const onTop = await s.build(unread, "--lazy", "-t", "unread");
  t.is(onTop.code, 4, "nothing new stands on what is gone");
  await rename(`${cache}-moved`, cache);
  await build();
  t.is(await s.run("app", "cat", "/made"), "tool\n");
});
