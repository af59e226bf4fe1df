/** `mkdir -p` that ends. */
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { makeFolder } from "../../../layerfs/store/make-folder.ts";

const rows: readonly [title: string, path: string, code: string | undefined][] = [
  ["one that is there", "there", undefined],
  ["a new one", "new", undefined],
  ["with those above it", "a/b/c", undefined],
  ["with a slash behind", "a/b/", undefined],
  ["behind a link", "link/x", undefined],
  ["the root", "/", undefined],
  ["where a file is", "file", "EEXIST"],
  ["below a file", "file/x", "ENOTDIR"],
  ["behind a link to nowhere", "lost/x", "EEXIST"],
  // Node's own loops here without an end.
  ["where the kernel lets nobody make one", "/proc/wbuild", "ENOENT"],
  ["below that", "/proc/wbuild/x", "ENOENT"],
];
for (const [title, path, code] of rows) {
  test(title, (t) => {
    const top = mkdtempSync(join(tmpdir(), "wbuild-folders-"));
    t.teardown(() => rmSync(top, { recursive: true }));
    mkdirSync(join(top, "there"));
    writeFileSync(join(top, "file"), "");
    symlinkSync("there", join(top, "link"));
    symlinkSync("nowhere", join(top, "lost"));
    const folder = path.startsWith("/") ? path : join(top, path);
    if (code !== undefined) return void t.throws(() => makeFolder(folder), { code });
    makeFolder(folder, 0o700);
    t.true(statSync(folder).isDirectory());
    if (path === "a/b/c") t.is(statSync(join(top, "a")).mode & 0o777, 0o700);
  });
}
