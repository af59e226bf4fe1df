import { createHash, randomBytes } from "node:crypto";
import test from "ava";
import { nativeSha256 } from "../../../native/addon/addon.ts";

for (const portable of [false, true]) {
  test(`sha256: ${portable ? "the portable function" : "the best function"} agrees with OpenSSL`, (t) => {
    for (const size of [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 129, 1000, 4096, 100_001]) {
      const bytes = randomBytes(size);
      const expected = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
      for (const step of [1, 7, 63, 64, 65, 1 << 20])
        t.is(nativeSha256(bytes, portable, step).digest, expected as `sha256:${string}`);
    }
    if (portable) t.is(nativeSha256(Buffer.alloc(1), true).kind, "portable");
  });
}
