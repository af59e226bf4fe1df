import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import test from "ava";
import { readTar } from "../../layerfs/layer/read.ts";
import { type UnpackOptions, unpackLayer } from "../../layerfs/layer/unpack.ts";
import { isWbuildError } from "../../native/error.ts";
import { inPieces, type Member, member, scratch, tarOf } from "../layerfs/layer/workbench.ts";

type Row = [attack: string, code: string, tar: Buffer, path?: string];
const many = (count: number, make: (i: number) => Member) => tarOf(...Array.from({ length: count }, (_, i) => make(i)));

/** Refused by the unpacker and by the reader of entries alike. */
const both: Row[] = [
  ["a name climbs out", "LAYER_ESCAPE", tarOf({ name: "../outside" }), "../outside"],
  ["a name climbs out further in", "LAYER_ESCAPE", tarOf({ name: "a/b/../../../outside" })],
  ["a PAX name climbs out", "LAYER_ESCAPE", tarOf({ name: "a", pax: { path: "x/../../outside" } })],
  ["a GNU long name climbs out", "LAYER_ESCAPE", tarOf({ type: "L", body: "../outside\0" }, { name: "a" })],
  ["a hard link's target climbs out", "LAYER_ESCAPE", tarOf({ name: "a", type: "1", link: "../outside" })],
  ["a PAX name has a NUL", "LAYER_NAME", tarOf({ name: "a", pax: { path: "a\0b" } })],
  ["a size is negative", "LAYER_HEADER", tarOf({ name: "a", size: Buffer.alloc(12, 0xff) })],
  [
    "a size is beyond all bounds",
    "LAYER_HEADER",
    tarOf({ name: "a", size: Buffer.from([0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }),
  ],
  ["a size is text", "LAYER_HEADER", tarOf({ name: "a", size: "12x4" })],
  ["a PAX size is negative", "LAYER_HEADER", tarOf({ name: "a", pax: { size: "-1" } })],
  ["a PAX size is huge", "LAYER_HEADER", tarOf({ name: "a", pax: { size: "99999999999999999999" } })],
  ["a checksum is wrong", "LAYER_HEADER", tarOf({ name: "a", checksum: "0000001\0" })],
  ["a mode is no number", "LAYER_HEADER", tarOf({ name: "a", mode: "rwxrwx" })],
  ["a PAX uid is no number", "LAYER_HEADER", tarOf({ name: "a", pax: { uid: "root" } })],
  ["a uid that means 'leave it'", "LAYER_HEADER", tarOf({ name: "a", pax: { uid: "4294967295" } })],
  ["a PAX time is no number", "LAYER_HEADER", tarOf({ name: "a", pax: { mtime: "noon" } })],
  ["a PAX record is longer than its header", "LAYER_PAX", tarOf({ name: "a", rawPax: Buffer.from("99 path=b\n") })],
  ["a PAX record has no length", "LAYER_PAX", tarOf({ name: "a", rawPax: Buffer.from("path=b\n") })],
  ["a PAX record has length 0", "LAYER_PAX", tarOf({ name: "a", rawPax: Buffer.from("0 path=b\n") })],
  ["a PAX record has no end", "LAYER_PAX", tarOf({ name: "a", rawPax: Buffer.from("10 path=bcd") })],
  ["a PAX record has no key", "LAYER_PAX", tarOf({ name: "a", rawPax: Buffer.from("5 =b\n") })],
  ["a giant PAX header", "LAYER_NAME_TOO_LONG", tarOf({ name: "a", pax: { path: "x".repeat(2 << 20) } })],
  ["a giant GNU name", "LAYER_NAME_TOO_LONG", tarOf({ type: "L", body: "x".repeat(2 << 20) }, { name: "a" })],
  ["extra headers without an end", "LAYER_HEADER", many(20, () => ({ type: "x", body: "9 a=bcde\n" }))],
  ["an unknown type", "LAYER_TYPE", tarOf({ name: "a", type: "Z" })],
  ["GNU's sparse form", "LAYER_SPARSE", tarOf({ name: "a", type: "S" })],
  ["PAX's sparse form", "LAYER_SPARSE", tarOf({ name: "a", pax: { "GNU.sparse.major": "1" } })],
  [
    "a device with numbers that wrap around",
    "LAYER_DEVICE",
    tarOf({ name: "a", type: "3", major: "0010001\0", minor: "0000003\0" }),
  ],
  ["a symbolic link to nothing", "LAYER_LINK_TARGET", tarOf({ name: "a", type: "2" })],
  ["a hard link to nothing", "LAYER_LINK_TARGET", tarOf({ name: "a", type: "1" })],
  ["an end in a header", "LAYER_TRUNCATED", member({ name: "a" }).subarray(0, 300)],
  ["an end in a file", "LAYER_TRUNCATED", member({ name: "a", body: "x".repeat(2000) }).subarray(0, 1500)],
  ["a size that is more than there is", "LAYER_TRUNCATED", member({ name: "a", size: 1_000_000 })],
  ["an end after a PAX header", "LAYER_TRUNCATED", member({ name: "a", pax: { path: "b" } }).subarray(0, 1024)],
  ["nothing at all", "LAYER_TRUNCATED", Buffer.alloc(0)],
  ["text instead of a tar", "LAYER_HEADER", Buffer.alloc(2048, "this is no tar. ")],
  [
    "an entry behind one block of zeros",
    "LAYER_HEADER",
    Buffer.concat([member({ name: "a" }), Buffer.alloc(512), member({ name: "b" })]),
  ],
];

/** Only putting it on disk makes these an attack. */
const onDisk: Row[] = [
  ["an absolute name", "LAYER_ABSOLUTE", tarOf({ name: "/etc/passwd" }), "/etc/passwd"],
  ["an absolute PAX name", "LAYER_ABSOLUTE", tarOf({ name: "a", pax: { path: "/etc/passwd" } })],
  ["an absolute target of a hard link", "LAYER_ABSOLUTE", tarOf({ name: "a", type: "1", link: "/etc/passwd" })],
  [
    "a link, then a file through it",
    "LAYER_SYMLINK_PARENT",
    tarOf({ name: "a", type: "2", link: "../.." }, { name: "a/outside" }),
    "a/outside",
  ],
  [
    "a link, then a folder through it",
    "LAYER_SYMLINK_PARENT",
    tarOf({ name: "a", type: "2", link: "/tmp" }, { name: "a/b", type: "5" }),
  ],
  [
    "a link, then a whiteout through it",
    "LAYER_SYMLINK_PARENT",
    tarOf({ name: "a", type: "2", link: ".." }, { name: "a/.wh.outside" }),
  ],
  [
    "a link, then an opaque mark through it",
    "LAYER_SYMLINK_PARENT",
    tarOf({ name: "a", type: "2", link: ".." }, { name: "a/.wh..wh..opq" }),
  ],
  [
    "a chain of links",
    "LAYER_SYMLINK_PARENT",
    tarOf({ name: "a", type: "2", link: ".." }, { name: "b", type: "2", link: "a" }, { name: "b/x/y" }),
  ],
  [
    "a hard link to a file through a link",
    "LAYER_LINK_TARGET",
    tarOf({ name: "a", type: "2", link: ".." }, { name: "b", type: "1", link: "a/outside" }),
  ],
  [
    "a hard link to a folder",
    "LAYER_LINK_TARGET",
    tarOf({ name: "a", type: "5" }, { name: "b", type: "1", link: "a" }),
  ],
  ["a hard link to itself", "LAYER_LINK_TARGET", tarOf({ name: "a", type: "1", link: "a" })],
  ["a hard link to what is not there", "LAYER_LINK_TARGET", tarOf({ name: "a", type: "1", link: "b" })],
  ["a hard link to a deleted file", "LAYER_LINK_TARGET", tarOf({ name: ".wh.b" }, { name: "a", type: "1", link: "b" })],
  ["a file below a file", "LAYER_PARENT", tarOf({ name: "a" }, { name: "a/b" })],
  ["a file below a device", "LAYER_PARENT", tarOf({ name: "a", type: "6" }, { name: "a/b" })],
  [
    "a folder that turns into a link",
    "LAYER_DUPLICATE",
    tarOf({ name: "a", type: "5" }, { name: "a", type: "2", link: ".." }),
  ],
  [
    "a link that turns into a folder",
    "LAYER_DUPLICATE",
    tarOf({ name: "a", type: "2", link: ".." }, { name: "a", type: "5" }),
  ],
  ["a flood of one name", "LAYER_DUPLICATE", many(70_000, () => ({ name: "a" }))],
  ["a whiteout of the parent", "LAYER_WHITEOUT", tarOf({ name: "a/.wh..." }), "a/.wh..."],
  ["a whiteout of the folder itself", "LAYER_WHITEOUT", tarOf({ name: "a/.wh.." })],
  ["a whiteout of nothing", "LAYER_WHITEOUT", tarOf({ name: "a/.wh." })],
  ["a device that acts as a whiteout", "LAYER_DEVICE", tarOf({ name: "a", type: "3" })],
  [
    "a bomb of devices",
    "LAYER_DEVICE_BOMB",
    many(5000, (i) => ({ name: `n${i}`, type: "3", major: "0000001\0", minor: "0000003\0" })),
  ],
  ["a root that is a file", "LAYER_ROOT", tarOf({ name: "./", type: "0", pax: { path: "." } })],
  ["a root that is a link", "LAYER_ROOT", tarOf({ name: ".", type: "2", link: "/tmp" })],
  ["a part of a name that is too long", "LAYER_NAME_TOO_LONG", tarOf({ name: "a", pax: { path: "x".repeat(256) } })],
  ["a path that is too long", "LAYER_NAME_TOO_LONG", tarOf({ name: "a", pax: { path: "x/".repeat(3000) } })],
  [
    "a link target that is too long",
    "LAYER_LINK_TARGET",
    tarOf({ name: "a", type: "2", pax: { linkpath: "x/".repeat(3000) } }),
  ],
];

for (const [attack, code, tar, path] of [...both, ...onDisk]) {
  for (const form of ["overlay", "plain"] as const) {
    if (form === "plain" && attack === "a device that acts as a whiteout") continue;
    test(`unpack (${form}) refuses: ${attack}`, async (t) => {
      const top = await scratch(t);
      mkdirSync(join(top, "in/x"), { recursive: true });
      writeFileSync(join(top, "outside"), "precious");
      const error = await t.throwsAsync(unpackLayer({ bytes: inPieces(tar, 10_007) }, join(top, "in/x"), { form }), {
        code,
      });
      if (path !== undefined) t.is((error as unknown as { facts: { path: string } }).facts.path, path);
      t.is(readFileSync(join(top, "outside"), "utf8"), "precious");
      t.deepEqual(
        execFileSync("ls", ["-A", top, join(top, "in")])
          .toString()
          .split("\n")
          .filter((line) => !line.includes(":") && line),
        ["in", "outside", "x"],
      );
    });
  }
}

for (const [attack, code, tar] of both) {
  test(`readTar refuses: ${attack}`, async (t) => {
    await t.throwsAsync(
      async () => {
        for await (const entry of readTar(inPieces(tar, 999))) {
          if (entry.content?.kind === "stream") for await (const _ of entry.content.open());
        }
      },
      { code },
    );
  });
}

const limits = { maxBytes: 1 << 20, maxEntries: 100, maxExtraBytes: 1 << 18 };
const withLargeDescriptor = (at: number) => ({ name: `f${at}`, pax: { "MSWINDOWS.rawsd": "A".repeat(10_000) } });
const bombs: [attack: string, code: string, bytes: Buffer][] = [
  ["a gzip bomb", "LAYER_BOMB", gzipSync(tarOf({ name: "a", body: Buffer.alloc(8 << 20) }))],
  [
    "a zstd bomb",
    "LAYER_BOMB",
    execFileSync("zstd", ["-c"], { input: tarOf({ name: "a", body: Buffer.alloc(8 << 20) }) }),
  ],
  [
    "an xz bomb",
    "LAYER_BOMB",
    execFileSync("xz", ["-c"], { input: tarOf({ name: "a", body: Buffer.alloc(8 << 20) }) }),
  ],
  ["a plain flood", "LAYER_BOMB", tarOf({ name: "a", body: Buffer.alloc(8 << 20) })],
  ["large descriptors at every file", "LAYER_BOMB", many(40, withLargeDescriptor)],
  ["too many entries", "LAYER_TOO_MANY", many(101, (i) => ({ name: `f${i}` }))],
  ["damaged gzip", "LAYER_COMPRESSION", Buffer.concat([gzipSync("").subarray(0, 10), Buffer.alloc(100, 0xff)])],
  [
    "damaged zstd",
    "LAYER_COMPRESSION",
    Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), Buffer.alloc(100, 0xaa)]),
  ],
  [
    "gzip that ends too early",
    "LAYER_TRUNCATED",
    gzipSync(tarOf({ name: "a", body: "x".repeat(5000) })).subarray(0, 40),
  ],
];
for (const [attack, code, bytes] of bombs) {
  test(`unpack refuses: ${attack}`, async (t) => {
    const top = await scratch(t);
    writeFileSync(join(top, "blob"), bytes);
    mkdirSync(join(top, "out"));
    const options: UnpackOptions = { form: "overlay", limits };
    await t.throwsAsync(unpackLayer({ path: join(top, "blob") }, join(top, "out"), options), { code }, "from a file");
    await t.throwsAsync(unpackLayer({ bytes: inPieces(bytes) }, join(top, "out"), options), { code }, "from a stream");
  });
}

test("readers of tars refuse large descriptors at every file, too", async (t) => {
  const read = async (most: number) => {
    let entries = 0;
    for await (const _ of readTar(inPieces(many(40, withLargeDescriptor)), { ...limits, maxExtraBytes: most }))
      entries++;
    return entries;
  };
  await t.throwsAsync(read(1 << 18), { code: "LAYER_BOMB" });
  t.is(await read(1 << 19), 40);
});

test("unpack: a zstd frame that asks for a giant window is refused", async (t) => {
  const top = await scratch(t);
  const blob = execFileSync("zstd", ["-c", "--ultra", "--long=30", "-1"], { input: tarOf({ name: "a", body: "x" }) });
  // Streamed input has no content size, so the frame says how much memory it wants.
  await t.throwsAsync(unpackLayer({ bytes: inPieces(blob) }, top, { form: "plain" }), { code: "LAYER_COMPRESSION" });
});

test("unpack: links that wait in the folder are replaced, never followed", async (t) => {
  const top = await scratch(t);
  const out = join(top, "out");
  mkdirSync(out);
  mkdirSync(join(top, "elsewhere"));
  writeFileSync(join(top, "outside"), "precious");
  symlinkSync("../outside", join(out, "file"));
  symlinkSync("../elsewhere", join(out, "folder"));
  symlinkSync("../elsewhere", join(out, "implied"));
  const tar = tarOf(
    { name: "file", body: "new" },
    { name: "folder", type: "5", mode: "0000755\0" },
    { name: "folder/x" },
    { name: "implied/x" },
  );
  await unpackLayer({ bytes: inPieces(tar) }, out, { form: "plain" });
  t.is(readFileSync(join(top, "outside"), "utf8"), "precious");
  t.is(readFileSync(join(out, "file"), "utf8"), "new");
  t.true(lstatSync(join(out, "folder")).isDirectory());
  t.true(lstatSync(join(out, "implied")).isDirectory());
  t.false(existsSync(join(top, "elsewhere/x")));
});

test("unpack: overlayfs's own attributes are not taken from a layer", async (t) => {
  const top = await scratch(t);
  const tar = tarOf({
    name: "d",
    type: "5",
    mode: "0000755\0",
    pax: {
      "SCHILY.xattr.trusted.overlay.redirect": "/etc",
      "SCHILY.xattr.user.overlay.opaque": "y",
      "SCHILY.xattr.user.kept": "1",
    },
  });
  await unpackLayer({ bytes: inPieces(tar) }, top, { form: "overlay" });
  const names = execFileSync("getfattr", ["-m", "-", "-d", "--absolute-names", join(top, "d")]).toString();
  t.regex(names, /user\.kept="1"/);
  t.notRegex(names, /overlay/);
});

test("unpack: a wrong diffID is told", async (t) => {
  const top = await scratch(t);
  const error = await t.throwsAsync(
    unpackLayer({ bytes: inPieces(tarOf({ name: "a" })) }, top, {
      form: "overlay",
      expect: { diffId: `sha256:${"0".repeat(64)}` },
    }),
    { code: "LAYER_DIFFID" },
  );
  t.true(isWbuildError(error) && typeof error.facts.found === "string");
});
