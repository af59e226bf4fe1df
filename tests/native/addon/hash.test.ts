/** Digests and random names of the addon, held against Node's. */
import { createHash } from "node:crypto";
import test from "ava";
import { Hash, hashBytes, randomHex } from "../../../native/addon/hash.ts";

const sizes = [0, 1, 55, 56, 63, 64, 65, 119, 128, 1000, 300_001];
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const some = (size: number) => Buffer.from(Array.from({ length: size }, (_, at) => (at * 31) % 251));

for (const size of sizes)
  test(`${size} bytes, at once and in parts`, (t) => {
    // Behind the start of their memory: a view's offset counts.
    const bytes = some(size + 3).subarray(3);
    t.is(hashBytes(bytes), sha256(bytes));
    for (const part of [1, 7, 64, 100_000].filter((part) => size / part < 5000)) {
      const hash = new Hash();
      for (let at = 0; at < size; at += part) hash.update(bytes.subarray(at, at + part));
      t.is(hash.digest(), sha256(bytes));
    }
  });

test("the bytes are the caller's again at once", (t) => {
  const hash = new Hash();
  const bytes = some(10);
  hash.update(bytes);
  bytes.fill(0);
  t.is(hash.digest(), sha256(some(10)));
});

test("nothing comes after the digest", (t) => {
  const hash = new Hash();
  hash.digest();
  t.throws(() => hash.update(some(1)), { message: "a hash is asked once" });
  t.throws(() => hash.digest(), { message: "a hash is asked once" });
});

test("random digits: as many as asked, and others each time", (t) => {
  for (const bytes of [0, 1, 8, 64]) t.regex(randomHex(bytes), new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
  t.is(new Set(Array.from({ length: 100 }, () => randomHex(8))).size, 100);
});
