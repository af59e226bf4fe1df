import { execFileSync } from "node:child_process";
import { createReadStream, lstatSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { exportTar } from "../../../../builder/image/output/export-tree.ts";
import { writeImage } from "../../../../builder/image/output/write-image.ts";
import { openStore } from "../../../../layerfs/store/store.ts";
import { saveImages } from "../../../../registry/archive/save.ts";
import { treeOf } from "../../../doubles/text-tree.ts";
import { makeTempFolder } from "../../../layerfs/tree/files.ts";

/** Writes of a tar to a path, each by the code that does it for real. */
const writers: [name: string, write: (path: string, home: string) => Promise<void>][] = [
  ["an export", async (path) => exportTar([{ tree: await treeOf("dir a", "link a/b c") }], path, {})],
  [
    "a save",
    async (path, home) => {
      using store = openStore(home);
      const config = { os: "linux", architecture: "amd64" };
      const { descriptor } = await writeImage(store.blobs, { config, layers: [] });
      await saveImages([{ descriptor, refs: [] }], store.blobs, { to: { path }, format: "oci", tar: true });
    },
  ],
];

for (const [name, write] of writers) {
  test(`${name} to a named pipe writes to it and leaves it a pipe`, async (t) => {
    using folder = makeTempFolder();
    const pipe = join(folder.path, "pipe");
    execFileSync("mkfifo", [pipe]);
    const parts: Buffer[] = [];
    const reading = (async () => {
      for await (const part of createReadStream(pipe)) parts.push(part as Buffer);
    })();
    await write(pipe, join(folder.path, "home"));
    await reading;
    t.true(lstatSync(pipe).isFIFO());
    t.is(Buffer.concat(parts).toString("latin1", 257, 262), "ustar");
  });
}
