/** Placement by Windows' rules: names without case, the image's spelling, and what two names of one file come to. */
import test from "ava";
import { windowsRules } from "../../../builder/steps/name-rules.ts";
import { Placement } from "../../../builder/steps/place.ts";
import { ownedSecurity } from "../../../builder/steps/windows-layer.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import { driveTree } from "../../../layerfs/windows/drive.ts";
import { readMetadata } from "../../../layerfs/windows/metadata.ts";
import { formatSddl } from "../../../layerfs/windows/sddl.ts";
import { decodeSecurity } from "../../../layerfs/windows/security.ts";
import { isWbuildError } from "../../../native/error.ts";
import { changesOf, entryOf, show } from "../../doubles/text-tree.ts";

const base = [
  "dir Files",
  "dir Files/Windows 700",
  "dir Files/Windows/System32",
  "file Files/Windows/System32/Cmd.exe",
  "dir Files/Users",
  "link Files/Profiles C:\\users",
  "link Files/Up ..\\..\\windows\\SYSTEM32",
  "link Files/Data D:\\data",
  "link Files/Loop C:\\loop",
];

async function placement(security?: Uint8Array): Promise<Placement> {
  const folder = async () => {
    throw new Error("this tree has no folder");
  };
  const tree = await stackTree([{ changes: async () => changesOf(base), folder }], { names: "windows" });
  return new Placement(driveTree(tree), security === undefined ? {} : { security }, windowsRules);
}

const located: [path: string, found: string][] = [
  ["/WINDOWS/system32", "Windows/System32"],
  ["/windows/SYSTEM32/new/File", "Windows/System32/new/File"],
  ["/profiles/me", "Users/me"],
  ["/up/x", "Windows/System32/x"],
  ["/new/Deep", "new/Deep"],
  ["/", ""],
  ["/../x", "x"],
];
for (const [path, found] of located) {
  test(`Windows: placement finds ${path} at ${JSON.stringify(found)}`, async (t) => {
    t.is(await (await placement()).locate(path), found);
  });
}

test("Windows: a link to another drive, and one in circles, lead nowhere", async (t) => {
  const there = await placement();
  t.true(isWbuildError(await t.throwsAsync(there.locate("/Data/x")), "WIN_PATH"));
  t.true(isWbuildError(await t.throwsAsync(there.locate("/Loop/x")), "TREE_LOOP"));
});

const placed: [name: string, puts: [path: string, entry: string][], expected: string[]][] = [
  [
    "a file goes into the folder as it is spelled",
    [["windows/SYSTEM32/a.dll", "file a.dll"]],
    ["dir Windows 700", "dir Windows/System32 755", "file Windows/System32/a.dll 644"],
  ],
  [
    "a file that is there keeps its name",
    [["windows/system32/CMD.EXE", "file CMD.EXE 755"]],
    ["dir Windows 700", "dir Windows/System32 755", "file Windows/System32/Cmd.exe 755"],
  ],
  [
    "a folder that is made is spelled as it was made first",
    [
      ["App/a", "file a"],
      ["APP/b", "file b"],
    ],
    ["dir App 755", "file App/a 644", "file App/b 644"],
  ],
  ["a folder onto one that is there leaves it", [["WINDOWS", "dir windows 755"]], ["dir Windows 700"]],
  [
    "of two files from two folders the later one counts, under the first name",
    [
      ["x/Read.me", "file one/Read.me 600"],
      ["x/READ.ME", "file two/READ.ME 640"],
    ],
    ["dir x 755", "file x/Read.me 640"],
  ],
];
for (const [name, puts, expected] of placed) {
  test(`Windows: ${name}`, async (t) => {
    const into = await placement();
    for (const [path, entry] of puts) await into.put(path, entryOf(entry));
    t.deepEqual(into.changes().map(show), expected);
  });
}

const refused: [name: string, puts: [path: string, entry: string][], code: "WIN_NAME" | "WIN_CASE", text: RegExp][] = [
  ["a colon", [["x/a:b", "file src/a:b"]], "WIN_NAME", /"src\/a:b".*":"/],
  ["a device", [["x/nul.txt", "file src/nul.txt"]], "WIN_NAME", /src\/nul\.txt/],
  ["a dot at the end", [["x/a.", "file src/a."]], "WIN_NAME", /src\/a\./],
  ["a folder on the way", [["aux/b", "file src/b"]], "WIN_NAME", /src\/b/],
  [
    "two files of one folder that differ in case only",
    [
      ["x/Makefile", "file src/Makefile"],
      ["x/makefile", "file src/makefile"],
    ],
    "WIN_CASE",
    /"src\/Makefile" and "src\/makefile"/,
  ],
  [
    "two folders that differ in case only",
    [
      ["x/Lib", "dir src/Lib"],
      ["x/lib", "dir src/lib"],
    ],
    "WIN_CASE",
    /"src\/Lib" and "src\/lib"/,
  ],
];
for (const [name, puts, code, text] of refused) {
  test(`Windows refuses, with the source's name: ${name}`, async (t) => {
    const into = await placement();
    const error = await t.throwsAsync(async () => {
      for (const [path, entry] of puts) await into.put(path, entryOf(entry));
    });
    t.true(isWbuildError(error, code), String(error));
    t.regex(error?.message ?? "", text);
  });
}

test("Windows: --chown gives what is copied and made an owner, and the folders that were there none", async (t) => {
  const into = await placement(ownedSecurity("ContainerUser"));
  await into.put("windows/new/a", entryOf("file a"));
  const owners = into.changes().map((change) => {
    const { path, pax } = change.kind === "set" ? change.entry : { path: change.path, pax: undefined };
    const { security } = readMetadata(pax ? { pax } : {});
    return [path, security && formatSddl(decodeSecurity(security))];
  });
  const sddl = "O:S-1-5-93-2-2G:SYD:(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;OICI;0x1701bf;;;S-1-5-93-2-2)";
  t.deepEqual(owners, [
    ["Windows", undefined],
    ["Windows/new", sddl],
    ["Windows/new/a", sddl],
  ]);
});
