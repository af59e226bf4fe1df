import { gzipSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { verifyImage } from "../../../../builder/image/inspect/verify.ts";
import { findImage } from "../../../../builder/image/stored/local.ts";
import type { Descriptor } from "../../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../../layerfs/store/digest.ts";
import { imageRules } from "../../../../layerfs/windows/verify/image-rules.ts";
import { mediaTypes } from "../../../../registry/oci/image.ts";
import { tarOf as plainTar } from "../../../doubles/images.ts";
import { scratchStore } from "../../../doubles/scratch.ts";
import { baseLayer, childLayer, tarsOf } from "../../../layerfs/windows/verify-workbench.ts";

const tars = tarsOf(baseLayer(), childLayer());
const version = "10.0.20348.2700";
const foreignType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

interface Parts {
  readonly config: Record<string, unknown>;
  readonly layers: readonly Descriptor[];
  readonly platform: Record<string, unknown>;
}
type Change = (parts: Parts) => Partial<Parts>;

const config =
  (more: Record<string, unknown>): Change =>
  (parts) => ({ config: { ...parts.config, ...more } });
const both =
  (key: string, value: unknown): Change =>
  (parts) => ({
    config: { ...parts.config, [key]: value },
    platform: { ...parts.platform, [key]: value },
  });
const layer =
  (more: Partial<Descriptor>): Change =>
  (parts) => ({
    layers: parts.layers.map((one, i) => (i === 1 ? { ...one, ...more } : one)),
  });
const other = digestOf(Buffer.from("other"));
const line = { created_by: "RUN x" };

const rows: readonly (readonly [rules: readonly string[], change: Change])[] = [
  [[], () => ({})],
  [[], (parts) => ({ config: { ...parts.config, history: [line, { ...line, empty_layer: true }, line] } })],
  [[], both("os.features", ["win32k"])],
  [[], config({ config: { ArgsEscaped: true, Cmd: ['cmd /S /C echo "a b"'] } })],
  [[], config({ config: { ArgsEscaped: true, Cmd: ["cmd", "/S", "/C", "echo a"] } })],
  [[], layer({ mediaType: mediaTypes.dockerLayerGzip })],
  [[], layer({ mediaType: foreignType, urls: ["https://example.com/x"] })],
  [["diff-id"], config({ rootfs: { type: "layers", diff_ids: [digestOf(tars[0] as Buffer), other] } })],
  [["layer-missing"], layer({ digest: other })],
  [["layer-foreign"], layer({ digest: other, mediaType: foreignType, urls: ["https://example.com/x"] })],
  [["layer-count"], config({ rootfs: { type: "layers", diff_ids: [digestOf(tars[0] as Buffer)] } })],
  [["history-count"], config({ history: [line, line, line] })],
  [["history-short"], config({ history: [line] })],
  [["media-type"], layer({ mediaType: "application/x-tar" })],
  [["compression-type"], layer({ mediaType: mediaTypes.ociLayer })],
  [["compression-type", "media-zstd"], layer({ mediaType: mediaTypes.ociLayerZstd })],
  [["compression-type", "media-zstd"], layer({ mediaType: mediaTypes.dockerLayerZstd })],
  [["foreign-urls"], layer({ mediaType: foreignType })],
  [["config-os", "platform-os"], config({ os: "linux" })],
  [["config-architecture"], both("architecture", "riscv64")],
  [["config-os-version"], both("os.version", undefined)],
  [["config-os-version-form"], both("os.version", "10.0.20348")],
  [["config-os-version-form"], both("os.version", "2022")],
  [["config-os-features"], both("os.features", ["win64k"])],
  [["platform-os"], config({ architecture: "arm64" })],
  [["platform-os-version"], config({ "os.version": "10.0.20348.1" })],
  [["platform-os-version"], (parts) => ({ platform: { ...parts.platform, "os.version": undefined } })],
  [["platform-os-features"], config({ "os.features": ["win32k"] })],
  [["args-escaped"], config({ config: { ArgsEscaped: true, Cmd: ["cmd", "/S", "/C", 'echo "a b"'] } })],
  [["args-escaped-alone"], config({ config: { ArgsEscaped: true } })],
];

async function reportOf(t: ExecutionContext, system: "windows" | "linux", change: Change) {
  const store = scratchStore(t);
  const contents = system === "windows" ? tars : [await plainTar([["a", "a"]]), await plainTar([["../b", "b"]])];
  const layers: Descriptor[] = [];
  for (const tar of contents) layers.push(await store.blobs.put(gzipSync(tar), { mediaType: mediaTypes.ociLayerGzip }));
  const platform = { os: system, architecture: "amd64", ...(system === "windows" ? { "os.version": version } : {}) };
  const whole: Parts = {
    config: { ...platform, config: {}, rootfs: { type: "layers", diff_ids: contents.map((tar) => digestOf(tar)) } },
    layers,
    platform,
  };
  const parts = { ...whole, ...change(whole) };
  const put = (value: unknown, mediaType: string) => store.blobs.put(Buffer.from(JSON.stringify(value)), { mediaType });
  const blob = await put(parts.config, mediaTypes.ociConfig);
  const manifest = await put({ schemaVersion: 2, config: blob, layers: parts.layers }, mediaTypes.ociManifest);
  const named = { ...manifest, platform: JSON.parse(JSON.stringify(parts.platform)) };
  store.refs.set("test.example/app:1", named, []);
  const image = await findImage(store, "test.example/app:1");
  return verifyImage(store, image, new AbortController().signal);
}

for (const [index, [wanted, change]] of rows.entries())
  test(`windows: ${wanted.join(", ") || "nothing is wrong"} (${index})`, async (t) => {
    const report = await reportOf(t, "windows", change);
    t.deepEqual([...new Set(report.findings.map(({ rule }) => rule))].sort(), [...wanted].sort());
    t.is(report.errors + report.warnings, report.findings.length);
  });

test("linux: digests, counts, types and platform are checked, no entries", async (t) => {
  const whole = await reportOf(t, "linux", () => ({}));
  t.deepEqual([whole.isWindows, whole.findings], [false, []]);
  const spoilt = await reportOf(t, "linux", (parts) => ({
    config: {
      ...parts.config,
      architecture: "arm64",
      rootfs: { type: "layers", diff_ids: [other, other] },
      history: [line],
    },
    layers: parts.layers.map((one) => ({ ...one, mediaType: mediaTypes.ociLayerZstd })),
  }));
  t.deepEqual(
    spoilt.findings.map(({ rule, layer: number }) => [rule, number]),
    [
      ["history-short", undefined],
      ["platform-os", undefined],
      ["compression-type", 1],
      ["compression-type", 2],
      ["diff-id", 1],
      ["diff-id", 2],
    ],
  );
});

test("every rule about images has a row", (t) => {
  const covered = new Set(rows.flatMap(([wanted]) => wanted));
  t.deepEqual(
    Object.keys(imageRules).filter((rule) => !covered.has(rule)),
    [],
  );
});

test("an abort ends the check", async (t) => {
  const store = scratchStore(t);
  const tar = tars[0] as Buffer;
  const blob = await store.blobs.put(tar, { mediaType: mediaTypes.ociLayer });
  const put = (value: unknown, mediaType: string) => store.blobs.put(Buffer.from(JSON.stringify(value)), { mediaType });
  const rootfs = { type: "layers", diff_ids: [digestOf(tar)] };
  const configBlob = await put({ os: "windows", architecture: "amd64", rootfs }, mediaTypes.ociConfig);
  const manifest = await put({ schemaVersion: 2, config: configBlob, layers: [blob] }, mediaTypes.ociManifest);
  store.refs.set("test.example/app:1", manifest, []);
  const image = await findImage(store, "test.example/app:1");
  await t.throwsAsync(verifyImage(store, image, AbortSignal.abort(new Error("enough"))), { message: "enough" });
});
