/** What stands in C: for the files that Wine would copy there. The Wine is made up. */
import { chownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Wine } from "../../../../../builder/runtime/wine/personality/find-wine.ts";
import { linkToHost } from "../../../../../builder/runtime/wine/personality/link-host.ts";
import { noRoot, testUnless } from "../../../../doubles/test-unless.ts";

const builtin = (what: string) => `${"MZ".padEnd(0x40)}Wine builtin DLL\0${what}`;

interface Place {
  readonly wine: Wine;
  readonly files: string;
  readonly standIns: string;
}

/** A Wine with a program and a DLL, a prefix with copies of them and a program of somebody else's, a stand-in for cmd. */
function placeOf(t: ExecutionContext): Place {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-links-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const [windows, files, standIns] = ["host", "files/Windows/System32", "ours"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [windows, files, standIns]) mkdirSync(path, { recursive: true });
  for (const name of ["cmd.exe", "shell32.dll", "atl80.dll"]) {
    writeFileSync(join(windows, name), builtin(`Wine's ${name}`));
    writeFileSync(join(files, name === "cmd.exe" ? "CMD.exe" : name), builtin(`Wine's ${name}`));
  }
  writeFileSync(join(files, "other.exe"), "MZ other");
  writeFileSync(join(standIns, "cmd.exe"), builtin("our cmd.exe"));
  const none = join(folder, "none");
  return { wine: { loader: none, server: none, windows, unix: none, data: none }, files, standIns };
}

test("what stands in for a program of Wine's is a file of its own, whichever way the others are linked", (t) => {
  const { wine, files, standIns } = placeOf(t);
  linkToHost(join(files, "../.."), wine, standIns);
  t.true(readFileSync(join(files, "CMD.exe"), "latin1").endsWith("our cmd.exe"));
  t.true(lstatSync(join(files, "CMD.exe")).isFile());
  t.true(readFileSync(join(wine.windows, "cmd.exe"), "latin1").endsWith("Wine's cmd.exe"), "the host's is untouched");
  t.true(readFileSync(join(files, "shell32.dll"), "latin1").endsWith("Wine's shell32.dll"));
  t.is(readFileSync(join(files, "other.exe"), "latin1"), "MZ other");
});

const asRoot = testUnless(noRoot);
asRoot("a file of somebody else's is linked by name: a user namespace has no owner for a hard link's copy", (t) => {
  const { wine, files, standIns } = placeOf(t);
  for (const name of ["shell32.dll", "atl80.dll"]) chownSync(join(wine.windows, name), 4321, 4321);
  linkToHost(join(files, "../.."), wine, standIns);
  for (const name of ["shell32.dll", "atl80.dll"]) t.is(statSync(join(wine.windows, name)).nlink, 1, name);
  // A file system that clones makes files of our own, which is as good.
  const shell = lstatSync(join(files, "shell32.dll"));
  t.true(shell.isSymbolicLink() || shell.uid === 0);
  t.true(lstatSync(join(files, "atl80.dll")).isFile(), "installers overwrite it in place");
});
