/** Lists of images to sync: any text is a list within bounds, or is refused by name; a rule answers for any tag. */
import test from "ava";
import fc from "fast-check";
import { isWbuildError } from "../../native/error.ts";
import { parseSyncFile } from "../../registry/sync/file.ts";
import { parseRange } from "../../registry/sync/semver.ts";
import { holds } from "../doubles/holds.ts";

const word = fc.oneof(
  fc.string(),
  fc.constantFrom("alpine", "a/b", "1.0", "latest", "^1", ">=1 <2", "[", "true", "__proto__"),
);
const registry = fc.record(
  {
    images: fc.oneof(fc.dictionary(word, fc.oneof(fc.array(word), fc.constant(null))), fc.anything()),
    "images-by-tag-regex": fc.oneof(fc.dictionary(word, word), fc.anything()),
    "images-by-semver": fc.oneof(fc.dictionary(word, word), fc.anything()),
    credentials: fc.oneof(fc.record({ username: word, password: word }), fc.anything()),
    "tls-verify": fc.oneof(fc.boolean(), fc.anything()),
  },
  { requiredKeys: [] },
);
const file = fc.oneof(
  fc
    .dictionary(fc.oneof(word, fc.constantFrom("r.example", "localhost:5000")), fc.oneof(registry, fc.anything()))
    .map(safeJson),
  fc.string(),
  fc
    .array(fc.constantFrom("a", ":", " ", "\n", "-", "[", "]", "{", "}", "&a", "*a", "'", '"', "|", "!!", "#", "\t"))
    .map((all) => all.join("")),
);

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value, (_key, each) => (typeof each === "bigint" ? String(each) : each)) ?? "";
  } catch {
    return "";
  }
}

test("any text is a list or is refused by name", async (t) => {
  await holds(
    t,
    fc.asyncProperty(file, word, async (text, tag) => {
      try {
        for (const { images } of await parseSyncFile(text)) for (const { rule } of images) rule?.(tag);
      } catch (error) {
        if (!isWbuildError(error, "REG_SYNC_FILE") && !isWbuildError(error, "REG_REFERENCE")) throw error;
      }
    }),
    { numRuns: 300 },
  );
});

test("any text is a range or none, and answers for any tag", (t) => {
  const text = fc.oneof(
    word,
    fc
      .array(fc.constantFrom("1", "2.3", "x", "*", ">", "<=", "~", "^", " ", ",", "||", " - ", "-rc.1"))
      .map((all) => all.join("")),
  );
  holds(
    t,
    fc.property(text, word, (range, tag) => parseRange(range)?.(tag) !== null),
  );
});
