/** What Windows knows of a file beside its bytes, as PAX records: ours, those of others, and broken ones. */
import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { decodeIndex } from "../../../layerfs/layer/layer-index.ts";
import { readLayer } from "../../../layerfs/layer/read.ts";
import { writeLayer } from "../../../layerfs/layer/write.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import {
  defaultSecurity,
  formatTime,
  freshMetadata,
  keepMetadata,
  metadataPax,
  readMetadata,
  type WindowsMetadata,
  withMetadata,
} from "../../../layerfs/windows/metadata.ts";
import { shapeLayer } from "../../../layerfs/windows/shape.ts";
import { blobBytes, bytes, encodeIndex, folderStore, inPieces, scratch, set } from "../layer/workbench.ts";
import { entryOf } from "../tree/files.ts";

const text = (pax: ReadonlyMap<string, Uint8Array> | undefined) =>
  Object.fromEntries([...(pax ?? [])].map(([key, value]) => [key, String(Buffer.from(value))]));
const pax = (records: Record<string, string>) =>
  new Map(Object.entries(records).map(([key, value]) => [key, Buffer.from(value)]));

const times: [ns: bigint, text: string][] = [
  [0n, "0"],
  [1_600_000_000_500_000_000n, "1600000000.5"],
  [7_000_000n, "0.007"],
  [100n, "0.0000001"],
  [-1_500_000_000n, "-1.5"],
  [-100n, "-0.0000001"],
  [-11_644_473_600_000_000_000n, "-11644473600"],
];
for (const [ns, written] of times) {
  test(`a creation time: ${written}`, (t) => {
    t.is(formatTime(ns), written);
    t.is(readMetadata({ pax: pax({ "LIBARCHIVE.creationtime": written }) }).creationTimeNs, ns);
  });
}

test("metadata as records and back", (t) => {
  const all: WindowsMetadata = {
    attributes: 8226,
    creationTimeNs: -7n,
    security: defaultSecurity("file"),
    mountpoint: true,
  };
  t.deepEqual(readMetadata({ pax: metadataPax(all) }), all);
  t.deepEqual(text(metadataPax({ attributes: 32, creationTimeNs: 5n * 10n ** 8n })), {
    "LIBARCHIVE.creationtime": "0.5",
    "MSWINDOWS.fileattr": "32",
  });
});

const foreign: [name: string, records: Record<string, string>, metadata: WindowsMetadata][] = [
  ["nothing", {}, {}],
  [
    "a descriptor as text",
    { "MSWINDOWS.sd": "O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)" },
    { security: defaultSecurity("file") },
  ],
  [
    "the raw descriptor counts first",
    { "MSWINDOWS.sd": "O:BA", "MSWINDOWS.rawsd": Buffer.from(defaultSecurity("file")).toString("base64") },
    { security: defaultSecurity("file") },
  ],
  ["BuildKit's fraction, as it is", { "LIBARCHIVE.creationtime": "5.7000000" }, { creationTimeNs: 5_700_000_000n }],
  ["more digits than nanoseconds", { "LIBARCHIVE.creationtime": "5.0000000019" }, { creationTimeNs: 5_000_000_001n }],
  ["a junction's mark of any value", { "MSWINDOWS.mountpoint": "yes" }, { mountpoint: true }],
  ["extended attributes", { "MSWINDOWS.xattr.A.B": "eHk=" }, { xattrs: new Map([["A.B", Buffer.from("xy")]]) }],
  ["numbers that are none", { "MSWINDOWS.fileattr": "-1", "LIBARCHIVE.creationtime": "soon" }, {}],
  ["numbers that are too large", { "MSWINDOWS.fileattr": "4294967296", "LIBARCHIVE.creationtime": "9".repeat(40) }, {}],
  ["base64 that is none", { "MSWINDOWS.rawsd": "???", "MSWINDOWS.sd": "nonsense", "MSWINDOWS.xattr.x": "=" }, {}],
];
for (const [name, records, metadata] of foreign) {
  test(`foreign records: ${name}`, (t) => {
    const found = readMetadata({ pax: pax(records) });
    t.deepEqual(
      { ...found, ...(found.security ? { security: new Uint8Array(found.security) } : {}) },
      {
        ...metadata,
        ...(metadata.security ? { security: new Uint8Array(metadata.security) } : {}),
      },
    );
  });
}

test("content changes, the rest stays; where no creation time was told it was the last write", (t) => {
  const lower = withMetadata(entryOf("a", "file", { mtimeNs: 700n }), { attributes: 34 + 512 + 2048 });
  const kept = keepMetadata(lower, entryOf("a", "file", { mtimeNs: 900n }));
  t.deepEqual(text(kept.pax), { "LIBARCHIVE.creationtime": "0.0000007", "MSWINDOWS.fileattr": "34" });
  t.is(kept.mtimeNs, 900n);
});

test("extended attributes belong to the content that changed: they go, as do Linux'", (t) => {
  const lower = entryOf("a", "file", { pax: pax({ "MSWINDOWS.xattr.X": "eA==", "MSWINDOWS.fileattr": "32" }) });
  const now = entryOf("a", "file", { pax: pax({ "SCHILY.xattr.user.x": "1" }) });
  t.deepEqual(Object.keys(text(keepMetadata(lower, now).pax)).sort(), [
    "LIBARCHIVE.creationtime",
    "MSWINDOWS.fileattr",
  ]);
});

test("new things: a link to a folder is both, a junction needs no look", (t) => {
  const attributes = (entry: Parameters<typeof freshMetadata>[0], toFolder = false) =>
    readMetadata(freshMetadata(entry, { toFolder })).attributes;
  t.is(attributes(entryOf("l", "symlink")), 1024);
  t.is(attributes(entryOf("l", "symlink"), true), 1040);
  t.is(attributes(withMetadata(entryOf("l", "symlink"), { mountpoint: true })), 1040);
  t.is(attributes(withMetadata(entryOf("f", "file"), { attributes: 2 })), 2);
});

/** A naive reader of ustar with PAX, for what we write: names, types, link names and records, nothing shared with the product. */
function naive(tar: Buffer): { name: string; type: string; link: string; pax: Record<string, string>; body: Buffer }[] {
  const out = [];
  let next: Record<string, string> = {};
  const cut = (b: Buffer) => b.subarray(0, b.indexOf(0) < 0 ? b.length : b.indexOf(0)).toString("utf8");
  for (let at = 0; tar[at] !== 0; ) {
    const size = Number.parseInt(cut(tar.subarray(at + 124, at + 136)), 8);
    const type = String.fromCharCode(tar[at + 156]!);
    const body = tar.subarray(at + 512, at + 512 + size);
    const prefix = cut(tar.subarray(at + 345, at + 500));
    const name = (prefix === "" ? "" : `${prefix}/`) + cut(tar.subarray(at, at + 100));
    if (type === "x") {
      next = {};
      for (let rest = body; rest.length > 0; ) {
        const length = Number.parseInt(rest.toString("latin1"), 10);
        const record = rest.subarray(rest.indexOf(0x20) + 1, length - 1).toString("utf8");
        next[record.slice(0, record.indexOf("="))] = record.slice(record.indexOf("=") + 1);
        rest = rest.subarray(length);
      }
    } else {
      const link = cut(tar.subarray(at + 157, at + 257));
      out.push({ name: next.path ?? name, type, link: next.linkpath ?? link, pax: next, body: Buffer.from(body) });
      next = {};
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return out;
}

test("a whole layer: as a naive reader and bsdtar read it, and as we read it back", async (t) => {
  const folder = await scratch(t);
  const store = folderStore(folder);
  const below = await stackTree([], { names: "windows" });
  const junction = withMetadata(entryOf("j", "symlink", { target: "C:\\app" }), { mountpoint: true });
  const changes = await shapeLayer({
    changes: [
      set("app/é.txt", { ...bytes("hello"), mtimeNs: 1_600_000_000_123_456_789n }),
      set("app/other", { type: "hardlink", target: "app/é.txt" }),
      set("link", { type: "symlink", target: "..\\app\\x" }),
      { kind: "set", entry: junction },
    ],
    below,
    origin: "copy",
    madeNs: 0n,
    epochSeconds: 1_700_000_000,
  });
  const written = await writeLayer(changes, store, {
    compression: "none",
    mediaTypes: "docker",
    epochSeconds: 1_700_000_000,
  });
  const tar = await blobBytes(store, written.layer.blob.digest);
  const members = naive(tar);
  t.deepEqual(
    members.map(({ name, type, link }) => [name.replace(/\/$/, ""), type, link]),
    [
      ["Hives", "5", ""],
      ["Files", "5", ""],
      ...["System", "Software", "Sam", "Security", "DefaultUser"].map((name) => [`Hives/${name}_Delta`, "0", ""]),
      ["Files/app", "5", ""],
      ["Files/app/other", "0", ""],
      ["Files/app/é.txt", "1", "Files/app/other"],
      ["Files/j", "2", "C:\\app"],
      ["Files/link", "2", "..\\app\\x"],
    ],
  );
  const file = members.find((one) => one.name === "Files/app/other")!;
  t.is(String(file.body), "hello");
  t.is(file.pax["MSWINDOWS.fileattr"], "32");
  t.is(file.pax["LIBARCHIVE.creationtime"], "1600000000.1234567");
  t.is(file.pax.mtime, "1600000000.1234567");
  t.is(file.pax["MSWINDOWS.rawsd"], Buffer.from(defaultSecurity("file")).toString("base64"));
  t.is(members.find((one) => one.name === "Files/j")!.pax["MSWINDOWS.mountpoint"], "1");
  t.is(members.find((one) => one.name === "Files/j")!.pax["MSWINDOWS.fileattr"], "1040");
  t.true(members.slice(2, 7).every((one) => one.body.subarray(0, 4).equals(Buffer.from("regf"))));

  const out = await scratch(t);
  execFileSync("bsdtar", ["-xf", store.path(written.layer.blob.digest), "-C", out], { env: { LC_ALL: "C.UTF-8" } });
  t.is(readlinkSync(join(out, "Files/j")), "C:\\app");
  t.is(readFileSync(join(out, "Files/app/é.txt"), "utf8"), "hello");
  t.is(statSync(join(out, "Files/app/é.txt")).nlink, 2);

  const back: Change[] = [];
  for await (const change of readLayer(inPieces(tar))) back.push(change);
  const stripped = (list: readonly Change[]) => decodeIndex(encodeIndex(list));
  t.deepEqual(stripped(back), stripped(decodeIndex(written.index)));
});
