import { join } from "node:path";
import test from "ava";
import type { Pack } from "tar-stream";
import { compressors, packedTar } from "../doubles/packed-tar.ts";
import { type Scene, scene } from "./scene.ts";

for (const [name, command] of compressors) {
  test(`ADD unpacks ${name}; COPY does not`, async (t) => {
    const s = await scene(t);
    await s.files("context/inside", { "a/b": "content\n", "with space": "2\n" });
    await s.tool("sh", "-c", `tar -C context/inside -cf - . | ${command} > context/archive`);
    await s.files("context", {
      Dockerfile:
        "FROM wbuild.local/linux\nADD archive /added/\nCOPY archive /copied/\nRUN find /added | sort > /list\n",
    });
    const built = await s.build(join(s.folder, "context"), "-t", "app");
    t.is(built.code, 0, built.stderr);
    t.is(await s.run("app", "cat", "/list"), "/added\n/added/a\n/added/a/b\n/added/with space\n");
    t.is(
      await s.run("app", "sh", "-c", "sha256sum < /copied/archive"),
      await s.tool("sh", "-c", "sha256sum < context/archive"),
    );
  });
}

function tar(...entries: (readonly [Parameters<Pack["entry"]>[0], string?])[]): Promise<Buffer> {
  return packedTar((archive) => {
    for (const [header, content] of entries) archive.entry(header, content ?? "");
  });
}

async function addIt(s: Scene, archive: Buffer) {
  const context = await s.files("context", { Dockerfile: "FROM wbuild.local/linux\nADD archive /target/\n", archive });
  return s.build(context, "-t", "app");
}

const attacks: [name: string, make: () => Promise<Buffer>, code: RegExp][] = [
  ["a name that climbs out", () => tar([{ name: "../../../../escaped" }, "x"]), /LAYER_ESCAPE/],
  [
    "a file through a symlink that leads out",
    () => tar([{ name: "way", type: "symlink", linkname: "/" }], [{ name: "way/escaped" }, "x"]),
    /LAYER_\w+/,
  ],
  [
    "a hard link to a file outside",
    () => tar([{ name: "mine", type: "link", linkname: "../../../../../etc/passwd" }]),
    /LAYER_\w+/,
  ],
  [
    "an archive cut short in a file",
    async () => (await tar([{ name: "a" }, "x".repeat(5000)])).subarray(0, 2048),
    /LAYER_\w+/,
  ],
];
for (const [name, make, code] of attacks) {
  test(`ADD refuses ${name}`, async (t) => {
    const s = await scene(t);
    const failed = await addIt(s, await make());
    t.true(failed.code === 1 || failed.code === 2, `${failed.code}\n${failed.stderr}`);
    t.regex(failed.stderr, code);
    t.regex(failed.stderr, /Dockerfile:2/);
    t.is((await s.tool("sh", "-c", "find / -xdev -maxdepth 3 -name escaped 2>/dev/null || true")).trim(), "");
    t.is((await s.wbuild("inspect", "app")).code, 2);
  });
}

test("a symlink in the image cannot lead COPY or ADD out of it", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: `FROM wbuild.local/linux\nRUN mkdir -p ${s.folder}/outside && ln -s ${s.folder}/outside /way && ln -s ../../../../../..${s.folder}/outside /up\nCOPY file /way/one\nCOPY file /up/two\n`,
    file: "x\n",
  });
  await s.files("outside", {});
  const built = await s.build(context, "-t", "app");
  t.is(built.code, 0, built.stderr);
  t.is(await s.tool("ls", "-A", "outside"), "");
  t.is(await s.run("app", "cat", `${s.folder}/outside/one`, `${s.folder}/outside/two`), "x\nx\n");
});
