/** Images that were pulled with --lazy: what needs their layers and what does not, and what is told when they cannot be had. */
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { blobsOf, downloads, manifestOf, ok, openShop } from "./registry-shop.ts";
import { type Scene, scene } from "./scene.ts";

/** A store that has the shop's base, but none of its layers. */
async function customer(t: ExecutionContext, base: string): Promise<Scene> {
  const s = await scene(t, { base: false });
  await ok(t, s, "pull", "--lazy", base);
  return s;
}

test("what manifest and configuration tell is told without any layer; a file that is needed brings each layer once", async (t) => {
  const { registry, base, sold } = await openShop(t);
  const s = await customer(t, base);
  t.regex(await ok(t, s, "images"), /base +1 +[0-9a-f]{12} .*B \([\d.]+[kM]?B elsewhere\)/);
  t.regex(await ok(t, s, "history", base), /COPY .*tool \/tool .* N\/A/);
  t.regex(await ok(t, s, "history", "--dockerfile", base), /COPY .*tool \/tool/);
  const [told] = JSON.parse(await ok(t, s, "inspect", base)) as [Record<string, unknown>];
  const { layers } = await manifestOf(registry, "base", "1");
  t.deepEqual(told.Elsewhere, { Layers: 2, Size: layers.reduce((sum, { size }) => sum + size, 0) });
  t.like(told, { Layers: [{ Elsewhere: [base] }, { Elsewhere: [base] }], Config: { Labels: { from: "base" } } });
  await ok(t, s, "tag", base, "other");
  await ok(t, s, "prune", "--all", "--force");
  await ok(t, s, "inspect", "--raw", "other");
  await ok(t, s, "mutate", "other", "--env", "a=b", "-t", "mutated");
  await ok(t, s, "rmi", base);
  await ok(t, s, "prune");
  t.deepEqual(await sold(), [], "nothing of that needs a layer");

  t.is(await s.run("mutated", "/tool"), "tool\n");
  t.deepEqual(await sold(), [0, 1]);
  t.is(await s.run("other", "/tool"), "tool\n");
  t.deepEqual(await sold(), [], "what came once is here");
  t.notRegex(await ok(t, s, "images"), /elsewhere/);
  t.false("Elsewhere" in (JSON.parse(await ok(t, s, "inspect", "other")) as [object])[0]);
});

test("each command that reads files fetches the layers that it reads, and finds what it finds in a whole image", async (t) => {
  const { base, sold } = await openShop(t);
  const whole = await scene(t, { base: false });
  await ok(t, whole, "pull", base);
  const lazy = await customer(t, base);
  await sold();
  const cases: [args: string[], layers: number[]][] = [
    [["diff", "--layer", "1", base], [0]],
    [
      ["diff", base],
      [0, 1],
    ],
    [
      ["inspect", "--verify", base],
      [0, 1],
    ],
    [
      ["sbom", base],
      [0, 1],
    ],
    [
      ["save", base],
      [0, 1],
    ],
    [
      ["save", "--format", "docker", base],
      [0, 1],
    ],
    [
      ["export", base],
      [0, 1],
    ],
    [
      ["flatten", base],
      [0, 1],
    ],
    [
      ["copy", `store:${base}`, `oci:${join(lazy.folder, "layout")}:x`],
      [0, 1],
    ],
    [
      ["pull", base],
      [0, 1],
    ],
  ];
  for (const [args, layers] of cases) {
    await rm(lazy.env.WBUILD_HOME, { recursive: true });
    await ok(t, lazy, "pull", "--lazy", base);
    const found = await ok(t, lazy, ...args);
    t.deepEqual(await sold(), layers, args.join(" "));
    // These tell where they wrote, and when.
    if (args[0] === "copy" || args[0] === "flatten") continue;
    const same = await ok(t, whole, ...args);
    t.true(found === same, `${args.join(" ")} gives the same from a whole image`);
  }
});

test("pushes: within the registry layers are mounted, to another one they are fetched when that lacks them", async (t) => {
  const { registry, base, layers, sold } = await openShop(t);
  await using far = await startRegistry();
  const s = await customer(t, base);
  await ok(t, s, "tag", base, `${registry.host}/mounted:1`);
  await ok(t, s, "push", `${registry.host}/mounted:1`);
  await ok(t, s, "copy", `store:${base}`, `${registry.host}/copied:1`);
  await ok(t, s, "push", base);
  t.deepEqual(await sold(), [], "what the registry has need not come here");
  t.deepEqual(
    (await blobsOf(s)).filter((digest) => layers.includes(digest)),
    [],
  );
  for (const name of ["mounted", "copied"])
    t.deepEqual(await manifestOf(registry, name, "1"), await manifestOf(registry, "base", "1"));

  await ok(t, s, "copy", `store:${base}`, `${far.host}/copied:1`);
  t.deepEqual(await sold(), [0, 1]);
  const next = await customer(t, base);
  await ok(t, next, "tag", base, `${far.host}/pushed:1`);
  await ok(t, next, "push", `${far.host}/pushed:1`);
  t.deepEqual(await sold(), [0, 1]);
  t.deepEqual(await manifestOf(far, "pushed", "1"), await manifestOf(registry, "base", "1"));
  t.deepEqual(await downloads(far), []);
});

test("of processes that need the same layers at once one fetches each, and all have them", async (t) => {
  const { base, sold } = await openShop(t);
  const s = await customer(t, base);
  t.deepEqual(await Promise.all([s.run(base, "/tool"), s.run(base, "/tool"), s.run(base, "/tool")]), [
    "tool\n",
    "tool\n",
    "tool\n",
  ]);
  t.deepEqual(await sold(), [0, 1]);
});

test("a registry that is gone, or has lost the layer, is named with what to try; a lost layer is another matter", async (t) => {
  const { registry, base, layers } = await openShop(t);
  const [lower = "", upper = ""] = layers;
  const s = await customer(t, base);
  const blobs = join(registry.storage, "docker/registry/v2/blobs/sha256");
  await rm(join(blobs, upper.slice(7, 9), upper.slice(7)), { recursive: true });
  const gone = await s.wbuild("run", base, "/tool");
  // `run` ends with docker's code for its own failures.
  t.is(gone.code, 125, gone.stderr);
  for (const part of [upper, `${registry.host}/base`, `wbuild pull ${base}`, "build the image again"])
    t.true(gone.stderr.includes(part), `${part} in ${gone.stderr}`);

  await registry.close();
  const offline = await s.wbuild("save", "-o", "x.tar", base);
  t.is(offline.code, 3, offline.stderr);
  for (const part of ["was left in", `${registry.host}/base`, `wbuild pull ${base}`])
    t.true(offline.stderr.includes(part), `${part} in ${offline.stderr}`);
  t.false((await readdir(s.folder)).some((name) => name.startsWith("x.tar")));
  await ok(t, s, "images");
  await ok(t, s, "inspect", base);

  const whole = await scene(t);
  await ok(t, whole, "run", "--network", "none", "wbuild.local/linux", "true");
  for (const digest of await blobsOf(whole)) {
    const path = join(whole.env.WBUILD_HOME, "store-v1/blobs/sha256", digest.slice(7, 9), digest.slice(7));
    if (digest === lower) await rm(path);
  }
  const lost = await whole.wbuild("save", "-o", "x.tar", "wbuild.local/linux");
  t.is(lost.code, 4, lost.stderr);
  t.regex(lost.stderr, /REG_INCOMPLETE/);
  t.notRegex(lost.stderr, /was left in/);
});

test("images made of a lazy one: flatten, append and rebase fetch what they read", async (t) => {
  const { base, sold, registry } = await openShop(t);
  const s = await customer(t, base);
  await s.files("tree", { "srv/file": "appended\n" });
  await s.tool("tar", "-C", "tree", "-cf", "tree.tar", "srv");
  await ok(t, s, "append", "--base", base, "-f", "tree.tar", "-t", "plain");
  t.deepEqual(await sold(), [], "a layer on top reads none below");
  await writeFile(join(s.folder, "Dockerfile"), `FROM ${base}\nENV v=2\n`);
  await ok(t, s, "build", "--lazy", "-t", "newer", s.folder);
  await ok(t, s, "rebase", "plain", "--old-base", base, "--new-base", "newer", "-t", "rebased");
  t.deepEqual(await sold(), []);
  t.is(await s.run("rebased", "cat", "/srv/file"), "appended\n");
  t.deepEqual(await sold(), [0, 1]);
  t.is((await manifestOf(registry, "base", "1")).layers.length, 2);
});
