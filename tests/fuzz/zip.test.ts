/** Zip archives with bytes changed, cut or put in: each ends in its content or an error of ours. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { zipContent, zipEntries } from "../../builder/tools/zip.ts";
import { isWbuildError } from "../../native/error.ts";
import { zipOf } from "../doubles/zip.ts";
import { isFuzzing } from "../seed.ts";

const numRuns = isFuzzing ? 20_000 : 400;
const members = [
  { name: "a.txt", content: "hello" },
  { name: "folder/" },
  { name: "folder/b.bin", content: "b".repeat(500), deflate: true },
];
const archives = [zipOf(members), zipOf(members, { wide: true }), zipOf(members, { comment: "c".repeat(50) })];

/** Sizes and counts stand at the end: edits there are worth more than those in the middle. */
const edit = fc.tuple(
  fc.oneof(fc.nat(600), fc.integer({ min: -120, max: -1 })),
  fc.oneof(fc.nat(255), fc.constant(255)),
);

test("zip: reading ends, and gives no more than the archive says", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-fuzz-zip-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "x.zip");
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...archives),
      fc.array(edit, { maxLength: 6 }),
      fc.option(fc.nat(600)),
      async (archive, edits, length) => {
        const bytes = Buffer.from(archive.subarray(0, length ?? archive.length));
        for (const [at, value] of edits) {
          const index = at < 0 ? bytes.length + at : at;
          if (index >= 0 && index < bytes.length) bytes[index] = value;
        }
        writeFileSync(path, bytes);
        await using file = await open(path, "r");
        try {
          const entries = await zipEntries(file);
          t.true(entries.length * 46 <= bytes.length);
          for (const entry of entries) {
            let size = 0;
            try {
              for await (const part of zipContent(file, entry)) size += part.length;
              t.is(size, entry.size);
            } catch (error) {
              if (!isWbuildError(error)) throw error;
            }
          }
        } catch (error) {
          if (!isWbuildError(error)) throw error;
        }
      },
    ),
    { numRuns },
  );
});
