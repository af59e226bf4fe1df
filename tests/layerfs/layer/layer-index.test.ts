import test from "ava";
import fc from "fast-check";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { decodeIndex } from "../../../layerfs/layer/layer-index.ts";
import { isWbuildError } from "../../../native/error.ts";
import { holds } from "../../doubles/holds.ts";
import { encodeIndex, set } from "./workbench.ts";

const full: Change[] = [
  set("", { type: "directory", mode: 0o755 }),
  { kind: "clear", path: "" },
  set("a", {
    mode: 0o4755,
    uid: 4294967294,
    gid: 65534,
    size: 2 ** 53 - 1,
    mtimeNs: 1_700_000_000_123_456_789n,
    pax: new Map([
      ["SCHILY.xattr.security.capability", Buffer.from([1, 0, 0, 2, 0, 255])],
      ["MSWINDOWS.rawsd", Buffer.from("AQAEgA==")],
    ]),
    digest: `sha256:${"0123456789abcdef".repeat(4)}`,
  }),
  set("b\udcff", { type: "symlink", target: "../\udcfe", mtimeNs: -1n }),
  set("c", { type: "hardlink", target: "a" }),
  set("d", { type: "block", device: { major: 4095, minor: 1048575 }, mtimeNs: -11_644_473_600_000_000_000n }),
  { kind: "delete", path: "gone" },
];

/** Buffers and Uint8Arrays of the same bytes alike. */
function shown(changes: readonly Change[]): string {
  return JSON.stringify(changes, (_, value) => {
    if (typeof value === "bigint") return `${value}n`;
    if (value instanceof Map) return [...value].map(([key, bytes]) => [key, Buffer.from(bytes).toString("hex")]).sort();
    return value;
  });
}

test("index: everything but contents comes back", (t) => {
  t.is(shown(decodeIndex(encodeIndex(full))), shown(full));
});

test("index: what is cut off or foreign is refused, never a crash", (t) => {
  const bytes = encodeIndex(full);
  t.throws(() => decodeIndex(Buffer.from("WBLI\u0002\u0000\u0000\u0000")), { code: "LAYER_INDEX" });
  for (let end = 0; end < bytes.length; end++) {
    try {
      t.true(decodeIndex(bytes.subarray(0, end)).length < full.length);
    } catch (error) {
      t.true(isWbuildError(error), String(error));
    }
  }
});

test("index: spoilt bytes are read or refused", (t) => {
  const bytes = Buffer.from(encodeIndex(full));
  holds(
    t,
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const spoilt = Buffer.from(bytes);
      spoilt[at] = (spoilt[at] ?? 0) ^ by;
      try {
        decodeIndex(spoilt);
      } catch (error) {
        if (!isWbuildError(error)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
