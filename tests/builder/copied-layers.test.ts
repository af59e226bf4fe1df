/** What the layers of COPY, ADD and WORKDIR hold. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { Pack } from "tar-stream";
import { buildWorld } from "../doubles/builds.ts";
import { tarOf } from "../doubles/images.ts";
import { packedTar } from "../doubles/packed-tar.ts";
import { lastLayer } from "./last-layer.ts";

test("a folder onto one that exists merges; onto an empty root it is the root", async (t) => {
  const { build, write, store } = buildWorld(t);
  write("one/a", "1");
  write("two/b", "2");
  t.deepEqual(await lastLayer(store, await build(["FROM scratch", "COPY one /"])), ["file a 644"]);
  const merged = await build(["FROM scratch", "COPY one /x", "COPY two /x"]);
  t.deepEqual(await lastLayer(store, merged), ["dir x 755", "file x/b 644"]);
});

const layers: [name: string, last: string, expected: string[]][] = [
  ["a file to a name", "COPY one /x", ["file x 644"]],
  ["a file into a folder", "COPY one /x/", ["dir x 755", "file x/one 644"]],
  ["a folder's contents", "COPY d /x", ["dir x 755", "file x/f 644", "dir x/sub 755", "file x/sub/g 644"]],
  ["a pattern", "COPY o* /x/", ["dir x 755", "file x/one 644"]],
  ["several files", "COPY one two /x/", ["dir x 755", "file x/one 644", "file x/two 644"]],
  ["owner and mode", "COPY --chown=7:8 --chmod=700 one /x/", ["dir x 700 7:8", "file x/one 700 7:8"]],
  ["a link as source is followed", "COPY ln /x", ["file x 644"]],
  ["a link inside a folder stays one", "COPY ld /x", ["dir x 755", "link x/l ../one"]],
  ["an unpacked tar", "ADD t.tar /x", ["dir x 755", "file x/in 644"]],
];

for (const [name, last, expected] of layers) {
  test(`layer of ${name}: ${last}`, async (t) => {
    const { build, write, folder, store } = buildWorld(t);
    write("one", "1");
    write("two", "2");
    write("d/f", "f");
    write("d/sub/g", "g");
    symlinkSync("one", join(folder, "ln"));
    mkdirSync(join(folder, "ld"));
    symlinkSync("../one", join(folder, "ld/l"));
    write("t.tar", await tarOf([["in", "hello"]]));
    t.deepEqual(await lastLayer(store, await build(["FROM scratch", last])), expected);
  });
}

const onto: [name: string, lines: string[], expected: string[]][] = [
  [
    "a folder inside a copied one gives its mode to the one that is there; the target itself keeps its own",
    ["COPY closed /", "COPY d /x"],
    ["dir x 700", "file x/f 644", "dir x/sub 755", "file x/sub/g 644"],
  ],
  [
    "a target behind a link to nowhere is made where the link points",
    ["COPY away /", "COPY one /link/in/"],
    ["dir no 755", "dir no/where 755", "dir no/where/in 755", "file no/where/in/one 644"],
  ],
  [
    "a file onto a link to nowhere is what the link points at",
    ["COPY away /", "COPY one /link"],
    ["dir no 755", "file no/where 644"],
  ],
  [
    "WORKDIR behind a link to nowhere",
    ["COPY away /", "WORKDIR /link/w"],
    ["dir no 755", "dir no/where 755", "dir no/where/w 755"],
  ],
  [
    "an archive without entries for its folders goes through the image's links",
    ["COPY usr /", "ADD parts.tar /"],
    ["dir usr 755", "dir usr/lib 755", "file usr/lib/in 644", "hard usr/lib/more usr/lib/in"],
  ],
  [
    "an archive's own folder takes the place of a link",
    ["COPY usr /", "ADD whole.tar /"],
    ["dir lib 755", "file lib/in 644"],
  ],
  [
    "hard links of a stage stay so within one copied folder",
    ["ADD parts.tar /x", "FROM scratch", "COPY --from=0 /x /x/lib /y/"],
    [
      "dir y 755",
      "file y/in 644",
      "dir y/lib 755",
      "file y/lib/in 644",
      "hard y/lib/more y/lib/in",
      "hard y/more y/in",
    ],
  ],
];

for (const [name, lines, expected] of onto) {
  test(name, async (t) => {
    const { build, write, folder, store } = buildWorld(t);
    write("one", "1");
    write("d/f", "f");
    write("d/sub/g", "g");
    mkdirSync(join(folder, "closed/x/sub"), { recursive: true });
    for (const name of ["closed/x", "closed/x/sub"]) chmodSync(join(folder, name), 0o700);
    mkdirSync(join(folder, "away"));
    symlinkSync("/no/where", join(folder, "away/link"));
    mkdirSync(join(folder, "usr/usr/lib"), { recursive: true });
    symlinkSync("usr/lib", join(folder, "usr/lib"));
    const time = new Date(0);
    const file = { name: "lib/in", mode: 0o644, mtime: time };
    const link = { name: "lib/more", type: "link", linkname: "lib/in", mode: 0o644, mtime: time } as const;
    writeFileSync(join(folder, "parts.tar"), await archiveOf(file, link));
    const above = { name: "lib/", type: "directory", mode: 0o755, mtime: time } as const;
    writeFileSync(join(folder, "whole.tar"), await archiveOf(above, file));
    t.deepEqual(await lastLayer(store, await build(["FROM scratch", ...lines])), expected);
  });
}

function archiveOf(...headers: Parameters<Pack["entry"]>[0][]): Promise<Buffer> {
  return packedTar((archive) => {
    for (const header of headers) archive.entry(header, header.type === undefined ? "content" : "");
  });
}
