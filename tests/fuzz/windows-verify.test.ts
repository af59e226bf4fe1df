/** Layers for Windows come from anywhere: any bytes give findings, never a foreign error, and each is told in plain text. */
import { gzipSync } from "node:zlib";
import test from "ava";
import fc from "fast-check";
import { TarGuard } from "../../layerfs/layer/tar-guard.ts";
import { checkLayerHive } from "../../layerfs/windows/verify/hive-check.ts";
import { rules } from "../../layerfs/windows/verify/rules.ts";
import { tarEntries } from "../../layerfs/windows/verify/tar-entries.ts";
import { isWbuildError } from "../../native/error.ts";
import { holds } from "../doubles/holds.ts";
import { inPieces } from "../layerfs/layer/workbench.ts";
import { baseLayer, baseWithVm, childLayer, hives, tarsOf, verify } from "../layerfs/windows/verify-workbench.ts";

const [base, vm, child] = tarsOf(baseLayer(), baseWithVm(), childLayer()) as [Buffer, Buffer, Buffer];
const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 });

function spoilt(bytes: Buffer, changes: readonly (readonly [number, number])[], cut: number, isCut: boolean): Buffer {
  const out = Buffer.from(bytes);
  for (const [at, value] of changes) out[at % out.length] = value;
  return isCut ? out.subarray(0, cut % out.length) : out;
}

/** Headers again, so that changes of fields pass the guard. */
function withChecksums(tar: Buffer): Buffer {
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    if (tar.toString("latin1", at + 257, at + 262) !== "ustar") continue;
    tar.fill(0x20, at + 148, at + 156);
    let sum = 0;
    for (let i = 0; i < 512; i++) sum += tar[at + i] ?? 0;
    tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, "latin1");
  }
  return tar;
}

test("any bytes as layers give findings of known rules", async (t) => {
  const layer = fc
    .tuple(fc.constantFrom(base, vm, child), edits, fc.nat(), fc.boolean(), fc.boolean(), fc.boolean())
    .map(([tar, changes, cut, isCut, isRight, isGzip]) => {
      const bytes = spoilt(tar, changes, cut, isCut && cut % 3 === 0);
      const layer = isRight ? withChecksums(bytes) : bytes;
      return isGzip ? gzipSync(layer, { level: 1 }) : layer;
    });
  const rubbish = fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof({ weight: 9, arbitrary: layer }, rubbish), { maxLength: 3 }), async (layers) => {
      const findings = await verify(layers, { tar: { maxBytes: 8 << 20, maxEntries: 500 }, pathBytes: 1 << 20 });
      for (const { rule, layer: number, what } of findings.list()) {
        t.true(rule in rules && typeof number === "number" && what.length > 3, JSON.stringify({ rule, number, what }));
      }
    }),
    { numRuns: 400 },
  );
});

test("any bytes as hives give findings", (t) => {
  const roles = fc.constantFrom(
    { kind: "base", hive: "SAM" } as const,
    { kind: "delta", hive: "System" } as const,
    { kind: "bcd" } as const,
  );
  holds(
    t,
    fc.property(fc.constantFrom(...Object.values(hives)), edits, fc.nat(), fc.boolean(), roles, (hive, ...rest) => {
      const [changes, cut, isCut, role] = rest;
      const bytes = hive.length === 0 ? hive : spoilt(hive, changes, cut, isCut);
      checkLayerHive(bytes, role, (rule) => t.true(rule in rules));
    }),
    { numRuns: 3000 },
  );
});

test("entries are those that the guard lets pass, in however small pieces they come", async (t) => {
  const entriesOf = async (tar: Buffer, step: number) => {
    const found: unknown[] = [];
    try {
      for await (const { entry, content } of tarEntries(inPieces(tar, step), {
        limits: { maxBytes: 8 << 20, maxEntries: 500 },
        keep: ({ size }) => size < 100,
      }))
        found.push([entry.name, entry.type, entry.size, entry.link, [...entry.pax.keys()], content?.toString("hex")]);
    } catch (error) {
      if (!isWbuildError(error)) throw error;
      found.push(error.code);
    }
    return found;
  };
  const passes = async (tar: Buffer) => {
    const guard = new TarGuard({ maxBytes: 8 << 20, maxEntries: 500 });
    try {
      for await (const _ of guard.pass(inPieces(tar)));
      return true;
    } catch {
      return false;
    }
  };
  await fc.assert(
    fc.asyncProperty(
      edits,
      fc.nat(),
      fc.boolean(),
      fc.integer({ min: 1, max: 700 }),
      async (changes, cut, isCut, step) => {
        const tar = withChecksums(spoilt(child, changes, cut, isCut));
        const whole = await entriesOf(tar, tar.length + 1);
        t.deepEqual(await entriesOf(tar, step), whole);
        t.is(typeof whole.at(-1) !== "string", await passes(tar));
      },
    ),
    { numRuns: 60 },
  );
});
