import test from "ava";
import { Placement } from "../../../builder/steps/place.ts";
import { isWbuildError } from "../../../native/error.ts";
import { entryOf, show, treeOf } from "../../doubles/text-tree.ts";

const base = [
  "dir etc 755",
  "file etc/hosts",
  "dir usr",
  "dir usr/bin",
  "link bin usr/bin",
  "link loop loop",
  "dir tmp 1777",
  "dir var",
  "link var/run ../run/./now",
];

const placed: [name: string, puts: [string, string][], expected: string[]][] = [
  ["a file at the top needs nothing above it", [["a", "file x"]], ["file a 644"]],
  [
    "folders above are made, root's and 0755",
    [["opt/app/a", "file x"]],
    ["dir opt 755", "dir opt/app 755", "file opt/app/a 644"],
  ],
  ["a folder that is there is repeated as it is", [["tmp/a", "file x"]], ["dir tmp 1777", "file tmp/a 644"]],
  ["a folder put onto a folder brings its attributes", [["tmp", "dir x 700"]], ["dir tmp 700"]],
  ["a new folder has its own attributes", [["new", "dir x 700"]], ["dir new 700"]],
  ["a file replaces a file", [["etc/hosts", "file x 600"]], ["dir etc 755", "file etc/hosts 600"]],
  [
    "siblings come in order, children after their folder",
    [
      ["b", "file x"],
      ["a-b", "file x"],
      ["a/c", "file x"],
    ],
    ["dir a 755", "file a/c 644", "file a-b 644", "file b 644"],
  ],
  [
    "a hard link that sorts before its file becomes the file",
    [
      ["z", "file x 600"],
      ["a", "hard x z"],
    ],
    ["file a 600", "hard z a"],
  ],
  [
    "a hard link that sorts after its file stays one",
    [
      ["a", "file x"],
      ["z", "hard x a"],
    ],
    ["file a 644", "hard z a"],
  ],
];

for (const [name, puts, expected] of placed) {
  test(`placement: ${name}`, async (t) => {
    const placement = new Placement(await treeOf(...base));
    for (const [path, line] of puts) await placement.put(path, entryOf(line));
    t.deepEqual(placement.changes().map(show), expected);
  });
}

const refused: [name: string, path: string, line: string, code: string][] = [
  ["a folder onto a file", "etc/hosts", "dir x", "STEP_NOT_A_DIRECTORY"],
  ["a folder onto a link", "bin", "dir x", "STEP_NOT_A_DIRECTORY"],
  ["a file onto a folder", "etc", "file x", "STEP_IS_A_DIRECTORY"],
  ["anything below a file", "etc/hosts/a", "file x", "STEP_NOT_A_DIRECTORY"],
];

for (const [name, path, line, code] of refused) {
  test(`placement refuses ${name}`, async (t) => {
    const placement = new Placement(await treeOf(...base));
    const error = await t.throwsAsync(placement.put(path, entryOf(line)));
    t.true(isWbuildError(error, code as "STEP_IS_A_DIRECTORY"), String(error));
  });
}

const located: [path: string, where: string][] = [
  ["/", ""],
  ["/bin/sh", "usr/bin/sh"],
  ["/bin", "usr/bin"],
  ["/no/such/thing", "no/such/thing"],
  ["/../../etc", "etc"],
  ["/bin/../x", "usr/x"],
  ["/var/run", "run/now"],
  ["/var/run/a/../b/", "run/now/b"],
];

for (const [path, where] of located) {
  test(`placement finds ${path} at ${JSON.stringify(where)}`, async (t) => {
    const placement = new Placement(await treeOf(...base));
    t.is(await placement.locate(path), where);
  });
}

test("placement: a link in circles is refused", async (t) => {
  const placement = new Placement(await treeOf(...base));
  const error = await t.throwsAsync(placement.locate("/loop/x"));
  t.true(isWbuildError(error, "TREE_LOOP"), String(error));
});

test("placement: names of one file are one file and links to it; what took a name's place is not", async (t) => {
  const inode = {};
  const placement = new Placement(await treeOf(...base));
  for (const path of ["b", "a", "c"]) await placement.put(path, { ...entryOf("file x 600"), inode });
  await placement.put("a", entryOf("file y 755"));
  t.deepEqual(placement.changes().map(show), ["file a 755", "file b 600", "hard c b"]);
});

test("placement: owner and mode of the flags go to what is put and to the folders made for it", async (t) => {
  const placement = new Placement(await treeOf(...base), { owner: { uid: 7, gid: 8 }, chmod: 0o640 });
  await placement.put("opt/a", entryOf("file x 755"));
  await placement.put("opt/l", entryOf("link x target"));
  t.deepEqual(placement.changes().map(show), ["dir opt 640 7:8", "file opt/a 640 7:8", "link opt/l target 7:8"]);
});

test("placement: an archive's entry replaces what is there, of whatever type", async (t) => {
  const placement = new Placement(await treeOf(...base));
  await placement.put("bin", entryOf("dir x 700"), { replace: true });
  t.deepEqual(placement.changes().map(show), ["dir bin 700"]);
});
