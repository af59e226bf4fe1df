import { execFileSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { decodeIndex } from "../../../layerfs/layer/layer-index.ts";
import { readUpper } from "../../../layerfs/layer/overlay.ts";
import { fromRawBytes } from "../../../layerfs/layer/raw-path.ts";
import { unpackLayer } from "../../../layerfs/layer/unpack.ts";
import { writeLayer } from "../../../layerfs/layer/write.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { getXattrs, makeNode, setMtime, setXattr } from "../../../native/addon/addon.ts";
import { bytesOfName } from "../../../native/addon/raw-bytes.ts";
import { noRoot, testUnless } from "../../doubles/test-unless.ts";
import { bytes, checkOrder, folderStore, inPieces, type Member, scratch, set, tarOf } from "./workbench.ts";

const rootTest = testUnless(noRoot);

async function unpack(top: string, tar: Uint8Array, more: Partial<Parameters<typeof unpackLayer>[2]> = {}) {
  const out = join(top, "out");
  mkdirSync(out, { recursive: true });
  const result = await unpackLayer({ bytes: inPieces(tar, 3000) }, out, { form: "overlay", ...more });
  const changes = decodeIndex(result.index);
  checkOrder(changes);
  return { out, changes, ...result };
}

/** "set a", "delete b", one a change. */
const told = (changes: readonly Change[]) =>
  changes.map((change) =>
    change.kind === "set" ? `${change.entry.type} ${change.entry.path}` : `${change.kind} ${change.path}`,
  );

const folder = (name: string, mode = "0000755\0"): Member => ({ name, type: "5", mode });

rootTest("unpack: everything that can be in a layer is there afterwards, owners and times too", async (t) => {
  const top = await scratch(t);
  const store = join(top, "store");
  mkdirSync(store);
  const capability = Buffer.from([1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const changes: Change[] = [
    set("d", { type: "directory", mode: 0o2750, uid: 7, gid: 8, mtimeNs: 1_500_000_000_123_456_789n }),
    set("d/capable", {
      mode: 0o4755,
      uid: 1000,
      gid: 1000,
      mtimeNs: 5n,
      pax: new Map([
        ["SCHILY.xattr.security.capability", capability],
        ["SCHILY.xattr.user.x", Buffer.from([0, 10])],
      ]),
      ...bytes("x"),
    }),
    set("d/device", { type: "character", mode: 0o666, device: { major: 1, minor: 3 }, mtimeNs: 9_000_000_000n }),
    set("d/fifo", { type: "fifo", mode: 0o620, gid: 5 }),
    set("d/link", { type: "symlink", target: "/abs/olute", mode: 0o777, uid: 3, mtimeNs: 77n }),
    set("d/\udcff", bytes("raw name")),
    set("d/zhard", { type: "hardlink", target: "d/capable", mode: 0o4755, uid: 1000, gid: 1000, mtimeNs: 5n }),
  ];
  const written = await writeLayer(changes, folderStore(store), {
    compression: "zstd",
    mediaTypes: "oci",
    fileDigests: true,
  });
  const out = join(top, "out");
  mkdirSync(out);
  const path = folderStore(store).path(written.layer.blob.digest);
  const unpacked = await unpackLayer({ path }, out, {
    form: "overlay",
    fileDigests: true,
    expect: { diffId: written.layer.diffId },
  });
  t.is(unpacked.uncompressedSize, written.uncompressedSize);
  t.deepEqual(Buffer.from(unpacked.index), Buffer.from(written.index), "both make the same index");
  const d = lstatSync(join(out, "d"), { bigint: true });
  t.deepEqual([d.mode & 0o7777n, d.uid, d.gid, d.mtimeNs], [0o2750n, 7n, 8n, 1_500_000_000_123_456_789n]);
  const file = lstatSync(join(out, "d/capable"), { bigint: true });
  t.deepEqual([file.mode & 0o7777n, file.uid, file.gid, file.mtimeNs, file.nlink], [0o4755n, 1000n, 1000n, 5n, 2n]);
  t.deepEqual(
    [...getXattrs(join(out, "d/capable"))].map(([key, value]) => [key, Buffer.from(value).toString("hex")]),
    [
      ["security.capability", capability.toString("hex")],
      ["user.x", "000a"],
    ],
  );
  t.is(lstatSync(join(out, "d/device")).rdev, 0x103);
  t.true(lstatSync(join(out, "d/fifo")).isFIFO());
  const link = lstatSync(join(out, "d/link"), { bigint: true });
  t.deepEqual([link.uid, link.mtimeNs, readlinkSync(join(out, "d/link"))], [3n, 77n, "/abs/olute"]);
  t.is(readFileSync(Buffer.from(bytesOfName(`${out}/d/\udcff`))).toString(), "raw name");
});

test("unpack: missing parents appear, with the lower layer's metadata where it has them", async (t) => {
  const top = await scratch(t);
  const lower = join(top, "lower");
  mkdirSync(join(lower, "known"), { recursive: true });
  chmodSync(join(lower, "known"), 0o711);
  setMtime(join(lower, "known"), 123_000_000_000n);
  const { out, changes } = await unpack(top, tarOf({ name: "known/a" }, { name: "new/deep/b" }), { lower: [lower] });
  t.is(lstatSync(join(out, "known")).mode & 0o7777, 0o711);
  t.is(lstatSync(join(out, "known"), { bigint: true }).mtimeNs, 123_000_000_000n);
  t.is(lstatSync(join(out, "new")).mode & 0o7777, 0o755);
  t.deepEqual(told(changes), ["file known/a", "directory new", "directory new/deep", "file new/deep/b"]);
});

test("unpack: a folder's entry may come after what is in it", async (t) => {
  const { out, changes } = await unpack(
    await scratch(t),
    tarOf({ name: "a/b/c" }, folder("a/b", "0000700\0"), folder("a", "0000711\0")),
  );
  t.is(lstatSync(join(out, "a")).mode & 0o7777, 0o711);
  t.is(lstatSync(join(out, "a/b")).mode & 0o7777, 0o700);
  t.deepEqual(told(changes), ["directory a", "directory a/b", "file a/b/c"]);
  t.is(changes[0]?.kind === "set" ? changes[0].entry.mode : 0, 0o711);
});

test("unpack: of two entries with one name the last counts", async (t) => {
  const { out, changes } = await unpack(
    await scratch(t),
    tarOf({ name: "a", body: "first" }, { name: "b" }, { name: "a", body: "second, longer" }),
    { fileDigests: true },
  );
  t.is(readFileSync(join(out, "a"), "utf8"), "second, longer");
  t.deepEqual(told(changes), ["file b", "file a"]);
  t.is(changes[1]?.kind === "set" ? changes[1].entry.digest : "", digestOf("second, longer"));
});

rootTest("unpack, overlay form: whiteouts become devices, opaque folders get their mark", async (t) => {
  const top = await scratch(t);
  const tar = tarOf(
    folder("d"),
    { name: "d/-first" },
    { name: "d/.wh..wh..opq" },
    { name: "d/x" },
    { name: "e/.wh.gone" },
    { name: ".wh..wh.plnk" },
    { name: "f/g/.wh..wh..opq" },
  );
  const { out, changes } = await unpack(top, tar);
  t.true(lstatSync(join(out, "e/gone")).isCharacterDevice());
  t.is(lstatSync(join(out, "e/gone")).rdev, 0);
  t.is(Buffer.from(getXattrs(join(out, "d")).get("trusted.overlay.opaque") ?? "").toString(), "y");
  t.is(Buffer.from(getXattrs(join(out, "f/g")).get("trusted.overlay.opaque") ?? "").toString(), "y");
  t.deepEqual(readdirSync(out), ["d", "e", "f"]);
  t.deepEqual(told(changes), [
    "directory d",
    "clear d",
    "file d/-first",
    "file d/x",
    "directory e",
    "delete e/gone",
    "directory f",
    "directory f/g",
    "clear f/g",
  ]);
});

test("unpack: a whiteout beside an entry of the same name means what lies below", async (t) => {
  const tar = tarOf(
    { name: ".wh.a" },
    { name: "a", body: "1" },
    { name: "b", body: "2" },
    { name: ".wh.b" },
    { name: ".wh.c" },
    folder("c"),
    { name: "c/x" },
    folder("d"),
    { name: ".wh.d" },
  );
  const { out, changes } = await unpack(await scratch(t), tar);
  t.is(readFileSync(join(out, "a"), "utf8"), "1");
  t.is(readFileSync(join(out, "b"), "utf8"), "2");
  t.deepEqual(told(changes), ["file a", "file b", "directory c", "clear c", "file c/x", "directory d", "clear d"]);
});

test("unpack, plain form: layer on layer, whiteouts delete", async (t) => {
  const top = await scratch(t);
  await unpack(
    top,
    tarOf(
      folder("d"),
      { name: "d/old" },
      { name: "d/kept" },
      folder("e"),
      { name: "e/sub/x" },
      { name: "file" },
      { name: "gone/deep/x" },
    ),
    { form: "plain" },
  );
  const { out } = await unpack(
    top,
    tarOf(
      folder("d"),
      { name: "d/new" },
      { name: "d/.wh..wh..opq" },
      { name: ".wh.gone" },
      { name: "e", body: "a file now" },
      folder("file"),
      { name: "file/x" },
    ),
    { form: "plain" },
  );
  t.deepEqual(readdirSync(out).sort(), ["d", "e", "file"]);
  t.deepEqual(readdirSync(join(out, "d")), ["new"]);
  t.is(readFileSync(join(out, "e"), "utf8"), "a file now");
  t.deepEqual(readdirSync(join(out, "file")), ["x"]);
});

rootTest("unpack: hard links reach lower layers, but not what those hide", async (t) => {
  const top = await scratch(t);
  const [upper, lower] = [join(top, "upper"), join(top, "lower")];
  for (const path of [join(upper, "opaque"), join(lower, "opaque"), join(lower, "d")])
    mkdirSync(path, { recursive: true });
  writeFileSync(join(lower, "d/shown"), "shown");
  writeFileSync(join(lower, "hidden"), "");
  writeFileSync(join(lower, "opaque/hidden"), "");
  makeNode(join(upper, "hidden"), "character", 0);
  setXattr(join(upper, "opaque"), "trusted.overlay.opaque", Buffer.from("y"));
  const link = (target: string) => tarOf({ name: "link", type: "1", link: target });
  const { out } = await unpack(top, link("d/shown"), { lower: [upper, lower] });
  t.is(readFileSync(join(out, "link"), "utf8"), "shown");
  for (const target of ["hidden", "opaque/hidden", "nowhere"]) {
    await t.throwsAsync(unpack(top, link(target), { lower: [upper, lower] }), { code: "LAYER_LINK_TARGET" }, target);
  }
});

test("unpack: runs of zeros become holes", async (t) => {
  const body = Buffer.concat([
    Buffer.from("start"),
    Buffer.alloc(3_000_000),
    Buffer.from("middle"),
    Buffer.alloc(2_000_000),
  ]);
  const small = Buffer.alloc(200_000);
  const { out } = await unpack(await scratch(t), tarOf({ name: "big", body }, { name: "small", body: small }));
  t.is(digestOf(readFileSync(join(out, "big"))), digestOf(body));
  t.is(digestOf(readFileSync(join(out, "small"))), digestOf(small));
  t.true(lstatSync(join(out, "big")).blocks * 512 < 400_000);
  t.true(lstatSync(join(out, "small")).blocks * 512 < 70_000);
});

test("unpack: absolute names where they are allowed", async (t) => {
  const { out } = await unpack(
    await scratch(t),
    tarOf({ name: "/a//b", body: "1" }, { name: "c", type: "1", link: "/a/b" }),
    { absoluteNames: "strip" },
  );
  t.is(readFileSync(join(out, "c"), "utf8"), "1");
});

test("unpack: sizes beyond 8 GiB are read (and then found missing)", async (t) => {
  const top = await scratch(t);
  for (const tar of [
    tarOf({ name: "a", size: Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0]) }),
    tarOf({ name: "a", size: 0, pax: { size: String(9 * 2 ** 30) } }),
  ]) {
    await t.throwsAsync(unpack(top, tar), { code: "LAYER_TRUNCATED" });
  }
});

test("unpack: what GNU tar and bsdtar write", async (t) => {
  const top = await scratch(t);
  const from = join(top, "from");
  mkdirSync(join(from, "d".repeat(120), "e".repeat(120)), { recursive: true });
  writeFileSync(join(from, "d".repeat(120), "e".repeat(120), "ü"), "deep");
  writeFileSync(join(from, "a"), "1");
  linkSync(join(from, "a"), join(from, "hard"));
  symlinkSync("t".repeat(150), join(from, "link"));
  writeFileSync(join(from, "sparse"), "");
  truncateSync(join(from, "sparse"), 1_000_000);
  setMtime(join(from, "a"), 1_400_000_000_123_000_000n);
  const makers: [string, string[]][] = [
    ["tar", ["--format=gnu"]],
    ["tar", ["--format=pax"]],
    ["tar", ["--format=posix", "--xattrs"]],
    ["bsdtar", ["--format=pax"]],
    ["bsdtar", ["--format=gnutar"]],
  ];
  for (const [tool, args] of makers) {
    const tar = execFileSync(tool, [...args, "-cf", "-", "-C", from, "."], {
      env: { ...process.env, LC_ALL: "C.UTF-8" },
      maxBuffer: 1 << 26,
    });
    execFileSync("rm", ["-rf", join(top, "out")]);
    if (tool === "bsdtar" && args[0] === "--format=pax") {
      // bsdtar stores holes in PAX's sparse form, which is refused by name.
      await t.throwsAsync(unpack(top, tar), { code: "LAYER_SPARSE" });
      continue;
    }
    const { out } = await unpack(top, tar);
    t.is(execFileSync("diff", ["-r", "--no-dereference", from, out]).toString(), "", `${tool} ${args}`);
    t.is(lstatSync(join(out, "hard")).nlink, 2);
  }
});

/** Random trees, written from a real folder and unpacked again: nothing is lost, twice the same bytes. */
test("law: folder → layer → folder → the same layer", async (t) => {
  const name = fc.oneof(
    fc.constantFrom("a", "b", "c-", "ü", "\udcff", "x".repeat(120)),
    fc
      .string({ minLength: 1, maxLength: 8 })
      .filter((s) => !/[/\0]|^\.\.?$|^\.wh\./.test(s) && !/\p{Surrogate}/u.test(s)),
  );
  const node = fc.record({
    path: fc.array(name, { minLength: 1, maxLength: 4 }),
    kind: fc.nat(9),
    mode: fc.integer({ min: 0o400, max: 0o777 }),
    size: fc.nat(3000),
    time: fc.bigInt(-(2n ** 40n), 2n ** 61n),
  });
  const top = await scratch(t);
  const store = folderStore(top);
  let round = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(node, { maxLength: 25 }), async (nodes) => {
      const from = join(top, `from${round}`);
      const out = join(top, `out${round++}`);
      mkdirSync(from);
      mkdirSync(out);
      for (const { path, kind, mode, size, time } of nodes) plant(from, path, kind, mode, size, time);
      const format = { compression: "zstd", mediaTypes: "oci" } as const;
      const first = await writeLayer(await readUpper(from), store, format);
      const unpacked = await unpackLayer({ path: store.path(first.layer.blob.digest) }, out, { form: "overlay" });
      t.deepEqual(Buffer.from(unpacked.index), Buffer.from(first.index));
      const second = await writeLayer(await readUpper(out), store, format);
      t.is(second.layer.diffId, first.layer.diffId);
    }),
    { numRuns: 25 },
  );
});

function plant(top: string, parts: string[], kind: number, mode: number, size: number, time: bigint): void {
  const path = Buffer.from(bytesOfName(`${top}/${parts.join("/")}`));
  try {
    mkdirSync(Buffer.from(bytesOfName(`${top}/${parts.slice(0, -1).join("/")}`)), { recursive: true });
    if (kind === 0) mkdirSync(path);
    else if (kind === 1) symlinkSync("some/where", path);
    else if (kind === 2) makeNode(fromRawBytes(path), "fifo", mode);
    else writeFileSync(path, Buffer.alloc(size, "x"), { mode });
    if (kind !== 1) chmodSync(path, mode | (kind === 0 ? 0o700 : 0));
    setMtime(fromRawBytes(path), time);
  } catch {
    // The name is taken, or a file is in the way.
  }
}
