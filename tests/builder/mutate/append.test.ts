import test, { type ExecutionContext } from "ava";
import { writeImage } from "../../../builder/image/output/write-image.ts";
import { takeIncoming } from "../../../builder/mutate/append.ts";
import { appendIncoming, nothing } from "../../../builder/mutate/append-image.ts";
import { readTar } from "../../../layerfs/layer/read.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { type Image, mediaTypes } from "../../../registry/oci/image.ts";
import { naiveTar } from "../../doubles/naive-tar.ts";
import { scratchStore } from "../../doubles/scratch.ts";
import { type Member, tarOf } from "../../layerfs/layer/workbench.ts";

const signal = new AbortController().signal;
const file = (name: string, body = "x"): Member => ({ name, type: "0", body });
const folder = (name: string, mode = "0000755\0"): Member => ({ name, type: "5", mode });
const symlink = (name: string, link: string): Member => ({ name, type: "2", link });
const hardLink = (name: string, link: string): Member => ({ name, type: "1", link });

const below = [folder("usr"), folder("usr/bin"), symlink("bin", "usr/bin"), folder("tmp", "0001777\0"), file("etc")];

async function baseOf(store: Store): Promise<Image> {
  const tar = tarOf(...below);
  const layer = { blob: await store.blobs.put(tar, { mediaType: mediaTypes.ociLayer }), diffId: digestOf(tar) };
  return writeImage(store.blobs, { config: { os: "linux", architecture: "amd64" }, layers: [layer] });
}

async function* bytes(tar: Uint8Array) {
  for (let at = 0; at < tar.length; at += 700) yield tar.subarray(at, at + 700);
}

async function appended(t: ExecutionContext, members: readonly Member[], path?: string, onto?: Image) {
  const store = scratchStore(t);
  const incoming = await takeIncoming(store, "a.tar", bytes(tarOf(...members)), { compression: "none", signal });
  return appendIncoming(store, onto ?? (await baseOf(store)), [incoming], {
    compression: "none",
    signal,
    ...(path === undefined ? {} : { path }),
    created: "2023-11-14T22:13:20.000Z",
    commandOf: (name) => `append ${name}`,
    onDropped: ({ path: at }) => t.fail(at),
  }).then(async ({ layers, config }) => {
    const parts: Uint8Array[] = [];
    const top = layers.at(-1);
    if (top) for await (const part of store.blobs.open(top.blob)) parts.push(part);
    const told = naiveTar(Buffer.concat(parts)).map(
      ({ name, link }) => name.replace(/\/$/, "") + (link ? ` -> ${link}` : ""),
    );
    return { told, config, tar: Buffer.concat(parts) };
  });
}

const rows: readonly (readonly [
  title: string,
  path: string | undefined,
  members: readonly Member[],
  told: readonly string[],
])[] = [
  ["as it is: not a byte is changed", undefined, [file("b"), file("a"), file(".wh.etc")], ["b", "a", ".wh.etc"]],
  [
    "below a folder, with those above",
    "/opt/app",
    [file("x"), folder("d"), file("d/y")],
    ["opt", "opt/app", "opt/app/d", "opt/app/x", "opt/app/d/y"],
  ],
  ["a path that climbs stays inside", "/../../opt/../srv", [file("x")], ["srv", "srv/x"]],
  ["hard links follow their files", "opt", [file("x"), hardLink("l", "x")], ["opt", "opt/x", "opt/l -> opt/x"]],
  ["of two of one name the later counts", "opt", [file("x", "1"), file("x", "22")], ["opt", "opt/x"]],
  ["folders that the tar forgot are made", "/", [file("a/b/x")], ["a", "a/b", "a/b/x"]],
];
for (const [title, path, members, told] of rows)
  test(`append ${title}`, async (t) => t.deepEqual((await appended(t, members, path)).told, told));

test("append: a folder of the image keeps its attributes", async (t) => {
  const { tar } = await appended(t, [file("x")], "/tmp");
  const modes: string[] = [];
  for await (const { path, mode } of readTar(bytes(tar))) modes.push(`${path} ${mode.toString(8)}`);
  t.deepEqual(modes, ["tmp 1777", "tmp/x 644"]);
});

const refused: readonly (readonly [
  title: string,
  path: string | undefined,
  members: readonly Member[],
  code: string,
])[] = [
  ["a folder in the place of the image's link", "/", [folder("bin"), file("bin/x")], "IMG_EDIT"],
  ["a folder in the place of a link, unmentioned", "/", [file("bin/x")], "IMG_EDIT"],
  ["a folder below a file", "/etc", [file("x")], "IMG_EDIT"],
  ["whiteouts where files were meant", "/opt", [file(".wh.x")], "LAYER_WHITEOUT_NAME"],
  ["a name that climbs out", undefined, [file("../x")], "LAYER_ESCAPE"],
  ["a name that climbs out, with a folder", "/opt", [file("../x")], "LAYER_ESCAPE"],
  ["a hard link that climbs out", undefined, [hardLink("x", "../../etc/shadow")], "LAYER_ESCAPE"],
];
for (const [title, path, members, code] of refused)
  test(`append refuses ${title}`, async (t) => {
    await t.throwsAsync(appended(t, members, path), { code });
  });

test("append on nothing: an image of one layer and one line", async (t) => {
  const { config, told } = await appended(t, [file("x")], undefined, nothing({ os: "linux", architecture: "arm64" }));
  t.like(config, { os: "linux", architecture: "arm64" });
  t.deepEqual(
    config.history?.map(({ created_by }) => created_by),
    ["append a.tar"],
  );
  t.deepEqual(told, ["x"]);
});

test("append on nothing for Windows is refused: there is no base without hives", async (t) => {
  await t.throwsAsync(appended(t, [file("x")], undefined, nothing({ os: "windows", architecture: "amd64" })), {
    code: "IMG_EDIT",
  });
});
