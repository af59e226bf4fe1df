import { execFileSync } from "node:child_process";
import test from "ava";
import { compressStream, decompressStream, detectCompression } from "../../../layerfs/layer/compress.ts";
import { checkLevel, compressionOf, layerMediaType } from "../../../layerfs/layer/compression.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { inPieces } from "./workbench.ts";

const text = Buffer.alloc(700_000, "the same words over and over, ");

async function gather(from: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of from) parts.push(part);
  return Buffer.concat(parts);
}
const tool = (name: string, ...args: string[]) => execFileSync(name, args, { input: text, maxBuffer: 1 << 26 });
const twice = (bytes: Buffer) => Buffer.concat([bytes, bytes]);

const rows: [title: string, kind: string, bytes: Buffer, plain: Buffer][] = [
  ["gzip", "gzip", tool("gzip", "-c"), text],
  ["gzip of two members", "gzip", twice(tool("gzip", "-c")), twice(text)],
  ["zstd", "zstd", tool("zstd", "-c"), text],
  ["zstd of two frames", "zstd", twice(tool("zstd", "-c")), twice(text)],
  [
    "zstd behind a skippable frame",
    "zstd",
    Buffer.concat([Buffer.from("502a4d1804000000aaaaaaaa", "hex"), tool("zstd", "-c")]),
    text,
  ],
  ["xz", "xz", tool("xz", "-c"), text],
  ["bzip2", "bzip2", tool("bzip2", "-c"), text],
  ["plain bytes", "none", text, text],
  ["fewer bytes than any magic has", "none", Buffer.from("ab"), Buffer.from("ab")],
  ["nothing", "none", Buffer.alloc(0), Buffer.alloc(0)],
];
for (const [title, kind, bytes, plain] of rows) {
  test(`decompress: ${title}, in pieces of any size`, async (t) => {
    t.is(detectCompression(bytes), kind as "none");
    for (const size of [3, 1000, 1 << 20])
      t.is(digestOf(await gather(decompressStream(inPieces(bytes, size)))), digestOf(plain));
  });
}

for (const [title, , bytes] of rows.slice(0, 7)) {
  test(`decompress: ${title} that ends too early or is too long`, async (t) => {
    const cut = bytes.subarray(0, bytes.length - 9);
    await t.throwsAsync(gather(decompressStream(inPieces(cut))), { code: "LAYER_TRUNCATED" });
    await t.throwsAsync(gather(decompressStream(inPieces(bytes), { maxBytes: 600_000 })), { code: "LAYER_BOMB" });
  });
}

const damaged: [kind: string, bytes: Buffer][] = [
  ["gzip", Buffer.concat([tool("gzip", "-c").subarray(0, 10), Buffer.alloc(200, 0xff)])],
  ["zstd", Buffer.concat([tool("zstd", "-c").subarray(0, 4), Buffer.alloc(200, 0xff)])],
  ["xz", Buffer.concat([tool("xz", "-c").subarray(0, 12), Buffer.alloc(3000, 0xff)])],
  ["bzip2", Buffer.concat([tool("bzip2", "-c").subarray(0, 4), Buffer.alloc(200, 0xff)])],
];
for (const [kind, bytes] of damaged) {
  test(`decompress: damaged ${kind}`, async (t) => {
    await t.throwsAsync(gather(decompressStream(inPieces(bytes))), {
      code: "LAYER_COMPRESSION",
      message: `the ${kind} data is damaged`,
    });
  });
}

test("decompress: a bomb is met piece by piece, and who stops early leaves nothing running", async (t) => {
  const zeros = execFileSync("sh", ["-c", "head -c 2000000000 /dev/zero | zstd -c"]);
  const before = process.memoryUsage().rss;
  let size = 0;
  for await (const piece of decompressStream(inPieces(zeros, 1 << 20))) {
    size += piece.length;
    if (size > 300_000_000) break;
  }
  t.true(process.memoryUsage().rss - before < 100 << 20);
  for (const name of ["xz", "gzip"])
    for await (const piece of decompressStream(inPieces(tool(name, "-c"), 100))) if (piece.length > 0) break;
});

test("decompress: a failing source passes its own error on", async (t) => {
  for (const name of ["gzip", "zstd", "xz"]) {
    const broken = (async function* () {
      yield tool(name, "-c").subarray(0, 50);
      throw new Error("the network is gone");
    })();
    await t.throwsAsync(gather(decompressStream(broken)), { message: "the network is gone" }, name);
  }
});

test.serial("decompress: a missing xz is told with what to install", async (t) => {
  const bytes = tool("xz", "-c");
  const path = process.env.PATH;
  process.env.PATH = "/nowhere";
  try {
    const error = await t.throwsAsync(gather(decompressStream(inPieces(bytes))), { code: "LAYER_NO_XZ" });
    t.regex((error as unknown as { hint: string }).hint, /xz-utils/);
  } finally {
    process.env.PATH = path;
  }
});

for (const compression of ["gzip", "zstd", "none"] as const) {
  test(`compress: ${compression} can be read by its own tool`, async (t) => {
    const bytes = await gather(compressStream(inPieces(text, 50_000), compression));
    const plain =
      compression === "none" ? bytes : execFileSync(compression, ["-dc"], { input: bytes, maxBuffer: 1 << 26 });
    t.is(digestOf(plain), digestOf(text));
  });
}

test("media types: both ways, foreign layers too", (t) => {
  t.is(layerMediaType("zstd", "oci"), "application/vnd.oci.image.layer.v1.tar+zstd");
  t.is(compressionOf("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"), "gzip");
  t.is(compressionOf("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), "gzip");
  t.is(compressionOf("application/vnd.docker.image.rootfs.diff.tar"), "none");
  t.is(compressionOf("application/json"), undefined);
  t.throws(() => layerMediaType("zstd", "docker"), { code: "LAYER_COMPRESSION" });
  t.throws(() => checkLevel("zstd", 20), { code: "LAYER_COMPRESSION" });
  t.throws(() => checkLevel("none", 1), { code: "LAYER_COMPRESSION" });
});
