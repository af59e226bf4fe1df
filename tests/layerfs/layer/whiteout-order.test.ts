/** A whiteout is about the layers below, wherever it stands in its layer: on disk, in the index, and for umoci. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { decodeIndex } from "../../../layerfs/layer/layer-index.ts";
import { Order } from "../../../layerfs/layer/ordered.ts";
import { readUpper } from "../../../layerfs/layer/overlay.ts";
import { unpackLayer } from "../../../layerfs/layer/unpack.ts";
import { digestOf, hexOf } from "../../../layerfs/store/digest.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import { decodeWalk, walkFolder } from "../../../native/addon/addon.ts";
import { noRoot, testUnless } from "../../doubles/test-unless.ts";
import { layerOf } from "../tree/files.ts";
import { inPieces, type Member, scratch, tarOf } from "./workbench.ts";

const rootTest = testUnless(noRoot);

const folder = (name: string): Member => ({ name, type: "5", mode: "0000755\0" });
const member = (name: string): Member => (name.endsWith("/") ? folder(name.slice(0, -1)) : { name });

/** Below every one of the layers. */
const lower = tarOf(...["a/", "a/old", "a/b/", "a/b/old"].map(member));

const cases: [members: string, left: string][] = [
  ["a/x .wh.a a/", "a a/x"],
  ["a/x .wh.a", "a a/x"],
  ["a/ a/x .wh.a", "a a/x"],
  ["a/b/x .wh.a", "a a/b a/b/x"],
  ["a/b/x .wh.a a/b/ a/", "a a/b a/b/x"],
  ["a/b/x a/.wh..wh..opq", "a a/b a/b/x"],
  ["a/ a/b/ a/b/x a/.wh..wh..opq", "a a/b a/b/x"],
  ["a/.wh..wh..opq a/b/x", "a a/b a/b/x"],
  ["a/b/x a/.wh.b", "a a/b a/b/x a/old"],
  ["a/new/deep/x .wh.a", "a a/new a/new/deep a/new/deep/x"],
  ["a/.wh.old .wh.a", ""],
  ["a/.wh.old .wh.a a/", "a"],
  ["a/.wh.old .wh.a a/y", "a a/y"],
  ["a/b/.wh.old a/.wh.b .wh.a", ""],
  [".wh.a a/x", "a a/x"],
  ["a/x a/.wh.old", "a a/b a/b/old a/x"],
];

for (const [members, left] of cases) {
  const tar = tarOf(...members.split(" ").map(member));

  test(`${members}: on disk, without overlayfs, stays ${left || "nothing"}`, async (t) => {
    const top = await scratch(t);
    for (const bytes of [lower, tar]) await unpackLayer({ bytes: inPieces(bytes) }, top, { form: "plain" });
    t.is(await listed(top), left);
  });

  rootTest(`${members}: index and overlayfs's folder show the same`, async (t) => {
    const top = await scratch(t);
    const [below, above] = [join(top, "below"), join(top, "above")];
    for (const path of [below, above]) mkdirSync(path);
    const first = await unpackLayer({ bytes: inPieces(lower) }, below, { form: "overlay" });
    const { index } = await unpackLayer({ bytes: inPieces(tar) }, above, { form: "overlay", lower: [below] });
    const changes = decodeIndex(index);
    const order = new Order();
    for (const change of changes) order.check(change);
    for (const said of [changes, await readUpper(above)]) {
      const tree = await stackTree([layerOf(decodeIndex(first.index)), layerOf(said)]);
      const shown = (await tree.walk("")).map((entry) => entry.path).filter((path) => path !== "");
      t.is(shown.join(" "), left);
    }
  });

  rootTest(`${members}: umoci leaves the same`, async (t) => {
    const top = await scratch(t);
    writeLayout(join(top, "layout"), [lower, tar]);
    execFileSync("umoci", ["unpack", "--image", `${join(top, "layout")}:test`, join(top, "bundle")], { stdio: "pipe" });
    t.is(await listed(join(top, "bundle/rootfs")), left);
  });
}

async function listed(path: string): Promise<string> {
  return decodeWalk((await walkFolder(path, { depth: "all" })).records)
    .map((entry) => entry.path)
    .join(" ");
}

function writeLayout(layout: string, tars: readonly Uint8Array[]): void {
  const blobs = join(layout, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Uint8Array, mediaType: string) => {
    writeFileSync(join(blobs, hexOf(digestOf(bytes))), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const json = (value: unknown, kind: string) =>
    put(Buffer.from(JSON.stringify(value)), `application/vnd.oci.image.${kind}.v1+json`);
  const layers = tars.map((tar) => put(tar, "application/vnd.oci.image.layer.v1.tar"));
  const rootfs = { type: "layers", diff_ids: layers.map(({ digest }) => digest) };
  const config = json({ architecture: "amd64", os: "linux", config: {}, rootfs, history: [{}, {}] }, "config");
  const manifest = json({ schemaVersion: 2, config, layers }, "manifest");
  const named = { ...manifest, annotations: { "org.opencontainers.image.ref.name": "test" } };
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}
