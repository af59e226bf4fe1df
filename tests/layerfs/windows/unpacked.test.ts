/** Unpacked Windows layers, made fit for Wine: spelling, links that stay inside, attributes; and hostile layers. */
import { chmodSync, existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { decodeIndex } from "../../../layerfs/layer/layer-index.ts";
import { readLayer } from "../../../layerfs/layer/read.ts";
import { readMetadata } from "../../../layerfs/windows/metadata.ts";
import { getXattrs } from "../../../native/addon/addon.ts";
import { gather } from "../../contracts/blob-store.ts";
import { encodeIndex, inPieces, type Member, tarOf } from "../layer/workbench.ts";
import { makeTempFolder } from "../tree/files.ts";
import { file, folder, link, treeOf, unpack } from "./unpacked-workbench.ts";

const base = [
  folder("Files"),
  folder("Files/Windows"),
  folder("Files/Windows/System32"),
  file("Files/Windows/System32/a.dll", "base"),
  folder("Files/ProgramData"),
  folder("Files/Users"),
  folder("Hives"),
];

test("a base layer: modes that Linux can use, hidden and read-only marks, hives untouched", async (t) => {
  const lower = await unpack(
    t,
    [],
    [
      ...base,
      file("Files/h", "x", { "MSWINDOWS.fileattr": "34" }),
      file("Files/r", "x", { "MSWINDOWS.fileattr": "33" }),
      folder("Files/d", { "MSWINDOWS.fileattr": "23" }),
      file("Hives/System_Delta", "regf"),
    ],
  );
  const mode = (path: string) => lstatSync(join(lower.folder, path)).mode & 0o7777;
  const mark = (path: string) => String(getXattrs(join(lower.folder, path)).get("user.DOSATTRIB"));
  t.deepEqual(
    [mode("Files"), mode("Files/Windows/System32"), mode("Files/Windows/System32/a.dll")],
    [0o755, 0o755, 0o644],
  );
  t.deepEqual([mode("Files/h"), mode("Files/r"), mode("Files/d")], [0o644, 0o444, 0o755]);
  t.deepEqual([mark("Files/h"), mark("Files/r"), mark("Files/d")], ["0x2", "undefined", "0x6"]);
  t.is(readFileSync(join(lower.folder, "Hives/System_Delta"), "utf8"), "regf");
  await lower.again();
  t.deepEqual([mode("Files/r"), mark("Files/d")], [0o444, "0x6"]);
});

const rows: [name: string, members: Member[], lines: string[]][] = [
  [
    "names get the spelling of the layers below",
    [
      folder("Files"),
      folder("Files/windows"),
      folder("Files/windows/SYSTEM32"),
      file("Files/windows/SYSTEM32/A.DLL", "new"),
      file("Files/windows/New", "x"),
    ],
    [
      "directory Files",
      "directory Files/Windows",
      "file Files/Windows/New",
      "directory Files/Windows/System32",
      "file Files/Windows/System32/a.dll",
    ],
  ],
  [
    "whiteouts too; those of nothing go",
    [folder("Files"), folder("Files/WINDOWS"), file("Files/WINDOWS/.wh.system32", ""), file("Files/.wh.none", "")],
    ["directory Files", "directory Files/Windows", "character Files/Windows/System32"],
  ],
  [
    "what was deleted and made again in another spelling stands beside its whiteout",
    [folder("Files"), file("Files/.wh.USERS", ""), folder("Files/users"), file("Files/users/x", "1")],
    ["directory Files", "character Files/Users", "directory Files/users", "file Files/users/x"],
  ],
  [
    "deleted in another spelling and made again in the old one: no whiteout beside it",
    [folder("Files"), file("Files/.wh.USERS", ""), file("Files/Users", "now a file")],
    ["directory Files", "file Files/Users"],
  ],
  [
    "two spellings in one layer come together",
    [
      folder("Files"),
      folder("Files/App"),
      file("Files/App/x", "1"),
      folder("Files/app"),
      file("Files/app/y", "2"),
      file("Files/APP/X", "3"),
    ],
    ["directory Files", "directory Files/App", "file Files/App/x", "file Files/App/y"],
  ],
  [
    "of a folder and a file of one name the last stays",
    [folder("Files"), folder("Files/App"), file("Files/App/x", "1"), file("Files/app", "2")],
    ["directory Files", "file Files/App"],
  ],
  [
    "streams and names with backslashes go",
    [
      folder("Files"),
      file("Files/a.txt", "1"),
      file("Files/a.txt:s", "2"),
      file("Files/..\\..\\x", "3"),
      folder("Files/D:"),
      file("Files/D:/x", "1"),
    ],
    ["directory Files", "file Files/a.txt"],
  ],
  [
    "links stay inside, spelled as what they lead to",
    [
      folder("Files"),
      folder("Files/Users"),
      link("Files/Users/All", "C:\\programdata"),
      link("Files/Users/up", "..\\WINDOWS\\system32"),
      link("Files/Users/root", "\\windows"),
      link("Files/Users/drive", "C:\\"),
      link("Files/Users/none", "C:\\None\\x"),
      link("Files/Users/climb", "..\\..\\..\\..\\etc\\passwd"),
      link("Files/Users/unix", "/etc/passwd"),
      link("Files/Users/unixup", "../../../../../../etc/passwd"),
      link("Files/Users/other", "D:\\x/../../../../etc"),
      link("Files/Users/share", "\\\\server\\share"),
      link("Hives/System_Delta", "/etc/passwd"),
    ],
    [
      "directory Files",
      "directory Files/Users",
      "symlink Files/Users/All ../ProgramData",
      "symlink Files/Users/climb ../etc/passwd",
      "symlink Files/Users/drive ..",
      "symlink Files/Users/none ../None/x",
      "symlink Files/Users/other D:\\x\\..\\..\\..\\..\\etc",
      "symlink Files/Users/root ../Windows",
      "symlink Files/Users/share \\\\server\\share",
      "symlink Files/Users/unix ../etc/passwd",
      "symlink Files/Users/unixup ../etc/passwd",
      "symlink Files/Users/up ../Windows/System32",
      "directory Hives",
      "symlink Hives/System_Delta \\",
    ],
  ],
  [
    "a link that changes what it leads to in the same layer",
    [folder("Files"), folder("Files/New"), link("Files/l", "C:\\NEW\\x"), file("Files/New/X", "1")],
    ["directory Files", "directory Files/New", "file Files/New/X", "symlink Files/l New/X"],
  ],
  ["a link in place of a tree goes", [link("Files", "/etc"), link("Hives", "/etc")], []],
];
for (const [name, members, lines] of rows) {
  test(`unpacked: ${name}`, async (t) => {
    const lower = await unpack(t, [], base);
    const upper = await unpack(t, [lower], members);
    t.deepEqual(await upper.lines(), lines);
    await upper.again();
    t.deepEqual(await upper.lines(), lines);
    // The folder's names are the tree's: bytes are found where the tree says.
    const tree = await treeOf([lower, upper]);
    for (const entry of await tree.walk("")) {
      const isOfUpper = (await upper.lines()).includes(`file ${entry.path}`);
      if (entry.type === "file" && isOfUpper) await t.notThrowsAsync(gather(tree.read(entry)));
    }
  });
}

test("a tar as Windows writes it: type bits in modes, access times, streams, junctions; read and unpacked the same", async (t) => {
  const times = { mtime: "-11644473600", atime: "1600000000.1234567", ctime: "1600000000.5" };
  const pax = { ...times, "MSWINDOWS.fileattr": "1040", "LIBARCHIVE.creationtime": "-1.5" };
  const members: Member[] = [
    { name: "Files/", type: "5", mode: "0040000\0", pax: times },
    { name: "Files/a.txt", body: "x", mode: "0100000\0", pax: times },
    { name: "Files/a.txt:s", body: "stream", mode: "0100000\0", pax: times },
    {
      name: "Files/j",
      type: "2",
      link: "C:\\Windows",
      mode: "0160000\0",
      pax: { ...pax, "MSWINDOWS.mountpoint": "1" },
    },
    { name: "Files/h", type: "1", link: "Files/a.txt", mode: "0000644\0" },
  ];
  const read: Change[] = [];
  for await (const change of readLayer(inPieces(tarOf(...members)))) read.push(change);
  const layer = await unpack(t, [], members);
  t.deepEqual(decodeIndex(encodeIndex(read)), [...(await layer.layer.changes())]);
  t.deepEqual(await layer.lines(), ["directory Files", "file Files/a.txt", "file Files/h", "symlink Files/j Windows"]);
  const tree = await treeOf([layer]);
  t.deepEqual(readMetadata((await tree.stat("Files/j"))!), {
    attributes: 1040,
    creationTimeNs: -1_500_000_000n,
    mountpoint: true,
  });
  t.is((await tree.stat("Files/j"))?.target, "C:\\Windows");
  t.is((await tree.stat("Files/a.txt"))?.mtimeNs, -11_644_473_600_000_000_000n);
  t.deepEqual(
    (await tree.list("Files")).map((entry) => entry.path),
    ["Files/a.txt", "Files/h", "Files/j"],
  );
});

const attacks: [name: string, members: (outside: string) => Member[]][] = [
  [
    "a link, and a folder of the same name in capitals",
    (out) => [folder("Files"), link("Files/l", out), folder("Files/L"), file("Files/L/victim", "bad")],
  ],
  [
    "the other way round",
    (out) => [folder("Files"), folder("Files/L"), file("Files/L/victim", "bad"), link("Files/l", out)],
  ],
  [
    "a hard link to a link",
    (out) => [folder("Files"), link("Files/a", out), { name: "Files/b", type: "1", link: "Files/a" }],
  ],
  [
    "a whiteout below a link",
    (out) => [folder("Files"), link("Files/l", out), folder("Files/L"), file("Files/L/.wh.victim", "")],
  ],
  [
    "a link in a folder that is put together with another",
    (out) => [
      folder("Files"),
      folder("Files/d"),
      link("Files/d/l", out),
      folder("Files/D"),
      folder("Files/D/l"),
      file("Files/D/l/victim", "bad"),
    ],
  ],
  ["a tree that is a link", (out) => [link("Files", out), link("UtilityVM", out)]],
];
for (const [name, members] of attacks) {
  test(`unpacked, hostile: ${name}`, async (t) => {
    using outside = makeTempFolder();
    writeFileSync(join(outside.path, "victim"), "safe");
    chmodSync(join(outside.path, "victim"), 0o600);
    chmodSync(outside.path, 0o711);
    const layer = await unpack(t, [], members(outside.path));
    t.is(readFileSync(join(outside.path, "victim"), "utf8"), "safe");
    t.is(lstatSync(join(outside.path, "victim")).mode & 0o777, 0o600);
    t.is(lstatSync(outside.path).mode & 0o777, 0o711);
    for (const line of await layer.lines()) {
      const [type, path = ""] = line.split(" ");
      if (type === "symlink") t.false(existsSync(join(layer.folder, path)), `${line} leads somewhere`);
    }
  });
}
