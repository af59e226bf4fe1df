/** What diff and history tell of Windows images, by the real program. */
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { writeHive } from "../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../layerfs/hive/tree.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { packedTar } from "../doubles/packed-tar.ts";
import { editLayout } from "./layouts.ts";
import type { Scene } from "./scene.ts";
import { built, from, loadLayout, saved, windowsBaseScene } from "./windows-base-scene.ts";

async function withRegistryLayer(t: ExecutionContext, s: Scene): Promise<void> {
  const delta = new KeyTree("ROOT");
  const vendor = delta.setSubkey(new KeyTree("Vendor"));
  vendor.setValue({ name: "Version", type: 1, data: Buffer.from("1.2\0", "utf16le") });
  vendor.setValue({ name: "", type: 4, data: Buffer.from([7, 0, 0, 0]) });
  const microsoft = delta.setSubkey(new KeyTree("Microsoft"));
  microsoft.inheritClass = true;
  const nt = microsoft.setSubkey(new KeyTree("Windows NT"));
  nt.inheritClass = true;
  const current = nt.setSubkey(new KeyTree("CurrentVersion"));
  current.inheritClass = true;
  current.setValue({ name: "ProductName", type: 1, data: Buffer.from("Other\0", "utf16le") });
  current.setValue({ name: "CurrentBuild", type: 0, data: Buffer.of(), tombstone: true });
  const hive = Buffer.from(writeHive(hiveOf(delta, { differencing: true })));
  const layer = await packedTar((tar) => {
    tar.entry({ name: "Hives/", type: "directory" });
    tar.entry({ name: "Hives/Software_Delta" }, hive);
    tar.entry({ name: "Files/", type: "directory" });
    tar.entry({ name: "Files/WINDOWS/", type: "directory" });
    tar.entry({ name: "Files/WINDOWS/vendor.ini" }, "x");
    tar.entry({ name: "Files/.wh.license.TXT" }, "");
  });
  await editLayout(join(s.folder, "layout"), "test.example/vendor:1", async (config, manifest, put) => {
    config.rootfs.diff_ids.push(digestOf(layer));
    config.history.push({ created_by: "RUN setup.exe # buildkit" });
    manifest.layers.push(await put(layer, "application/vnd.oci.image.layer.v1.tar"));
  });
  await loadLayout(t, s);
}

test("diff and history tell keys and values of the registry beside files", async (t) => {
  const s = await windowsBaseScene(t);
  await withRegistryLayer(t, s);
  const expected = [
    "D C:\\License.txt",
    // That builder described the folder on its way anew.
    "C C:\\Windows",
    "A C:\\Windows\\vendor.ini",
    'C HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion [ProductName] = REG_SZ "Other" (was REG_SZ "Windows Server 2022")',
    "D HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion [CurrentBuild]",
    "A HKLM\\SOFTWARE\\Vendor",
    "A HKLM\\SOFTWARE\\Vendor [(Default)] = REG_DWORD 7",
    'A HKLM\\SOFTWARE\\Vendor [Version] = REG_SZ "1.2"',
  ];
  const own = await s.wbuild("diff", "--layer", "2", "test.example/vendor:1");
  t.is(own.code, 0, own.stderr);
  t.deepEqual(own.stdout.trim().split("\n").sort(), [...expected].sort());
  const two = await s.wbuild("diff", "test.example/windows:1", "test.example/vendor:1");
  t.deepEqual(two.stdout.trim().split("\n").sort(), [...expected].sort());
  const back = await s.wbuild("diff", "test.example/vendor:1", "test.example/windows:1");
  t.true(back.stdout.includes("D HKLM\\SOFTWARE\\Vendor\n"), "a key that is gone says all");
  t.false(back.stdout.includes("[Version]"), back.stdout);

  const json = JSON.parse((await s.wbuild("diff", "--json", "test.example/vendor:1")).stdout);
  t.deepEqual(
    json.map(({ layer }: { layer: number }) => layer),
    [2],
  );
  t.deepEqual(json[0].registry.at(-1), {
    kind: "added",
    key: "HKLM\\SOFTWARE\\Vendor",
    value: "Version",
    what: [],
    after: { type: "REG_SZ", data: "1.2" },
  });

  // A COPY above it changes nothing in the registry; the changes below it stay with their layer.
  await built(t, s, "FROM test.example/vendor:1\nCOPY a /a\n", { a: "a" });
  t.is((await s.wbuild("diff", "--layer", "3", "app")).stdout, "A C:\\a\n");
  const each = await s.wbuild("diff", "app");
  t.is((await s.wbuild("diff", "--each-layer", "app")).stdout, each.stdout);
  t.regex(each.stdout, /^layer 2 of 3\n[\s\S]*\[Version\][\s\S]*layer 3 of 3\nA C:\\a\n$/);
  const counts = await s.wbuild("history", "--format", "{{.CreatedBy}}|{{.RegistryChanges}}", "app");
  t.deepEqual(counts.stdout.trim().split("\n"), [
    "COPY a /a # buildkit|0",
    "RUN setup.exe # buildkit|5",
    "Apply image 10.0.20348.2700|",
  ]);
  t.regex((await s.wbuild("history", "app")).stdout, /SIZE +REGISTRY +COMMENT/);
});

test("a Dockerfile written back from an image builds the same image", async (t) => {
  const s = await windowsBaseScene(t);
  const dockerfile = `${from}MAINTAINER Me <me@example.com>
WORKDIR C:\\app
COPY app.exe C:\\app\\
COPY ["conf", "C:\\\\Program Files\\\\app\\\\"]
ENV Path="C:\\app;C:\\Windows" A=1
EXPOSE 80
VOLUME C:\\data
HEALTHCHECK --interval=30s CMD app.exe ping || exit 1
ONBUILD COPY . C:\\src
USER ContainerUser
ENTRYPOINT ["C:\\\\app\\\\app.exe", "a b"]
CMD ["--x"]
`;
  await built(t, s, dockerfile, { "app.exe": "MZ", "conf/x.ini": "x" });
  const id = async () => JSON.parse((await s.wbuild("inspect", "app")).stdout)[0].Id;
  const before = await id();
  const back = await s.wbuild("history", "--dockerfile", "app");
  t.is(back.code, 0, back.stderr);
  t.true(back.stdout.startsWith("# escape=`\n"));
  await built(t, s, back.stdout);
  t.is(await id(), before, back.stdout);
  t.like((await saved(s)).config, {
    author: "Me <me@example.com>",
    config: {
      Env: ["Path=C:\\app;C:\\Windows", "A=1"],
      Healthcheck: { Test: ["CMD-SHELL", "app.exe ping || exit 1"] },
      OnBuild: ["COPY . C:\\src"],
      Entrypoint: ["C:\\app\\app.exe", "a b"],
      Volumes: { "C:\\data": {} },
    },
  });
});
