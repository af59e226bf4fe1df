/** `inspect --verify` by the real program: what we build is without fault, and what others spoilt is told. */
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import test from "ava";
import { digestOf } from "../../layerfs/store/digest.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { member, tarOf } from "../layerfs/layer/workbench.ts";
import { naiveCheck } from "../layerfs/windows/naive-checker.ts";
import { stockFolder } from "../layerfs/windows/verify-workbench.ts";
import { editLayout, savedImage } from "./layouts.ts";
import { noWindows, type Scene, scene } from "./scene.ts";
import { loadLayout, windowsBaseScene } from "./windows-base-scene.ts";

const missing = noWindows();
const running = testUnless(missing);

const name = "test.example/windows:1";

interface Report {
  readonly errors: number;
  readonly warnings: number;
  readonly findings: readonly { readonly rule: string; readonly layer?: number; readonly path?: string }[];
}

async function verified(s: Scene, image: string): Promise<{ readonly code: number; readonly report: Report }> {
  const { code, stdout, stderr } = await s.wbuild("inspect", "--verify", "--format", "json", image);
  if (stdout === "") throw new Error(stderr);
  return { code, report: (JSON.parse(stdout) as Report[])[0] as Report };
}

/** The uncompressed tars of an image, as a layout has them. */
async function tarsOf(s: Scene, image: string): Promise<Buffer[]> {
  return (await savedImage(s, image)).layers.map(({ bytes }) => gunzipSync(bytes));
}

test("a base, and images built on it, are without fault for both checkers", async (t) => {
  const s = await windowsBaseScene(t);
  t.deepEqual((await verified(s, name)).report.findings, []);
  const context = await s.files("context", {
    Dockerfile: [
      "# escape=`",
      `FROM ${name}`,
      "WORKDIR C:\\app",
      "COPY a.txt b.txt C:\\Windows\\system32\\",
      "COPY a.txt C:\\License.txt",
      'COPY ["folder", "C:/program files/Acme/"]',
      'CMD app.exe "a b"',
    ].join("\n"),
    "a.txt": "a",
    "b.txt": "b",
    "folder/sub/deep/x.txt": "x",
  });
  const outcome = await s.build(context, "-t", "app");
  t.is(outcome.code, 0, outcome.stderr);
  const { code, report } = await verified(s, "app");
  t.deepEqual([code, report.errors, report.warnings, report.findings], [0, 0, 0, []]);
  t.deepEqual(naiveCheck(await tarsOf(s, "app"), stockFolder), []);
  const told = await s.wbuild("inspect", "--verify", "app");
  t.regex(told.stdout, /app:latest, windows.*, 5 layers\n0 errors, 0 warnings\n$/);
});

running("a base made from Wine, and what steps wrote on it, are without fault for both checkers", async (t) => {
  const s = await scene(t, { base: "windows" });
  const context = await s.files("context", {
    Dockerfile: [
      "# escape=`",
      "FROM wbuild.local/windows",
      "RUN reg add HKLM\\Software\\Acme /v Level /d 7 /f && md C:\\acme && echo one> C:\\acme\\One.txt",
      "RUN reg delete HKLM\\Software\\Acme /f && del C:\\acme\\one.txt && mklink /J C:\\acme\\win C:\\Windows",
      "COPY Dockerfile C:\\ACME\\",
    ].join("\n"),
  });
  const outcome = await s.build(context, "-t", "app");
  t.is(outcome.code, 0, outcome.stderr);
  for (const image of ["wbuild.local/windows", "app"]) {
    t.deepEqual((await verified(s, image)).report.findings, []);
    const found = naiveCheck(await tarsOf(s, image), stockFolder);
    // The plain reader knows only small hives.
    t.deepEqual(
      found.filter((rule) => !rule.startsWith("base-hive-broken@")),
      [],
    );
  }
});

test("what is wrong with an image is told, and its exit code says so", async (t) => {
  const s = await windowsBaseScene(t);
  // A layer on top, as builders without Windows' rules make it.
  const layer = tarOf(
    member({ name: "Files/", type: "5" }),
    member({ name: "Files/windows/new.txt", body: "x" }),
    member({ name: "Files/License.txt", body: "x" }),
    member({ name: "Files/.wh.License.txt" }),
    member({ name: "Files/\u001b[31mred", body: "x" }),
  );
  await editLayout(join(s.folder, "layout"), "test.example/spoilt:1", async (config, manifest, put) => {
    config.rootfs.diff_ids.push(digestOf(layer));
    config.history.push({ created_by: "COPY" });
    manifest.layers.push(await put(gzipSync(layer), "application/vnd.oci.image.layer.v1.tar+gzip"));
  });
  await loadLayout(t, s);

  const { code, report } = await verified(s, "test.example/spoilt:1");
  t.is(code, 1);
  const rules = [...new Set(report.findings.map(({ rule, layer: number }) => `${rule}@${number}`))].sort();
  t.deepEqual(rules, naiveCheck(await tarsOf(s, "test.example/spoilt:1"), stockFolder));
  t.deepEqual(rules, [
    "ancestor-missing@2",
    "delta-missing@2",
    "directory-redescribed@2",
    "directory-spelling@2",
    "first-entries@2",
    "name-illegal@2",
    "whiteout-beside-entry@2",
  ]);
  const told = await s.wbuild("inspect", "--verify", "test.example/spoilt:1");
  t.is(told.code, 1);
  t.regex(told.stdout, /error +ancestor-missing +2 +Files\/windows\/new\.txt +"Files\/windows" has no entry before it/);
  t.regex(told.stdout, /\nancestor-missing \(hcs, cimfs\): directories are made one level at a time/);
  t.regex(told.stdout, /\n\d+ errors, \d+ warnings\n$/);
  t.false(told.stdout.includes("\u001b"), "names cannot drive a terminal");
  const several = await s.wbuild("inspect", "--verify", "-f", "{{.image}} {{.errors}}", name, "test.example/spoilt:1");
  t.is(several.code, 1);
  t.regex(several.stdout, /^test\.example\/windows:1 0\ntest\.example\/spoilt:1 \d+\n$/);
  t.is((await s.wbuild("inspect", "--verify", "--raw", name)).code, 2);
});
