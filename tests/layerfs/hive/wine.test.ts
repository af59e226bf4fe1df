/** The judge of Wine's registry text is Wine: its server loads what we write, and saves the same. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { changesOf } from "../../../layerfs/hive/changes.ts";
import { diffHives } from "../../../layerfs/hive/diff.ts";
import { type HiveKey, symlinkFlag } from "../../../layerfs/hive/key.ts";
import { mergeHives } from "../../../layerfs/hive/merge.ts";
import { hiveOf, KeyTree } from "../../../layerfs/hive/tree.ts";
import { readWineText, writeWineText } from "../../../layerfs/hive/wine-text.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { told } from "./trees.ts";

const wine = "/usr/lib/wine/wine64";
const server = ["/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver"].find((path) => existsSync(path));
const run = promisify(execFile);
const withWine = testUnless(existsSync(wine) && server !== undefined ? undefined : "no wine64 on this host");

withWine("Wine's server loads what we write and saves the same", async (t) => {
  t.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), "wbuild-wine-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const prefix = join(folder, "prefix");
  // Without TMPDIR: with it the server of Debian 13 aborts.
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    WINEPREFIX: prefix,
    WINEDEBUG: "-all",
    DISPLAY: "",
    WINEDLLOVERRIDES: "mscoree=;mshtml=;winemenubuilder.exe=",
  };
  const start = async (...args: string[]) => {
    await run(wine, args, { env });
    await run(server ?? "", ["-w"], { env });
  };
  // Of a run that fails: its server would wait for a while. There is none otherwise, which is an error to it.
  t.teardown(() => run(server ?? "", ["-k"], { env }).catch(() => undefined));
  await start("wineboot", "-i");

  const file = join(prefix, "system.reg");
  const original = readFileSync(file);
  const before = readWineText(original);
  const { relativeTo, arch } = before;
  t.is(relativeTo, "REGISTRY\\Machine");
  t.is(arch, "win64");
  t.deepEqual(sections(writeWineText(before, { relativeTo, arch: "win64" })), sections(original), "byte for byte");

  const delta = new KeyTree("ROOT");
  const software = delta.setSubkey(new KeyTree("Software"));
  software.inheritClass = true;
  software.setSubkey(oddKeys());
  const ours = mergeHives([before, hiveOf(delta, { differencing: true })]);
  writeFileSync(file, writeWineText(ours, { relativeTo, arch: "win64" }));
  // A change of its own makes the server save.
  await start("reg", "add", "HKLM\\Software\\wbuild-saved", "/f");
  const after = readWineText(readFileSync(file));
  t.truthy(after.root.subkey("Software")?.subkey("wbuild-saved"));
  const find = (root: HiveKey) => root.subkey("Software")?.subkey("wbuild-odd");
  t.deepEqual(told(find(after.root)!), told(find(ours.root)!));
  t.is(find(after.root)?.subkey("timed")?.lastWrite, 132_000_000_000_000_000n);
  // The rest is Wine's own noise, and little of it.
  t.true([...changesOf(ours, after)].length < 200);
  t.deepEqual(told(mergeHives([ours, diffHives(ours, after)]).root), told(after.root));
});

/** Keys and values with every character, type and form that a file can hold. */
function oddKeys(): KeyTree {
  const odd = new KeyTree("wbuild-odd");
  const put = (name: string, type: number, data: Uint8Array) => odd.setValue({ name, type, data });
  for (let type = 0; type <= 12; type++)
    for (const [form, data] of [
      ["empty", ""],
      ["text", "text\0"],
      ["open", "open"],
      ["list", "a\0b\0\0"],
      ["odd\ud800", "\0\ud800\x01\x7f"],
    ] as const)
      put(`${type} ${form}`, type, Buffer.from(data, "utf16le"));
  put("", 1, Buffer.from("default\0", "utf16le"));
  put("three bytes", 1, Uint8Array.of(1, 2, 0));
  put("dword", 4, Uint8Array.of(1, 2, 3, 0xff));
  put("device property", 0xffff0007, Uint8Array.of(1));
  put(
    "long",
    3,
    Uint8Array.from({ length: 1000 }, (_, at) => at),
  );
  const characters = Array.from({ length: 0x180 }, (_, at) => String.fromCharCode(at)).join("");
  put(`${characters}\ud800`, 1, Buffer.from(`${characters}${characters}\udfff\0`, "utf16le"));
  for (const [at, character] of [...characters, "\ud800", "\uffff"].entries())
    if (character !== "\\") odd.setSubkey(new KeyTree(`${at}${character}0f`));
  odd.setSubkey(new KeyTree("classed")).className = Buffer.from('a "class"\u20ac', "utf16le");
  odd.setSubkey(new KeyTree("timed")).lastWrite = 132_000_000_000_000_000n;
  const link = odd.setSubkey(new KeyTree("link"));
  link.flags = symlinkFlag;
  link.setValue({
    name: "SymbolicLinkValue",
    type: 6,
    data: Buffer.from("\\Registry\\Machine\\Software\\wbuild-odd\\timed", "utf16le"),
  });
  return odd;
}

/** The parts of a file, sorted: Wine orders a few names otherwise than Windows does. */
function sections(bytes: Uint8Array): readonly string[] {
  return Buffer.from(bytes).toString("latin1").split("\n[").sort();
}
