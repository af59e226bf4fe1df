/** Random and spoilt tars through both readers and the unpacker; run by tar.test.ts here and in a child with ASAN. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { decodeIndex } from "../../layerfs/layer/layer-index.ts";
import { readTar } from "../../layerfs/layer/read.ts";
import { unpackLayer } from "../../layerfs/layer/unpack.ts";
import { isWbuildError } from "../../native/error.ts";
import { checkOrder, inPieces, type Member, member, tarOf } from "../layerfs/layer/workbench.ts";

const limits = { maxBytes: 8 << 20, maxEntries: 1000 };
const name = fc.constantFrom(
  "a",
  "b",
  "a/b",
  "a/b/c",
  "./a",
  "a/",
  "..",
  "../x",
  "/a",
  "a/../b",
  ".",
  "",
  ".wh.a",
  ".wh..wh..opq",
  "a/.wh..wh..opq",
  ".wh...",
  "\xff",
  "a//b",
  "x".repeat(100),
);
const field = fc.constantFrom(
  undefined,
  "7777777\0",
  "-1",
  "",
  "\x80\0\0\0\0\0\0\x01",
  "\xff\xff\xff\xff\xff\xff\xff\xff",
  "0000644 ",
);
const pax = fc.dictionary(
  fc.constantFrom("path", "linkpath", "size", "mtime", "uid", "SCHILY.xattr.user.x", "GNU.sparse.major", "hdrcharset"),
  fc.constantFrom("a", "../x", "1", "-1.5", "99999999999", "", "b/c", "x".repeat(300)),
  { maxKeys: 3 },
);
const one: fc.Arbitrary<Member> = fc.record(
  {
    name,
    type: fc.constantFrom("0", "\0", "1", "2", "3", "4", "5", "6", "7", "x", "g", "L", "K", "S", "Z"),
    link: name,
    body: fc.string({ maxLength: 1500 }),
    size: fc.constantFrom<Member["size"]>(
      undefined,
      undefined,
      undefined,
      undefined,
      0,
      5,
      100_000,
      "zzz",
      Buffer.alloc(12, 0xff),
    ),
    mode: field,
    uid: field,
    mtime: fc.constantFrom(undefined, "77777777777\0", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"),
    major: field,
    minor: field,
    pax,
  },
  { requiredKeys: ["name", "type"] },
) as fc.Arbitrary<Member>;

const made = fc
  .array(one, { maxLength: 12 })
  .map((members) => tarOf(...members.map((each) => member(dropEmpty(each)))));
/** A byte here and there is another, or the end is missing. */
const spoilt = fc
  .tuple(made, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat(), fc.boolean())
  .map(([tar, changes, cut, isCut]) => {
    const out = Buffer.from(tar);
    for (const [at, value] of changes) out[at % out.length] = value;
    return isCut ? out.subarray(0, cut % out.length) : out;
  });

function dropEmpty(from: Member): Member {
  const entries = Object.entries(from).filter(
    ([key, value]) => value !== undefined && !(key === "pax" && Object.keys(value as object).length === 0),
  );
  return Object.fromEntries(entries) as Member;
}

/** Throws only for what must never happen: a foreign error, a file outside, an index out of order. */
export async function exercise(numRuns: number, seed?: number): Promise<void> {
  const top = mkdtempSync(join(tmpdir(), "wbuild-fuzz-"));
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(made, spoilt),
        fc.integer({ min: 1, max: 3000 }),
        fc.boolean(),
        async (tar, step, plain) => {
          const folder = join(top, "in");
          const out = join(folder, "out");
          rmSync(folder, { recursive: true, force: true });
          mkdirSync(out, { recursive: true });
          const unpacked = await attempt(async () => {
            const { index } = await unpackLayer({ bytes: inPieces(tar, step) }, out, {
              form: plain ? "plain" : "overlay",
              limits,
              fileDigests: true,
            });
            const changes = decodeIndex(index);
            checkOrder(changes);
            return changes.length;
          });
          if (readdirSync(folder).length !== 1 || readdirSync(top).length !== 1)
            throw new Error("something is outside");
          const read = await attempt(async () => {
            let count = 0;
            for await (const entry of readTar(inPieces(tar, step), limits)) {
              count++;
              if (entry.content?.kind === "stream" && count % 2) {
                let size = 0;
                for await (const part of entry.content.open()) size += part.length;
                if (size !== entry.size) throw new Error("content of another size than told");
              }
            }
            return count;
          });
          // What may be unpacked can be read; the other way round not, for a layer must also make sense on disk.
          if (unpacked !== undefined && read === undefined) throw new Error("unpacked, but not readable");
          await attempt(() => unpackLayer({ bytes: inPieces(gzipSync(tar), step) }, out, { form: "plain", limits }));
        },
      ),
      { numRuns, ...(seed === undefined ? {} : { seed }) },
    );
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isWbuildError(error)) throw error;
    if (!error.code.startsWith("LAYER_") || error.code === "LAYER_ORDER") throw error;
    return undefined;
  }
}

if (process.argv[1]?.endsWith("tar-exercise.ts")) {
  await exercise(Number(process.argv[2]), process.argv[3] === undefined ? undefined : Number(process.argv[3]));
}
