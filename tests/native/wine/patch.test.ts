/** Changes to Wine's own files, on files of the compiler and of Wine. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { forwardExport, forwardedFunctions, hiddenCommands, hideBuiltin } from "../../../native/wine/patch.ts";
import { readPe } from "../../../native/wine/pe.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { makeDll } from "./dll.ts";

const wines = "/usr/lib/x86_64-linux-gnu/wine/x86_64-windows";
const withWine = testUnless(existsSync(wines) ? undefined : "no wine64 on this host");
const objdump = "/usr/bin/x86_64-w64-mingw32-objdump";

/** The forwarder of an export as this test reads it: a text at an address inside of the export directory. */
function forwarder(dll: Uint8Array, index: number): { text: string; original: number } | undefined {
  const pe = readPe(dll);
  const address = pe.view.getUint32(pe.functions.at + 4 * index, true);
  if (address < pe.exports.rva || address >= pe.exports.rva + pe.exports.size) return undefined;
  const at = pe.offset(address, 1) ?? 0;
  const end = dll.indexOf(0, at);
  return { text: Buffer.from(dll.subarray(at, end)).toString(), original: pe.view.getUint32(end + 1, true) };
}

test("an export becomes a forwarder, its own address behind the text; the others stay", (t) => {
  const dll = makeDll({ exports: ["alpha", "beta", "gamma"] });
  const pe = readPe(dll);
  const addresses = [0, 1, 2].map((index) => pe.view.getUint32(pe.functions.at + 4 * index, true));
  const once = forwardExport(dll, "beta", "other.beta");
  const twice = forwardExport(once, "alpha", "other.alpha");
  t.deepEqual(forwarder(twice, 1), { text: "other.beta", original: addresses[1] ?? 0 });
  t.deepEqual(forwarder(twice, 0), { text: "other.alpha", original: addresses[0] ?? 0 });
  t.is(forwarder(twice, 2), undefined);
  t.is(readPe(twice).view.getUint32(readPe(twice).functions.at + 8, true), addresses[2] ?? 0);
  // A Buffer's slice is no copy.
  const given = Buffer.from(dll);
  forwardExport(given, "beta", "other.beta");
  t.deepEqual(new Uint8Array(given), dll, "what was given is left alone");
});

const refused: readonly (readonly [why: RegExp, dll: () => Uint8Array, name?: string])[] = [
  [/no export delta/, () => makeDll({ exports: ["alpha"] }), "delta"],
  [/forwarded already/, () => forwardExport(makeDll({ exports: ["alpha"] }), "alpha", "a.b")],
  [/no room left/, () => makeDll({ exports: ["alpha"], room: 7 })],
  [/in use/, () => makeDll({ exports: ["alpha"], padding: 0xcc })],
  [/a function lies right behind/, () => makeDll({ exports: ["alpha"], codeBehind: true })],
  [/it exports nothing/, () => makeDll({ exports: [] })],
  [/no program/, () => Buffer.from("MZ")],
  [/no program/, () => Buffer.alloc(4096)],
  [/headers are cut off/, () => makeDll({ exports: ["alpha"] }).subarray(0, 0xa0)],
  [/outside of the file/, () => makeDll({ exports: ["alpha"] }).subarray(0, 0x210)],
];
for (const [why, dll, name] of refused) {
  test(`refused: ${why.source} (${name ?? dll.toString().slice(6, 60)})`, (t) => {
    t.throws(() => forwardExport(dll(), name ?? "alpha", "a.b"), { code: "WIN_PATCH", message: why } as object);
  });
}

test("a command of cmd is hidden where there is exactly one entry of it", (t) => {
  const cmd = (...words: string[]) =>
    Buffer.concat([makeDll({ exports: [] }), Buffer.from(`\0${words.join("\0\0")}\0`, "utf16le")]);
  const before = cmd("CD", "MKLINK", "RD", "Syntax: MKLINK x");
  const after = Buffer.from(hideBuiltin(before, "MKLINK"));
  t.is(after.length, before.length);
  t.deepEqual(after, cmd("CD", "\t\t\t\t\t\t", "RD", "Syntax: MKLINK x"));
  t.throws(() => hideBuiltin(cmd("CD"), "RD"), { message: /no built-in command RD/ });
  t.throws(() => hideBuiltin(cmd("RD", "RD"), "RD"), { message: /more than once/ });
});

withWine("this host's Wine can be patched, and binutils reads the forwarders", (t) => {
  const original: Uint8Array = readFileSync(join(wines, "kernelbase.dll"));
  const patched = forwardedFunctions.reduce((dll, name) => forwardExport(dll, name, `wbuildlnk.${name}`), original);
  const cmd: Uint8Array = readFileSync(join(wines, "cmd.exe"));
  t.is(hiddenCommands.reduce((file, name) => hideBuiltin(file, name), cmd).length, cmd.length);
  if (!existsSync(objdump)) return t.log("no mingw objdump: not compared");
  const listed = listForwarders(t, patched);
  t.deepEqual(
    listed.filter((text) => text.startsWith("wbuildlnk.")).sort(),
    forwardedFunctions.map((name) => `wbuildlnk.${name}`),
  );
  // Those that Wine has itself are still there.
  t.deepEqual(
    listed.filter((text) => !text.startsWith("wbuildlnk.")),
    listForwarders(t, original),
  );
});

function listForwarders(t: ExecutionContext, dll: Uint8Array): string[] {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-patch-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "a.dll"), dll);
  const text = execFileSync(objdump, ["-p", join(folder, "a.dll")], { encoding: "utf8", maxBuffer: 64 << 20 });
  return [...text.matchAll(/Forwarder RVA -- (\S+)/g)].map((match) => match[1] ?? "");
}
