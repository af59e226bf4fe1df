/** Manifests, indexes, configurations and archives: any bytes end in the room's own errors or in values within bounds. */
import test from "ava";
import fc from "fast-check";
import { digestOf } from "../../layerfs/store/digest.ts";
import { isWbuildError } from "../../native/error.ts";
import { loadArchive } from "../../registry/archive/load.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { mediaTypeOf, parseConfig, parseIndex, parseManifest } from "../../registry/oci/schema.ts";
import { holds } from "../doubles/holds.ts";
import { makeImage, tarOf } from "../doubles/images.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";

const isOurs = (error: unknown) =>
  isWbuildError(error) && /^(REG|STORE)_/.test(error.code) && !/undefined|\[object/.test(error.message);

const digest = fc.oneof(
  fc.string().map((text) => digestOf(text) as string),
  fc.string(),
  fc.constant("sha256:.."),
);
const descriptor = fc.record(
  {
    mediaType: fc.oneof(fc.constantFrom(...Object.values(mediaTypes)), fc.anything()),
    digest,
    size: fc.oneof(fc.nat(), fc.double(), fc.anything()),
    urls: fc.oneof(fc.array(fc.string()), fc.constant(null)),
    platform: fc.anything(),
  },
  { requiredKeys: [] },
);
const document = fc.record(
  {
    schemaVersion: fc.constantFrom(1, 2, "2", null),
    mediaType: fc.oneof(fc.constantFrom(...Object.values(mediaTypes)), fc.anything()),
    config: descriptor,
    layers: fc.oneof(fc.array(descriptor), fc.anything()),
    manifests: fc.oneof(fc.array(descriptor), fc.anything()),
    annotations: fc.anything(),
    os: fc.oneof(fc.string(), fc.anything()),
    architecture: fc.string(),
    rootfs: fc.oneof(fc.record({ type: fc.constant("layers"), diff_ids: fc.array(digest) }), fc.anything()),
    history: fc.anything(),
    __proto__: fc.anything(),
  },
  { requiredKeys: [] },
);
const bytes = fc.oneof(
  { weight: 4, arbitrary: document.map((value) => Buffer.from(safeJson(value))) },
  { weight: 1, arbitrary: fc.json().map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)) },
);

test("any document is refused by name or has digests and sizes that hold", (t) => {
  const parsers: ((raw: Buffer) => { layers?: unknown; manifests?: unknown; rootfs?: unknown } | string)[] = [
    (raw) => parseManifest(raw, mediaTypes.ociManifest),
    (raw) => parseIndex(raw, mediaTypes.ociIndex),
    (raw) => parseConfig(raw),
    (raw) => mediaTypeOf(raw),
  ];
  holds(
    t,
    fc.property(bytes, (raw) => {
      for (const parse of parsers)
        try {
          const parsed = parse(raw);
          if (typeof parsed === "string") continue;
          const listed = [parsed.layers ?? [], parsed.manifests ?? []].flat() as { digest: string; size: number }[];
          for (const { digest: name, size } of "os" in parsed ? [] : listed)
            if (!/^sha256:[0-9a-f]{64}$/.test(name) || !Number.isSafeInteger(size) || size < 0) return false;
        } catch (error) {
          if (!isOurs(error)) throw error;
        }
      return true;
    }),
    { numRuns: 3000 },
  );
});

test("an archive with flipped, missing or added bytes is refused by name or is what it was", async (t) => {
  const blobs = new MemoryBlobs();
  const image = await makeImage(blobs);
  const index = { schemaVersion: 2, manifests: [image] };
  const files = [...blobs.content].map(([name, content]) => [`blobs/sha256/${name.slice(7)}`, content] as const);
  const tar = await tarOf([["oci-layout", "{}"], ...files, ["index.json", JSON.stringify(index)]]);
  const change = fc.record({
    at: fc.nat(tar.length - 1),
    byte: fc.nat(255),
    kind: fc.constantFrom("flip", "cut", "insert"),
  });
  await holds(
    t,
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      let spoiled = Buffer.from(tar);
      for (const { at, byte, kind } of changes) {
        if (kind === "flip") spoiled[at % spoiled.length] = byte;
        else if (kind === "cut") spoiled = spoiled.subarray(0, Math.max(1, at));
        else spoiled = Buffer.concat([spoiled.subarray(0, at), Buffer.from([byte]), spoiled.subarray(at)]);
      }
      const into = new MemoryBlobs();
      try {
        const loaded = await loadArchive({ stream: pieces(spoiled) }, into);
        // Whatever is taken in is complete and is what it is called.
        return loaded.every(({ descriptor: { digest: name } }) => into.content.has(name));
      } catch (error) {
        if (!isOurs(error)) throw error;
        return true;
      }
    }),
    { numRuns: 400 },
  );
});

test("an index.json and a manifest.json of any content are refused by name or name what is there", async (t) => {
  const name = fc.oneof(fc.constantFrom("l/layer.tar", "x.json", "../x", "blobs/sha256/x"), fc.string());
  const entry = fc.record({
    Config: name,
    RepoTags: fc.oneof(fc.array(fc.string()), fc.anything()),
    Layers: fc.array(name),
  });
  const list = fc.oneof(fc.array(entry), fc.anything());
  await holds(
    t,
    fc.asyncProperty(fc.option(document), fc.option(list), async (index, manifest) => {
      const files: [string, string | Buffer][] = [["l/layer.tar", "x"]];
      if (index !== null) files.push(["index.json", safeJson(index)]);
      if (manifest !== null) files.push(["manifest.json", safeJson(manifest)]);
      try {
        const loaded = await loadArchive({ stream: pieces(await tarOf(files)) }, new MemoryBlobs());
        return loaded.length === 0;
      } catch (error) {
        if (!isOurs(error)) throw error;
        return true;
      }
    }),
    { numRuns: 300 },
  );
});

async function* pieces(whole: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.length; at += 777) yield whole.subarray(at, at + 777);
}

/** fast-check makes values that JSON cannot say (bigint, symbol, cycles). */
function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? String(part) : part)) ?? "null";
  } catch {
    return "{}";
  }
}
