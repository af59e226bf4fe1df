/** Manifests, indexes and configurations as they are found in the world, and those that lie. */
import test from "ava";
import { digestOf } from "../../layerfs/store/digest.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { mediaTypeOf, parseConfig, parseIndex, parseManifest } from "../../registry/oci/schema.ts";

const bytes = (json: unknown) => Buffer.from(typeof json === "string" ? json : JSON.stringify(json));
const blob = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf("x"), size: 1 };
const manifest = { schemaVersion: 2, config: { ...blob, mediaType: mediaTypes.ociConfig }, layers: [blob] };

test("fields that are not known stay, nulls are absent, Go's empty lists are lists", (t) => {
  const parsed = parseManifest(
    bytes({ ...manifest, layers: null, annotations: null, extra: { a: 1 } }),
    mediaTypes.ociManifest,
  );
  t.deepEqual(parsed.layers, []);
  t.false("annotations" in parsed);
  t.deepEqual((parsed as unknown as { extra: unknown }).extra, { a: 1 });
  t.is(parsed.mediaType, mediaTypes.ociManifest);
  const config = parseConfig(
    bytes({
      os: "linux",
      architecture: "amd64",
      config: {
        Cmd: null,
        Labels: null,
        Env: ["A=1"],
        ExposedPorts: { "80/tcp": {} },
        Healthcheck: { Test: ["NONE"] },
      },
      rootfs: { type: "layers" },
      container_config: {},
    }),
  );
  t.deepEqual(config.config, { Env: ["A=1"], ExposedPorts: { "80/tcp": {} }, Healthcheck: { Test: ["NONE"] } });
  t.deepEqual(config.rootfs.diff_ids, []);
});

test("a manifest without a name is known by its shape", (t) => {
  t.is(mediaTypeOf(bytes({ schemaVersion: 2, manifests: [] })), mediaTypes.ociIndex);
  t.is(mediaTypeOf(bytes(manifest)), mediaTypes.ociManifest);
  t.is(mediaTypeOf(bytes({ ...manifest, mediaType: mediaTypes.dockerManifest })), mediaTypes.dockerManifest);
});

const refused: [title: string, json: unknown, message: RegExp][] = [
  ["no JSON", "{", /is not valid JSON/],
  ["an array", "[]", /is not a JSON object/],
  ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), /is not valid JSON/],
  ["schema 1", { schemaVersion: 1 }, /schema 1/],
  ["another version", { ...manifest, schemaVersion: 3 }, /schemaVersion/],
  ["manifest and index in one (CVE-2021-41190)", { ...manifest, manifests: [] }, /members of another kind/],
  ["another name inside", { ...manifest, mediaType: mediaTypes.ociIndex }, /says that it is/],
  ["a digest that is a path", { ...manifest, config: { ...blob, digest: "sha256:../../etc" } }, /config\.digest/],
  ["a size below zero", { ...manifest, layers: [{ ...blob, size: -1 }] }, /layers\.0\.size/],
  ["a size that is no integer", { ...manifest, layers: [{ ...blob, size: 1.5 }] }, /layers\.0\.size/],
  ["layers in a hole", '{"schemaVersion":2,"config":{},"layers":[null]}', /malformed/],
  ["too many layers", { ...manifest, layers: Array(5000).fill(blob) }, /layers/],
  ["brackets without end", `{"a":${"[".repeat(100_000)}`, /nested more than 64 levels/],
  ["more than 4 MiB", `{"a":"${"x".repeat(4 << 20)}"}`, /more than the 4194304/],
];
for (const [title, json, message] of refused)
  test(`refused manifest: ${title}`, (t) => {
    const raw = json instanceof Uint8Array ? json : bytes(json);
    t.throws(() => parseManifest(raw, mediaTypes.ociManifest), { code: "REG_MANIFEST", message } as object);
  });

test("brackets inside strings are no depth; an index refuses a manifest's members", (t) => {
  t.notThrows(() => parseManifest(bytes({ ...manifest, x: '"[[[['.repeat(100) }), mediaTypes.ociManifest));
  t.throws(() => parseIndex(bytes(manifest), mediaTypes.ociIndex), { code: "REG_MANIFEST" } as object);
  t.throws(() => parseConfig(bytes({ os: "linux", rootfs: {} })), {
    code: "REG_CONFIG",
    message: /architecture/,
  } as object);
});
