/** Caches of others: any bytes end in the room's own errors, or in records that can be used; ours come back as they went. */
import test from "ava";
import fc from "fast-check";
import { decodeConfig, decodeInline, encodeConfig, encodeInline, inlineMember } from "../../builder/cache/config.ts";
import { readDocument, writeDocument } from "../../builder/cache/document.ts";
import type { ResultRecord } from "../../builder/solve/cache.ts";
import { digestOf, isDigest } from "../../layerfs/store/digest.ts";
import { isWbuildError } from "../../native/error.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { holds } from "../doubles/holds.ts";

const digest = fc.string({ maxLength: 8 }).map((text) => digestOf(text));
const record: fc.Arbitrary<ResultRecord> = fc
  .record({
    op: digest,
    definition: digest,
    more: fc.array(digest, { maxLength: 2 }),
    tar: digest,
    createdMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  })
  .map(({ op, definition, more, tar, createdMs }) => ({
    op,
    definition,
    keys: [definition, ...more],
    layer: {
      blob: { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(tar), size: Number.parseInt(tar.slice(7, 15), 16) },
      diffId: tar,
    },
    createdMs,
  }));
const records = fc.uniqueArray(record, { maxLength: 8, selector: ({ definition }) => definition });

const hostile = fc.oneof(
  fc.anything(),
  fc.record(
    {
      layers: fc.oneof(
        fc.array(
          fc.record(
            {
              blob: fc.oneof(digest, fc.constant("sha256:../../x"), fc.anything()),
              parent: fc.anything(),
              annotations: fc.oneof(
                fc.record({
                  mediaType: fc.string(),
                  diffID: fc.oneof(digest, fc.string()),
                  size: fc.oneof(fc.integer(), fc.double()),
                }),
                fc.anything(),
              ),
            },
            { requiredKeys: [] },
          ),
        ),
        fc.anything(),
      ),
      records: fc.oneof(
        fc.array(
          fc.record(
            {
              digest: fc.oneof(digest, fc.anything()),
              layers: fc.oneof(
                fc.array(
                  fc.record({
                    layer: fc.oneof(fc.integer(), fc.anything()),
                    createdAt: fc.oneof(fc.string(), fc.constant("2026-01-01T00:00:00Z")),
                  }),
                ),
                fc.anything(),
              ),
              wbuild: fc.oneof(
                fc.record({
                  version: fc.constantFrom(1, 2),
                  op: fc.oneof(digest, fc.string()),
                  keys: fc.oneof(fc.array(digest), fc.anything()),
                }),
                fc.anything(),
              ),
            },
            { requiredKeys: [] },
          ),
        ),
        fc.anything(),
      ),
    },
    { requiredKeys: [] },
  ),
);

function usable(read: () => readonly Omit<ResultRecord, "remote">[]): boolean {
  try {
    return read().every(
      ({ op, definition, keys, layer, createdMs }) =>
        [op, definition, ...keys, layer.diffId, layer.blob.digest].every(isDigest) &&
        Number.isSafeInteger(layer.blob.size) &&
        layer.blob.size >= 0 &&
        Number.isSafeInteger(createdMs),
    );
  } catch (error) {
    return isWbuildError(error, "CACHE_CONFIG");
  }
}

test("any JSON and any bytes: errors of ours, or records that can be used", (t) => {
  const layers = [{ blob: { mediaType: "x", digest: digestOf("b"), size: 1 }, diffId: digestOf("d") }];
  fc.assert(
    fc.property(hostile, (value) => {
      const bytes = Buffer.from(JSON.stringify(value) ?? "");
      const list = Buffer.from(JSON.stringify((value as { records?: unknown } | null)?.records) ?? "");
      return usable(() => decodeConfig(bytes)) && usable(() => decodeInline(list.toString("base64"), layers));
    }),
  );
  holds(
    t,
    fc.property(
      fc.uint8Array(),
      fc.string(),
      (bytes, text) => usable(() => decodeConfig(bytes)) && usable(() => decodeInline(text, layers)),
    ),
  );
});

test("what is written is read again, whole, in any order, and as the same bytes", (t) => {
  fc.assert(
    fc.property(records, (all) => {
      const config = encodeConfig(all);
      t.deepEqual(config.bytes, encodeConfig([...all].reverse()).bytes);
      const read = new Map(decodeConfig(config.bytes).map((one) => [one.definition, one]));
      t.is(read.size, all.length);
      for (const one of all) t.deepEqual(read.get(one.definition), one);
    }),
  );
});

test("an inline cache means the image's own layers, whatever compression they came in", (t) => {
  fc.assert(
    fc.property(records, fc.infiniteStream(fc.boolean()), (all, coins) => {
      const inImage = all.filter(() => coins.next().value);
      const layers = [...new Map(inImage.map(({ layer }) => [layer.diffId, layer])).values()].map(({ diffId }) => ({
        diffId,
        blob: { mediaType: mediaTypes.ociLayerZstd, digest: digestOf(`zstd ${diffId}`), size: 7 },
      }));
      const read = decodeInline(encodeInline(all, layers), layers);
      const known = new Set<string>(layers.map(({ diffId }) => diffId));
      t.deepEqual(
        read.map(({ definition }) => definition).sort(),
        all
          .filter(({ layer }) => known.has(layer.diffId))
          .map(({ definition }) => definition)
          .sort(),
      );
      for (const { layer } of read) t.is(layer.blob.digest, digestOf(`zstd ${layer.diffId}`));
    }),
  );
});

test("documents: hostile ones end in our errors", async (t) => {
  const type = fc.constantFrom(...Object.values(mediaTypes));
  await holds(
    t,
    fc.asyncProperty(hostile, type, fc.anything(), async (value, mediaType, config) => {
      const manifest = { schemaVersion: 2, mediaType, config, layers: [], ...(value as object) };
      const reader = {
        manifest: async () => ({ bytes: Buffer.from(JSON.stringify(manifest)), mediaType }),
        blob: async () => Buffer.from(JSON.stringify(value) ?? ""),
      };
      try {
        await readDocument(await reader.manifest(), reader);
        return true;
      } catch (error) {
        return isWbuildError(error) && /^(CACHE_CONFIG|REG_MANIFEST|REG_CONFIG|IMG_LAYERS)$/.test(error.code);
      }
    }),
  );
});

test("BuildKit's records are none of ours, and that is no error", async (t) => {
  const [blob, key] = [digestOf("blob"), digestOf("key")];
  const config = Buffer.from(
    JSON.stringify({
      layers: [{ blob, parent: -1 }],
      records: [
        {
          digest: key,
          inputs: [[{ link: 1, selector: "/x" }]],
          layers: [{ layer: 0, createdAt: "2026-01-01T00:00:00.1234567Z" }],
        },
        { digest: key, layers: [{ layer: 0 }], chains: [{ layers: [0], createdAt: "0001-01-01T00:00:00Z" }] },
      ],
    }),
  );
  t.deepEqual(decodeConfig(config), []);
  const { bytes, mediaType } = writeDocument(config, [], { imageManifest: true, ociMediaTypes: true });
  const reader = { manifest: async () => t.fail() as never, blob: async () => config };
  t.deepEqual(await readDocument({ bytes, mediaType }, reader), { records: [], isForeign: true });
  t.is(inlineMember, "moby.buildkit.cache.v0");
});

test("a result that others' readers of images would refuse is left out", (t) => {
  const name = digestOf("a");
  const decoded = (mediaType: string, createdAt: string) => {
    const layers = [{ blob: name, annotations: { mediaType, diffID: name, size: 1 } }];
    const result = { layer: 0, createdAt };
    const records = [{ digest: name, layers: [result], wbuild: { version: 1, op: name, keys: [name] } }];
    return decodeConfig(Buffer.from(JSON.stringify({ layers, records }))).length;
  };
  t.is(decoded(mediaTypes.ociLayerGzip, "2026-01-01T00:00:00.000Z"), 1);
  t.is(decoded("../../x\u001b[2J", "2026-01-01T00:00:00.000Z"), 0);
  t.is(decoded(mediaTypes.ociLayerGzip, "+275760-09-13T00:00:00.000Z"), 0);
  t.is(decoded(mediaTypes.ociLayerGzip, "-000001-01-01T00:00:00.000Z"), 0);
});
