/** Bases of Windows images, by the real program: triggers, scratch, and the one of an index that fits. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { type NaiveEntry, naiveTar } from "../doubles/naive-tar.ts";
import { packedTar } from "../doubles/packed-tar.ts";
import { windowsBaseLayout, windowsBaseTar } from "../doubles/windows-base.ts";
import { type BuildOutcome, scene } from "./scene.ts";
import { built, clean, files, saved, windowsBaseScene } from "./windows-base-scene.ts";

const execute = promisify(execFile);

test("ONBUILD triggers of a Windows base run in the child", async (t) => {
  const s = await windowsBaseScene(t, { config: { OnBuild: ["COPY . /src", "WORKDIR src"] } });
  await built(t, s, "FROM test.example/windows:1\n", { a: "a" });
  const { layers, config } = await saved(s);
  t.deepEqual(files(layers[1]), ["Files", "Files/src", "Files/src/Dockerfile", "Files/src/a"]);
  t.like(config.config, { WorkingDir: "C:\\src" });
});

test("FROM scratch for Windows: a warning, no deltas in the first layer, and its files as output", async (t) => {
  const s = await scene(t, { base: false });
  const outcome = await built(
    t,
    s,
    "FROM scratch\nCOPY a /x/\nCOPY a /y/\n",
    { a: "a" },
    "--platform",
    "windows(10.0.20348.1)/amd64",
  );
  t.regex(outcome.stderr, /hives/);
  const { layers, config } = await saved(s);
  t.is(config["os.version"], "10.0.20348.1");
  t.deepEqual((layers[0] ?? []).map(clean), ["Files", "Files/x", "Files/x/a"]);
  t.is(clean(layers[1]?.[0] as NaiveEntry), "Hives");
  const local = await s.build(join(s.folder, "context"), "--platform", "windows/amd64", "-o", "out");
  t.is(local.code, 0, local.stderr);
  t.is(await readFile(join(s.folder, "out/y/a"), "utf8"), "a");
});

test("FROM scratch with an archive that brings the hives is a base that importers take", async (t) => {
  const s = await scene(t, { base: false });
  const base = naiveTar(await windowsBaseTar());
  const archive = await packedTar((tar) => {
    for (const { name, type, content } of base) {
      const path = name.replace(/^Files\/?/, "");
      if (path === "" || type === "2") continue;
      if (type === "5") tar.entry({ name: path, type: "directory" });
      else tar.entry({ name: path }, content);
    }
  });
  const dockerfile = "FROM scratch\nADD base.tar /\nCOPY base.tar /Windows/\n";
  await built(t, s, dockerfile, { "base.tar": archive }, "--platform", "windows(10.0.20348.1)/amd64");
  const verified = await s.wbuild("inspect", "--verify", "app");
  t.is(verified.code, 0, verified.stdout);
  t.regex(verified.stdout, /0 errors, 0 warnings/);
});

test("from an index: the newest version, or the one that was asked for", async (t) => {
  await using registry = await startRegistry();
  const s = await scene(t, { base: false });
  const manifests: object[] = [];
  for (const version of ["10.0.17763.6000", "10.0.20348.999", "10.0.20348.2700"]) {
    const name = `${registry.host}/base:${version}`;
    const layout = join(s.folder, version);
    await windowsBaseLayout(layout, { name, version });
    await execute("skopeo", [
      "copy",
      "-q",
      "--override-os=windows",
      "--dest-tls-verify=false",
      `oci:${layout}:${name}`,
      `docker://${name}`,
    ]);
    manifests.push(JSON.parse(await readFile(join(layout, "index.json"), "utf8")).manifests[0]);
  }
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const body = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
  const put = await fetch(`${registry.url}/v2/base/manifests/all`, {
    method: "PUT",
    body,
    headers: { "content-type": mediaType },
  });
  t.is(put.status, 201);
  await s.files("context", { Dockerfile: `FROM ${registry.host}/base:all\nENV A=1\n` });
  for (const [flags, version] of [
    [[], "10.0.20348.2700"],
    [["--platform", "windows/amd64"], "10.0.20348.2700"],
    [["--platform", "windows(10.0.20348.999)/amd64"], "10.0.20348.999"],
    [["--platform", "windows(10.0.17763.1)/amd64"], "10.0.17763.6000"],
  ] as const) {
    const outcome: BuildOutcome = await s.build(join(s.folder, "context"), "-t", "app", ...flags);
    t.is(outcome.code, 0, outcome.stderr);
    t.is((await saved(s)).config["os.version"], version, flags.join(" "));
  }
});
