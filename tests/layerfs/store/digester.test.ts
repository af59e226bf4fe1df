import { createHash, randomBytes } from "node:crypto";
import test from "ava";
import { openDigester } from "../../../layerfs/store/digester.ts";

for (const [expected, size] of [
  [10, 10],
  [100, 0],
  [0, 3_000_000],
  [2_000_000, 2_000_000],
  [2_000_000, 5],
] as const)
  test(`digester: the digest of ${size} bytes where ${expected} were expected`, async (t) => {
    const bytes = randomBytes(size);
    await using digester = openDigester(expected);
    for (let at = 0; at < size; at += 60_000) await digester.update(bytes.subarray(at, at + 60_000));
    t.is(await digester.digest(), `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
  });

test("digester: it can be left before its end", async (t) => {
  for (const size of [10, 2_000_000]) {
    await using digester = openDigester(size);
    await digester.update(randomBytes(10));
  }
  t.pass();
});
