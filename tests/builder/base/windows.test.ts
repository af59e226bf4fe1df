import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { makeWindowsBase, windowsBaseName } from "../../../builder/base/windows.ts";
import { baseHives } from "../../../builder/base/windows-hives.ts";
import { softwareKeys } from "../../../builder/base/windows-keys.ts";
import type { HiveKey } from "../../../layerfs/hive/key.ts";
import { readHive } from "../../../layerfs/hive/regf/read.ts";
import { openStore } from "../../../layerfs/store/store.ts";
import { findProgram } from "../../../native/core/programs.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { withWine } from "../../doubles/wine.ts";

const top = mkdtempSync(join(tmpdir(), "wbuild-base-windows-"));
test.after.always(() => rmSync(top, { recursive: true, force: true }));

const system = `WINE REGISTRY Version 2
;; All keys relative to REGISTRY\\\\Machine

#arch=win64

[Software\\\\Classes\\\\.txt] 1600000000
#time=1d68988ec8d4000
@="txtfile"

[Software\\\\Classes\\\\CLSID\\\\{0002DF01-0000-0000-C000-000000000046}] 1600000000
@="Internet Explorer(Ver 1.0)"

[Software\\\\Microsoft\\\\Cryptography] 1600000000
"MachineGuid"="7a8ff0f1-0000-4000-8000-000000000000"

[Software\\\\Microsoft\\\\Windows NT\\\\CurrentVersion\\\\Time Zones\\\\UTC] 1600000000
"Std"="UTC"

[Software\\\\Wine] 1600000000
"x"="y"

[System\\\\CurrentControlSet\\\\Control\\\\Nls\\\\Codepage] 1600000000
"ACP"="1252"

[System\\\\CurrentControlSet\\\\Services\\\\winebus] 1600000000
"Start"=dword:00000003
`;
const user = `WINE REGISTRY Version 2
;; All keys relative to REGISTRY\\\\User\\\\S-1-5-21-0-0-0-1000

#arch=win64

[Control Panel\\\\Colors] 1600000000
"Background"="37 111 149"

[Software\\\\Wine\\\\Fonts] 1600000000
"x"="y"

[Volatile Environment] 1600000000
"USERNAME"="somebody"
`;

function hives(epochSeconds = 0) {
  const folder = mkdtempSync(join(top, "texts-"));
  const registry = { system: join(folder, "system.reg"), user: join(folder, "user.reg") };
  writeFileSync(registry.system, system);
  writeFileSync(registry.user, user);
  return baseHives({ registry, version: [10, 0, 20348, 7], epochSeconds });
}

function* keysOf(key: HiveKey, path = ""): Generator<[path: string, key: HiveKey]> {
  for (const child of key.subkeys()) {
    const at = path === "" ? child.name : `${path}\\${child.name}`;
    yield [at, child];
    yield* keysOf(child, at);
  }
}

const config = "Windows/System32/config";

test("five hives and the default profile, in the versions that Windows has", (t) => {
  const minors = [...hives()].map(([path, bytes]) => [path, readHive(bytes).minor]);
  t.deepEqual(minors, [
    [`${config}/SYSTEM`, 5],
    [`${config}/SOFTWARE`, 5],
    [`${config}/SAM`, 3],
    [`${config}/SECURITY`, 3],
    [`${config}/DEFAULT`, 5],
    ["Users/Default/NTUSER.DAT", 3],
  ]);
});

test("Wine gives file types, time zones and code pages; nothing that is its own or this machine's", (t) => {
  const paths = new Set<string>();
  for (const [file, bytes] of hives()) {
    for (const [path, key] of keysOf(readHive(bytes).root)) {
      paths.add(`${file.split("/").at(-1)}:${path}`);
      t.notRegex(path, /wine|CLSID|^CurrentControlSet|Volatile|Cryptography/i);
      for (const value of key.values()) {
        t.notRegex(Buffer.from(value.data).toString("utf16le"), /wine|somebody|7a8ff0f1/i, `${path} ${value.name}`);
      }
    }
  }
  for (const path of [
    "SOFTWARE:Classes\\.txt",
    "SOFTWARE:Microsoft\\Windows NT\\CurrentVersion\\Time Zones\\UTC",
    "SOFTWARE:Microsoft\\Windows\\CurrentVersion\\Uninstall",
    "SYSTEM:Select",
    "SYSTEM:ControlSet001\\Control\\Nls\\Codepage",
    "SYSTEM:ControlSet001\\Control\\Session Manager\\Environment",
    "DEFAULT:Control Panel\\Colors",
    "NTUSER.DAT:Control Panel\\Colors",
    "NTUSER.DAT:Environment",
  ]) {
    t.true(paths.has(path), path);
  }
});

test("no key has a time but the one that is asked for: the same Wine, the same bytes", (t) => {
  const [one, two, later] = [hives(), hives(), hives(60)];
  for (const [path, bytes] of one) {
    t.deepEqual(two.get(path), bytes);
    t.notDeepEqual(later.get(path), bytes);
    for (const [, key] of keysOf(readHive(bytes).root)) t.is(key.lastWrite, 116_444_736_000_000_000n);
  }
});

test("the version is in the registry, with the name that people know it by", (t) => {
  const values = (build: number) =>
    softwareKeys([10, 0, build, 9])["Microsoft\\Windows NT\\CurrentVersion"] as Record<string, unknown>;
  t.like(values(20348), {
    ProductName: "Windows Server 2022",
    CurrentBuildNumber: "20348",
    CurrentMajorVersionNumber: 10,
    CurrentVersion: "6.3",
    UBR: 9,
  });
  t.is(values(17763).ProductName, "Windows Server 2019");
  t.is(values(12345).ProductName, "Windows");
});

test("what is no version of Windows is refused before any work", async (t) => {
  using store = openStore(mkdtempSync(join(top, "store-")));
  for (const osVersion of ["latest", "10.0", "10.0.20348.0.1", ""]) {
    await t.throwsAsync(makeWindowsBase(store, { home: top, osVersion }), { code: "CLI_VALUE" } as object);
  }
});

withWine("two hosts' stores make one image; the version is in its config", async (t) => {
  const made = [];
  for (const name of ["one", "two"]) {
    const home = join(top, name);
    mkdirSync(join(top, "shared-wine"), { recursive: true });
    mkdirSync(home);
    symlinkSync(join(top, "shared-wine"), join(home, "wine"));
    using store = openStore(home);
    const descriptor = await makeWindowsBase(store, { home, osVersion: "10.0.17763.5" });
    made.push(descriptor.digest);
    t.is(store.refs.get(windowsBaseName)?.descriptor.digest, descriptor.digest);
    t.like(descriptor.platform, { os: "windows", architecture: "amd64", "os.version": "10.0.17763.5" });
  }
  t.is(made[0], made[1]);
});

const lacking = ["hivexml", "reglookup"].filter((tool) => findProgram(tool) === undefined);
const noReaders = lacking.length === 0 ? undefined : `no ${lacking.join(" and ")} on this host`;

testUnless(noReaders)("two independent readers list the hives", (t) => {
  const folder = mkdtempSync(join(top, "files-"));
  for (const [path, bytes] of hives()) {
    const file = join(folder, path.replaceAll("/", "_"));
    writeFileSync(file, bytes);
    const ours = [...keysOf(readHive(bytes).root)].length + 1;
    // hivexml opens its standard output anew, which works with a pipe and not with Node's socket.
    const run = (tool: string) =>
      execFileSync("sh", ["-c", '"$0" "$1" | cat', tool, file], { encoding: "utf8", maxBuffer: 64 << 20 });
    t.is(run("hivexml").match(/<node /g)?.length, ours, path);
    t.is(run("reglookup").match(/,KEY,/g)?.length, ours, path);
  }
});
