import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { decodeIndex } from "../../../layerfs/layer/layer-index.ts";
import { readLayer } from "../../../layerfs/layer/read.ts";
import { type LayerFormat, writeLayer } from "../../../layerfs/layer/write.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { blobBytes, bytes, folderStore, inPieces, scratch, set } from "./workbench.ts";

const plain: LayerFormat = { compression: "none", mediaTypes: "oci" };
const directory = (path: string) => set(path, { type: "directory", mode: 0o755 });

async function collect(blob: Uint8Array): Promise<Change[]> {
  const out: Change[] = [];
  for await (const change of readLayer(inPieces(blob, 700))) {
    if (change.kind !== "set" || change.entry.content?.kind !== "stream") {
      out.push(change);
      continue;
    }
    const parts: Uint8Array[] = [];
    for await (const part of change.entry.content.open()) parts.push(part);
    out.push({ kind: "set", entry: { ...change.entry, content: { kind: "bytes", bytes: Buffer.concat(parts) } } });
  }
  return out;
}

test("write: every type of entry, told by GNU tar and bsdtar", async (t) => {
  const top = await scratch(t);
  const store = folderStore(top);
  const long = `${"n".repeat(150)}/${"m".repeat(149)}`;
  const changes: Change[] = [
    directory("d"),
    set("d/file", { mode: 0o4755, uid: 1000, gid: 100, mtimeNs: 1_600_000_000_000_000_000n, ...bytes("hello") }),
    set("d/hard", { type: "hardlink", target: "d/file", mode: 0o4755, uid: 1000, gid: 100 }),
    set("d/null", { type: "character", mode: 0o666, device: { major: 1, minor: 3 } }),
    set("d/disk", { type: "block", mode: 0o660, device: { major: 8, minor: 65536 } }),
    set("d/pipe", { type: "fifo", mode: 0o600 }),
    set("d/soft", { type: "symlink", mode: 0o777, target: "../näher" }),
    set("näher", bytes("ü")),
    directory("n".repeat(150)),
    set(long, bytes("long")),
    set("s".repeat(90), { type: "symlink", target: "t".repeat(200), mode: 0o777 }),
  ];
  const { layer } = await writeLayer(changes, store, plain);
  const file = store.path(layer.blob.digest);
  t.is(digestOf(readFileSync(file)), layer.diffId);
  const list = execFileSync("tar", ["-tvf", file, "--numeric-owner", "--quoting-style=literal"], {
    env: { TZ: "UTC", LC_ALL: "C.UTF-8" },
  })
    .toString()
    .trim()
    .split("\n")
    .map((line) => line.replace(/ +/g, " "));
  t.deepEqual(list, [
    "drwxr-xr-x 0/0 0 1970-01-01 00:00 d/",
    "-rwsr-xr-x 1000/100 5 2020-09-13 12:26 d/file",
    "hrwsr-xr-x 1000/100 0 1970-01-01 00:00 d/hard link to d/file",
    "crw-rw-rw- 0/0 1,3 1970-01-01 00:00 d/null",
    "brw-rw---- 0/0 8,65536 1970-01-01 00:00 d/disk",
    "prw------- 0/0 0 1970-01-01 00:00 d/pipe",
    "lrwxrwxrwx 0/0 0 1970-01-01 00:00 d/soft -> ../näher",
    "-rw-r--r-- 0/0 2 1970-01-01 00:00 näher",
    `drwxr-xr-x 0/0 0 1970-01-01 00:00 ${"n".repeat(150)}/`,
    `-rw-r--r-- 0/0 4 1970-01-01 00:00 ${long}`,
    `lrwxrwxrwx 0/0 0 1970-01-01 00:00 ${"s".repeat(90)} -> ${"t".repeat(200)}`,
  ]);
  const names = execFileSync("bsdtar", ["-tf", file], { env: { LC_ALL: "C.UTF-8" } })
    .toString()
    .trim()
    .split("\n");
  t.deepEqual(
    names,
    list.map((line) => line.split(" ")[5] ?? "").map((name) => name),
  );
});

test("write: what readLayer gives is what was written", async (t) => {
  const store = folderStore(await scratch(t));
  const pax = new Map<string, Uint8Array>([
    ["SCHILY.xattr.security.capability", Buffer.from([1, 0, 0, 2, 0, 10, 255, 61])],
  ]);
  const changes: Change[] = [
    directory("a"),
    { kind: "clear", path: "a" },
    set("a/\udcff\udcfe", { mtimeNs: -1_500_000_000n, ...bytes("raw") }),
    set(`a/${"\udcff".repeat(240)}`, bytes("raw and long")),
    set("a/x", { uid: 4_000_000_000, gid: 2_097_152, mtimeNs: 1_234_567_890_123_456_700n, pax, ...bytes("1") }),
    { kind: "delete", path: "a/gone" },
    { kind: "delete", path: "top" },
    set("z", { type: "symlink", target: "\udcf0/../..", mode: 0o777 }),
  ];
  const { layer, index } = await writeLayer(changes, store, plain);
  const read = await collect(await blobBytes(store, layer.blob.digest));
  t.deepEqual(normal(read), normal(changes));
  t.deepEqual(normal(decodeIndex(index)), normal(changes.map(withoutContent)));
});

function withoutContent(change: Change): Change {
  if (change.kind !== "set") return change;
  const { content: _, ...entry } = change.entry;
  return { kind: "set", entry };
}

function normal(changes: readonly Change[]): unknown {
  return changes.map((change) =>
    change.kind !== "set"
      ? change
      : {
          ...change.entry,
          pax:
            change.entry.pax && [...change.entry.pax].map(([key, value]) => [key, Buffer.from(value).toString("hex")]),
          content:
            change.entry.content?.kind === "bytes"
              ? Buffer.from(change.entry.content.bytes).toString("hex")
              : undefined,
        },
  );
}

test("write: whiteouts are empty files of mode 0 and owner 0", async (t) => {
  const store = folderStore(await scratch(t));
  const { layer } = await writeLayer(
    [directory("a"), { kind: "clear", path: "a" }, { kind: "delete", path: "a/b" }],
    store,
    plain,
  );
  const list = execFileSync("tar", ["-tvf", store.path(layer.blob.digest), "--numeric-owner"], {
    env: { TZ: "UTC" },
  }).toString();
  t.regex(list, /^---------- 0\/0 +0 1970-01-01 00:00 a\/\.wh\.\.wh\.\.opq$/m);
  t.regex(list, /^---------- 0\/0 +0 1970-01-01 00:00 a\/\.wh\.b$/m);
});

for (const compression of ["zstd", "gzip", "none"] as const) {
  test(`write: ${compression} layers are the same bytes each time, and big files pass whole`, async (t) => {
    const top = await scratch(t);
    mkdirSync(join(top, "store"));
    const store = folderStore(join(top, "store"));
    const big = Buffer.alloc(5_300_000, "some words that repeat, and then again some words. ");
    const text = join(top, "big");
    writeFileSync(text, big);
    const changes: Change[] = [
      set("big", { size: big.length, content: { kind: "file", path: text } }),
      set("bytes", bytes(big.subarray(0, 1_500_000))),
      set("empty", { content: { kind: "file", path: "/dev/null" }, size: 0 }),
      set("stream", { size: big.length, content: { kind: "stream", open: () => inPieces(big, 300_001) } }),
    ].filter((change) => change.entry.path !== "empty");
    for (let i = 0; i < 500; i++) changes.push(set(`z${i}`, bytes(`file ${i}`.repeat(i))));
    const format = { compression, mediaTypes: "oci", fileDigests: true } as const;
    const first = await writeLayer(changes, store, format);
    const second = await writeLayer(
      (async function* () {
        yield* changes;
      })(),
      store,
      format,
    );
    t.deepEqual(first.layer, second.layer);
    const blob = await blobBytes(store, first.layer.blob.digest);
    t.is(digestOf(blob), first.layer.blob.digest);
    t.is(blob.length, first.layer.blob.size);
    const tar =
      compression === "none"
        ? blob
        : execFileSync(compression === "zstd" ? "zstd" : "gzip", ["-dc"], { input: blob, maxBuffer: 1 << 28 });
    t.is(digestOf(tar), first.layer.diffId);
    t.is(tar.length, first.uncompressedSize);
    const digests = decodeIndex(first.index).map((change) => (change.kind === "set" ? change.entry.digest : undefined));
    t.is(digests[0], digestOf(big));
    t.is(digests[1], digestOf(big.subarray(0, 1_500_000)));
    t.is(digests[2], digestOf(big));
    t.is(digests[10], digestOf("file 7".repeat(7)));
  });
}

test("write: SOURCE_DATE_EPOCH clamps what is later and nothing else", async (t) => {
  const store = folderStore(await scratch(t));
  const times = [99_999_999_999n, 100_000_000_000n, 100_000_000_001n, 5_000_000_000_000n];
  const { layer, index } = await writeLayer(
    times.map((mtimeNs, i) => set(`f${i}`, { mtimeNs })),
    store,
    { ...plain, epochSeconds: 100 },
  );
  const expected = [99_999_999_999n, 100_000_000_000n, 100_000_000_000n, 100_000_000_000n];
  const timesOf = (changes: Change[]) =>
    changes.map((change) => (change.kind === "set" ? change.entry.mtimeNs : undefined));
  t.deepEqual(timesOf(await collect(await blobBytes(store, layer.blob.digest))), expected);
  t.deepEqual(timesOf(decodeIndex(index)), expected);
});

test("write: sparse files are stored as zeros", async (t) => {
  const top = await scratch(t);
  const path = join(top, "sparse");
  writeFileSync(path, "start");
  truncateSync(path, 9_000_000);
  t.true(statSync(path).blocks < 100);
  const store = folderStore(top);
  const { layer } = await writeLayer(
    [set("sparse", { size: 9_000_000, content: { kind: "file", path } })],
    store,
    plain,
  );
  const [change] = await collect(await blobBytes(store, layer.blob.digest));
  const content =
    change?.kind === "set" && change.entry.content?.kind === "bytes" ? change.entry.content.bytes : Buffer.alloc(0);
  t.is(digestOf(content), digestOf(readFileSync(path)));
});

test("write: the tail gives the blob's bytes while they come, and again afterwards", async (t) => {
  const store = folderStore(await scratch(t));
  const content = Buffer.alloc(6_000_000, "abc");
  let tail: AsyncIterable<Uint8Array> | undefined;
  let progress = 0;
  const digests: Promise<string>[] = [];
  const digestOfTail = async (from: AsyncIterable<Uint8Array>) => {
    // Piece by piece: the memory of one is used again for a later one.
    const hash = createHash("sha256");
    for await (const part of from) hash.update(part);
    return `sha256:${hash.digest("hex")}`;
  };
  const { layer } = await writeLayer(
    [set("a", { size: content.length, content: { kind: "stream", open: () => inPieces(content, 100_000) } })],
    store,
    {
      ...plain,
      onProgress: (bytes) => {
        progress = Math.max(progress, bytes);
      },
      onTail: (given) => {
        tail = given;
        digests.push(digestOfTail(given));
      },
    },
  );
  t.is(await digests[0], layer.blob.digest);
  t.is(await digestOfTail(tail as AsyncIterable<Uint8Array>), layer.blob.digest);
  t.true(progress > 1_000_000);
});

const refused: [title: string, code: string, changes: (top: string) => Change[], path?: string][] = [
  ["a name that means a deletion", "LAYER_WHITEOUT_NAME", () => [set("a/.wh.b")], "a/.wh.b"],
  ["a folder with such a name", "LAYER_WHITEOUT_NAME", () => [set(".wh.x/y")], ".wh.x/y"],
  ["a file without content", "LAYER_CONTENT", () => [set("a", { size: 1 })], "a"],
  ["children before parents", "LAYER_ORDER", () => [set("a/b"), directory("a")], "a"],
  ["an unclean path", "LAYER_PATH", () => [set("../a")], "../a"],
  ["a NUL in a name", "LAYER_NAME", () => [set("a\0b")]],
  [
    "a stream that is too short",
    "LAYER_CHANGED",
    () => [set("a", { size: 9, content: { kind: "stream", open: () => inPieces(Buffer.alloc(8)) } })],
    "a",
  ],
  [
    "a stream that is too long",
    "LAYER_CHANGED",
    () => [set("a", { size: 7, content: { kind: "stream", open: () => inPieces(Buffer.alloc(8)) } })],
    "a",
  ],
  ["bytes of another size", "LAYER_CHANGED", () => [set("a", { ...bytes("12"), size: 3 })], "a"],
  [
    "a file that grew",
    "LAYER_CHANGED",
    (top) => [set("a", { size: 3, content: { kind: "file", path: `${top}/four` } })],
  ],
  [
    "a file that shrank",
    "LAYER_CHANGED",
    (top) => [set("a", { size: 5, content: { kind: "file", path: `${top}/four` } })],
  ],
  [
    "an empty file that grew",
    "LAYER_CHANGED",
    (top) => [set("a", { size: 0, content: { kind: "file", path: `${top}/four` } })],
  ],
  [
    "a file that vanished",
    "LAYER_CHANGED",
    (top) => [set("a", { size: 5, content: { kind: "file", path: `${top}/none` } })],
  ],
  [
    "a big file that shrank",
    "LAYER_CHANGED",
    (top) => [set("a", { size: 3_000_000, content: { kind: "file", path: `${top}/four` } })],
  ],
  ["a folder instead of a file", "LAYER_IO", (top) => [set("a", { size: 5, content: { kind: "file", path: top } })]],
  [
    "PAX records that would change the header",
    "LAYER_PAX",
    () => [set("a", { pax: new Map([["size", Buffer.from("9")]]) })],
    "a",
  ],
  [
    "a PAX key with a sign in it",
    "LAYER_PAX",
    () => [set("a", { pax: new Map([["SCHILY.xattr.user.a=b", Buffer.from("9")]]) })],
    "a",
  ],
];
for (const [title, code, changes, path] of refused) {
  test(`write: refuses ${title}`, async (t) => {
    const top = await scratch(t);
    writeFileSync(join(top, "four"), "1234");
    mkdirSync(join(top, "store"));
    const error = await t.throwsAsync(
      writeLayer(changes(top), folderStore(join(top, "store")), { ...plain, compression: "zstd" }),
      { code },
    );
    if (path !== undefined) t.is((error as unknown as { facts: { path: string } }).facts.path, path);
    t.deepEqual(execFileSync("ls", ["-A", join(top, "store")]).toString(), "", "nothing is left");
  });
}

test("write: a failing source of changes stops everything, and the tail tells it", async (t) => {
  const top = await scratch(t);
  let told: Promise<unknown> = Promise.resolve();
  const changes = (async function* () {
    yield set("a", bytes("1"));
    throw new Error("the source broke");
  })();
  const onTail = (tail: AsyncIterable<Uint8Array>) => {
    told = (async () => {
      for await (const _ of tail);
    })().catch((error) => error.message);
  };
  await t.throwsAsync(writeLayer(changes, folderStore(top), { ...plain, onTail }), { message: "the source broke" });
  t.is(await told, "the source broke");
});

test("write: levels and media types that there are not", async (t) => {
  const store = folderStore(await scratch(t));
  await t.throwsAsync(writeLayer([], store, { compression: "zstd", mediaTypes: "docker" }), {
    code: "LAYER_COMPRESSION",
  });
  await t.throwsAsync(writeLayer([], store, { compression: "gzip", mediaTypes: "oci", level: 99 }), {
    code: "LAYER_COMPRESSION",
  });
  const { layer, uncompressedSize } = await writeLayer([], store, { compression: "gzip", mediaTypes: "docker" });
  t.is(layer.blob.mediaType, "application/vnd.docker.image.rootfs.diff.tar.gzip");
  t.is(uncompressedSize, 1024);
});

test("write: the file's time on disk does not matter, only what the entry says", async (t) => {
  const top = await scratch(t);
  const store = folderStore(top);
  writeFileSync(join(top, "f"), "x");
  const change = set("f", { size: 1, content: { kind: "file", path: join(top, "f") } });
  const one = await writeLayer([change], store, plain);
  utimesSync(join(top, "f"), 5, 5);
  t.deepEqual((await writeLayer([change], store, plain)).layer, one.layer);
});
