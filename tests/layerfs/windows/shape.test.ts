/** What COPY and RUN do to C:, as the layer that Windows imports: order, spelling, what is kept, what is refused. */
import test from "ava";
import type { Change, Entry } from "../../../layerfs/layer/entry.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import { deltaNames, emptyDelta } from "../../../layerfs/windows/deltas.ts";
import { defaultSecurity, metadataPax, readMetadata, withMetadata } from "../../../layerfs/windows/metadata.ts";
import { type ShapeInput, shapeLayer } from "../../../layerfs/windows/shape.ts";
import { entryOf, layerOf, parseChanges } from "../tree/files.ts";

const windowsFolder = withMetadata(entryOf("Files/Windows", "directory", { mode: 0, mtimeNs: 7_000_000_000n }), {
  attributes: 16 + 8192,
  creationTimeNs: -1_500_000_000n,
  security: defaultSecurity("file"),
});
const baseFile = withMetadata(entryOf("Files/Windows/a.txt", "file", { mode: 0, size: 3, mtimeNs: 9_000_000_000n }), {
  attributes: 32 + 2 + 8192,
  creationTimeNs: 123_456_700n,
  security: defaultSecurity("directory"),
});
const base: Change[] = [
  ...parseChanges(["set Files directory"]),
  { kind: "set", entry: windowsFolder },
  { kind: "set", entry: baseFile },
  ...parseChanges([
    "set Files/Windows/System32 directory",
    "set Files/Windows/System32/x file 1",
    "set Files/Windows/System32/y file 1",
    "set Files/Windows/System32/drivers directory",
    "set Files/Windows/System32/drivers/d file 1",
    "set Files/Users directory",
    "set Files/Users/All symlink C:\\ProgramData",
    "set Files/ProgramData directory",
  ]),
];

async function shape(changes: readonly (Change | string)[], more: Partial<ShapeInput> = {}): Promise<Change[]> {
  const below = await stackTree([layerOf(base)], { names: "windows" });
  const list = changes.flatMap((one) => (typeof one === "string" ? parseChanges([one]) : [one]));
  return shapeLayer({ changes: list, below, origin: "copy", madeNs: 5n, ...more });
}

/** Below Files, one line each. */
async function lines(changes: readonly (Change | string)[], more: Partial<ShapeInput> = {}): Promise<string[]> {
  const layer = await shape(changes, more);
  return layer
    .map((one) =>
      one.kind === "set"
        ? [one.entry.type, one.entry.path, ...(one.entry.target === undefined ? [] : [one.entry.target])].join(" ")
        : `${one.kind} ${one.path}`,
    )
    .filter((line) => line.includes(" Files/"))
    .map((line) => line.replace("Files/", ""));
}

function entryAt(layer: readonly Change[], path: string): Entry {
  for (const change of layer) if (change.kind === "set" && change.entry.path === path) return change.entry;
  throw new Error(`no ${path}`);
}

test("Hives with five deltas and Files come first, also when nothing else changes", async (t) => {
  const given = Buffer.from("delta of software");
  const layer = await shape([], { deltas: new Map([["Software", given]]) });
  const paths = layer.map((one) => (one.kind === "set" ? one.entry.path : one.path));
  t.deepEqual(paths, ["Hives", "Files", ...deltaNames.map((name) => `Hives/${name}_Delta`)]);
  t.deepEqual(entryAt(layer, "Hives/Software_Delta").content, { kind: "bytes", bytes: given });
  t.deepEqual(entryAt(layer, "Hives/Sam_Delta").content, { kind: "bytes", bytes: emptyDelta() });
});

test("a base layer has Files alone, its hives among them", async (t) => {
  const below = await stackTree([], { names: "windows" });
  const changes = parseChanges(["set Windows/System32/config/SYSTEM file 1"]);
  const layer = await shapeLayer({ changes, below, origin: "base", madeNs: 5n });
  const paths = layer.map((one) => (one.kind === "set" ? one.entry.path : one.path));
  t.deepEqual(paths, [
    "Files",
    "Files/Windows",
    "Files/Windows/System32",
    "Files/Windows/System32/config",
    "Files/Windows/System32/config/SYSTEM",
  ]);
});

const rows: [name: string, changes: (Change | string)[], left: string[]][] = [
  [
    "folders above a new file come once, as the base spells them",
    ["set windows/SYSTEM32/new file 1", "set WINDOWS/system32/z file 1"],
    ["directory Windows", "directory Windows/System32", "file Windows/System32/new", "file Windows/System32/z"],
  ],
  ["a changed file has the base's name", ["set windows/A.TXT file 1"], ["directory Windows", "file Windows/a.txt"]],
  [
    "a deletion has the base's name",
    ["delete windows/system32/X"],
    ["directory Windows", "directory Windows/System32", "delete Windows/System32/x"],
  ],
  ["a deleted folder is one whiteout", ["delete Windows/System32"], ["directory Windows", "delete Windows/System32"]],
  ["what is not there is not deleted", ["delete Windows/none", "delete none/x", "delete Windows/a.txt/x"], []],
  ["a folder that says nothing new is left out", ["set Windows directory", "set Windows/System32 directory"], []],
  ["a new empty folder", ["set app directory"], ["directory app"]],
  [
    "a cleared folder is a whiteout for each child",
    ["set Windows/System32 directory", "clear Windows/System32"],
    [
      "directory Windows",
      "directory Windows/System32",
      "delete Windows/System32/drivers",
      "delete Windows/System32/x",
      "delete Windows/System32/y",
    ],
  ],
  [
    "what is there again gets no whiteout, and hides all below it",
    [
      "set Windows/System32 directory",
      "clear Windows/System32",
      "set Windows/System32/X file 2",
      "set Windows/System32/drivers directory",
    ],
    [
      "directory Windows",
      "directory Windows/System32",
      "directory Windows/System32/drivers",
      "delete Windows/System32/drivers/d",
      "file Windows/System32/x",
      "delete Windows/System32/y",
    ],
  ],
  [
    "deleted and made again as a folder",
    ["delete Windows/System32", "set Windows/system32 directory", "set Windows/system32/n file 1"],
    [
      "directory Windows",
      "directory Windows/System32",
      "delete Windows/System32/drivers",
      "file Windows/System32/n",
      "delete Windows/System32/x",
      "delete Windows/System32/y",
    ],
  ],
  [
    "deleted and made again as a file: the entry hides what was there",
    ["delete Windows/System32", "set Windows/System32 file 1"],
    ["directory Windows", "file Windows/System32"],
  ],
  [
    "a file where a folder was",
    ["set Windows/System32 file 1", "delete Windows/System32/x"],
    ["directory Windows", "file Windows/System32"],
  ],
  [
    "a folder where a file was",
    ["set Windows/a.txt directory", "set Windows/a.txt/n file 1"],
    ["directory Windows", "directory Windows/a.txt", "file Windows/a.txt/n"],
  ],
  ["a link keeps its backslashes", ["set l symlink ..\\a\\b"], ["symlink l ..\\a\\b"]],
  [
    "a link of Linux gets them",
    ["set d/l symlink ../Windows/a.txt"],
    ["directory d", "symlink d/l ..\\Windows\\a.txt"],
  ],
  ["a link above C: stops there", ["set d/l symlink ../../../../etc"], ["directory d", "symlink d/l ..\\etc"]],
  ["an absolute link of Linux is one from C:", ["set l symlink /etc/x"], ["symlink l \\etc\\x"]],
  [
    "a hard link has its target's path in the tar",
    ["set a file 1", "set b hardlink A"],
    ["file a", "hardlink b Files/a"],
  ],
  [
    "the first name is the file",
    ["set b file 1", "set a hardlink b", "set c hardlink b"],
    ["file a", "hardlink b Files/a", "hardlink c Files/a"],
  ],
  [
    "a hard link to a file of the layers below",
    ["set b hardlink windows/SYSTEM32/X"],
    ["hardlink b Files/Windows/System32/x"],
  ],
  [
    "a file renamed to another case of its name keeps the base's",
    ["delete Windows/a.txt", "set Windows/A.TXT file 1"],
    ["directory Windows", "file Windows/a.txt"],
  ],
  [
    "a deletion beside another spelling of its folder",
    ["set WINDOWS/x file 1", "delete windows/SYSTEM32"],
    ["directory Windows", "delete Windows/System32", "file Windows/x"],
  ],
  [
    "streams, odd files of other folders",
    ["set app/tombstones.txt file 1"],
    ["directory app", "file app/tombstones.txt"],
  ],
];
for (const [name, changes, left] of rows) {
  test(`shape: ${name}`, async (t) => t.deepEqual(await lines(changes), left));
}

const refusals: [changes: string[], code: string, text: RegExp][] = [
  [["set app/con.txt file 1"], "WIN_NAME", /"C:\\\\app\\\\con\.txt"/],
  [["set a:b file 1"], "WIN_NAME", /a:b/],
  [["set app/.wh.x file 1"], "WIN_NAME", /\.wh\.x/],
  [["set .wh.d/x file 1"], "WIN_NAME", /\.wh\.d/],
  [["set p fifo"], "WIN_TYPE", /"C:\\\\p": it is a pipe/],
  [["set README file 1", "set readme file 1"], "WIN_CASE", /"C:\\\\README" and "readme"/],
  [["set d directory", "set D file 1"], "WIN_CASE", /"C:\\\\d" and "D"/],
  [["set Users/all/x file 1"], "WIN_PARENT", /"C:\\\\Users\\\\All", which is a link/],
  [["set Windows/a.txt/x file 1"], "WIN_PARENT", /which is a file/],
  [["set f file 1", "set f/x file 1"], "WIN_PARENT", /which is a file/],
  [["set b hardlink none"], "WIN_LINK", /"C:\\\\b" is a hard link to "C:\\\\none"/],
  [["set b hardlink Windows"], "WIN_LINK", /where no file is/],
  [["delete Windows/System32", "set b hardlink Windows/System32/x"], "WIN_LINK", /where no file is/],
];
for (const [changes, code, text] of refusals) {
  test(`shape: ${changes.join(", ")} is refused`, async (t) => {
    const error = await t.throwsAsync(shape(changes), { code });
    t.regex(error?.message ?? "", text);
  });
}

test("what a step leaves behind and no layer holds is dropped and named", async (t) => {
  const warnings: string[] = [];
  const left = await lines(
    [
      "set a.txt file 1",
      "set a.txt:Zone.Identifier file 1",
      "set p fifo",
      { kind: "set", entry: entryOf("System volume information", "directory") },
      "set $RECYCLE.BIN/x file 1",
      "set WcSandboxState directory",
      "set x.$wcidirs$ file 1",
      "set Windows/System32/config/SYSTEM file 1",
      "set Windows/System32/config/system.LOG1 file 1",
      "set Users/u/NTUSER.DAT file 1",
      "set Users/u/ntuser.dat.LOG2 file 1",
      "set Users/u/NTUSER.DAT{0}.TM.blf file 1",
      "set app/default.log file 1",
      "delete Windows/System32/config/SOFTWARE",
    ],
    { origin: "run", onDropped: ({ path, reason }) => warnings.push(`${path}: ${reason}`) },
  );
  t.deepEqual(left, [
    "directory Users",
    "directory Users/u",
    "file Users/u/NTUSER.DAT",
    "file a.txt",
    "directory app",
    "file app/default.log",
  ]);
  t.is(warnings.length, 10);
  t.true(warnings.includes("a.txt:Zone.Identifier: importers disagree about alternate streams"));
});

test("a folder on the way is exactly as below; a file changed in content keeps what is not content", async (t) => {
  const now = entryOf("windows/A.TXT", "file", { size: 5, mode: 0o600, uid: 7, mtimeNs: 11_000_000_199n });
  const layer = await shape([{ kind: "set", entry: now }]);
  t.deepEqual(entryAt(layer, "Files/Windows"), windowsFolder);
  const entry = entryAt(layer, "Files/Windows/a.txt");
  t.deepEqual(entry.pax, baseFile.pax);
  t.is(entry.size, 5);
  // In steps of 100 ns.
  t.is(entry.mtimeNs, 11_000_000_100n);
  t.deepEqual([entry.mode, entry.uid], [0, 0]);
});

test("what an entry says itself counts before what was there", async (t) => {
  const own = withMetadata(entryOf("Windows/a.txt", "file"), { attributes: 1 });
  const entry = entryAt(await shape([{ kind: "set", entry: own }]), "Files/Windows/a.txt");
  t.deepEqual(readMetadata(entry), { ...readMetadata(baseFile), attributes: 1 });
  const folder = withMetadata(entryOf("Windows", "directory", { mtimeNs: 99n }), { attributes: 18 });
  const changed = entryAt(await shape([{ kind: "set", entry: folder }]), "Files/Windows");
  t.deepEqual(readMetadata(changed), { ...readMetadata(windowsFolder), attributes: 18 });
  t.is(changed.mtimeNs, windowsFolder.mtimeNs);
});

test("new files, folders and links get the defaults; what was made anew, too", async (t) => {
  const layer = await shape(
    [
      {
        kind: "set",
        entry: entryOf("f", "file", {
          mtimeNs: 2_000_000_000_700_000_000n,
          pax: new Map([["SCHILY.xattr.user.x", Buffer.of(1)]]),
        }),
      },
      "set d directory",
      "set l symlink f",
      "set ld symlink windows\\system32",
      "set new symlink d",
      "delete Windows/a.txt",
      "set Windows/a.txt file 1",
    ],
    { epochSeconds: 1_000_000_000 },
  );
  t.deepEqual(
    entryAt(layer, "Files/f").pax,
    metadataPax({ attributes: 32, creationTimeNs: 10n ** 18n, security: defaultSecurity("file") }),
  );
  t.is(readMetadata(entryAt(layer, "Files/d")).attributes, 16);
  t.deepEqual(readMetadata(entryAt(layer, "Files/d")).security, defaultSecurity("directory"));
  t.is(readMetadata(entryAt(layer, "Files/l")).attributes, 1024);
  t.is(readMetadata(entryAt(layer, "Files/ld")).attributes, 1024 + 16);
  t.is(readMetadata(entryAt(layer, "Files/new")).attributes, 1024 + 16);
  t.is(readMetadata(entryAt(layer, "Files/Windows/a.txt")).attributes, 32);
});

test("a junction keeps its mark, a copied link that did not change is no change", async (t) => {
  const junction = withMetadata(entryOf("j", "symlink", { target: "C:\\Windows" }), { mountpoint: true });
  const entry = entryAt(await shape([{ kind: "set", entry: junction }]), "Files/j");
  t.deepEqual(
    [entry.target, readMetadata(entry).mountpoint, readMetadata(entry).attributes],
    ["C:\\Windows", true, 1024 + 16],
  );
  // On disk it is a link of Linux.
  t.deepEqual(await lines(["set Users/All symlink ../ProgramData"], { origin: "run" }), []);
  t.deepEqual(await lines(["set Users/All symlink ../Windows"], { origin: "run" }), [
    "directory Users",
    "symlink Users/All ..\\Windows",
  ]);
});

const marks: [name: string, entry: Entry, attributes: number | undefined][] = [
  ["new", entryOf("n", "file"), 32],
  ["new and hidden", entryOf("n", "file", dos("0x2")), 34],
  ["new and read-only", entryOf("n", "file", { mode: 0o444 }), 33],
  ["new hidden system folder", entryOf("n", "directory", dos("0x6")), 22],
  ["no longer hidden", entryOf("Windows/a.txt", "file"), 32 + 8192],
  ["still hidden", entryOf("Windows/a.txt", "file", dos("0x2\0")), 32 + 2 + 8192],
  ["hidden and system now", entryOf("Windows/a.txt", "file", dos("0x6")), 32 + 6 + 8192],
  ["a folder now hidden", entryOf("Windows", "directory", dos("0x2")), 16 + 2 + 8192],
  ["a mark that is none", entryOf("n", "file", dos("zz")), 32],
];
for (const [name, entry, attributes] of marks) {
  test(`attributes that a step sets: ${name}`, async (t) => {
    const layer = await shape([{ kind: "set", entry }], { origin: "run" });
    t.is(readMetadata(entryAt(layer, `Files/${entry.path}`)).attributes, attributes);
  });
}

function dos(text: string): Partial<Entry> {
  return { pax: new Map([["SCHILY.xattr.user.DOSATTRIB", Buffer.from(text)]]) };
}
