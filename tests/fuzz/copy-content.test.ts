/** What a manifest of any kind names: descriptors whose digests hold, or a refusal by name; never a walk without end. */
import test from "ava";
import fc from "fast-check";
import { digestOf, isDigest } from "../../layerfs/store/digest.ts";
import { isWbuildError } from "../../native/error.ts";
import { contentOf } from "../../registry/copy/content.ts";
import { copyImage } from "../../registry/copy/copy.ts";
import { storeSource, storeTarget } from "../../registry/copy/stored.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { holds } from "../doubles/holds.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";

const type = fc.oneof(
  fc.constantFrom(...Object.values(mediaTypes), "application/vnd.oci.artifact.manifest.v1+json", "text/plain"),
  fc.string({ minLength: 1 }),
);
const descriptor = fc.record(
  {
    mediaType: type,
    digest: fc.oneof(
      fc.string().map((text) => digestOf(text) as string),
      fc.string(),
    ),
    size: fc.oneof(fc.nat(), fc.anything()),
    platform: fc.anything(),
  },
  { requiredKeys: ["mediaType", "digest", "size"] },
);
const list = fc.oneof(
  { weight: 5, arbitrary: fc.array(descriptor, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.anything() },
);
const document = fc.record(
  {
    schemaVersion: fc.constant(2),
    config: descriptor,
    layers: list,
    blobs: list,
    manifests: list,
    subject: fc.anything(),
  },
  { requiredKeys: ["schemaVersion"] },
);
const bytes = document.map((value) => {
  try {
    return Buffer.from(JSON.stringify(value, (_key, each) => (typeof each === "bigint" ? String(each) : each)) ?? "");
  } catch {
    return Buffer.from("{}");
  }
});

test("any document names what can be named, or is refused", (t) => {
  holds(
    t,
    fc.property(bytes, type, (raw, mediaType) => {
      try {
        const { manifests, blobs } = contentOf({ bytes: raw, mediaType });
        for (const { digest, size } of [...manifests, ...blobs])
          if (!isDigest(digest) || !(size >= 0)) throw new Error(digest);
      } catch (error) {
        if (!isWbuildError(error, "REG_MANIFEST")) throw error;
      }
    }),
  );
});

test("a copy of any document ends with the document or with an error of ours", async (t) => {
  await holds(
    t,
    fc.asyncProperty(bytes, type, async (raw, mediaType) => {
      const ours = new MemoryBlobs();
      const named = await ours.put(raw, { mediaType });
      const there = new MemoryBlobs();
      let isNamed = false;
      const target = storeTarget(there, "store:x", () => {
        isNamed = true;
      });
      try {
        await copyImage(storeSource(ours, "store:x", named), target);
        if (!isNamed || !there.content.has(named.digest)) throw new Error("it said that it was copied");
      } catch (error) {
        if (!isWbuildError(error)) throw error;
        if (isNamed) throw new Error("a name for what is not whole");
      }
    }),
    { numRuns: 200 },
  );
});
