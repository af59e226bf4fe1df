/** What RUN steps do to the registry through real Wine, as the deltas say it, others read it, and the next step sees it. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startRegistry } from "../doubles/docker-registry.ts";
import {
  changes,
  entryOf,
  filesOf,
  layersOf,
  printed,
  type WindowsScene,
  warnings,
  windows,
  windowsScene,
} from "./windows-scene.ts";

const deltaNames = ["System", "Software", "Sam", "Security", "DefaultUser"].map((name) => `Hives/${name}_Delta`);

/** What reglookup, which is none of ours, finds in a layer's file: `/path,TYPE,data` lines. */
async function lookUp(s: WindowsScene, layer: number, path: string): Promise<string> {
  const found = entryOf((await layersOf(s)).at(layer), path);
  if (!found) throw new Error(`no ${path} in the layer`);
  const file = join(s.folder, "hive");
  await writeFile(file, found.content);
  return s.tool("reglookup", file);
}

/** Keys and values that hivexml finds in it. */
async function xmlOf(s: WindowsScene, layer: number, path: string): Promise<string> {
  await writeFile(join(s.folder, "hive"), entryOf((await layersOf(s)).at(layer), path)?.content ?? "");
  // It opens /dev/stdout by name, which a socket does not allow.
  return s.tool("sh", "-c", 'hivexml -k "$0" | cat', join(s.folder, "hive"));
}

windows(
  "values of every type, odd lengths, classes and strange names are kept, and two other readers find them",
  async (t) => {
    const s = await windowsScene(t, ["keys"]);
    const key = "HKLM\\Software\\Vendor";
    const values: readonly (readonly [name: string, type: string, hex: string, shown: string])[] = [
      ["text", "1", "610062000000", 'REG_SZ "ab"'],
      ["odd", "1", "610062", 'REG_SZ "610062"'],
      ["expand", "2", "250061002500", "REG_EXPAND_SZ"],
      ["binary", "3", "00ff10", "REG_BINARY 00ff10"],
      ["dword", "4", "07000000", "REG_DWORD 7"],
      ["short", "4", "07", "REG_DWORD"],
      ["big", "5", "00000007", "REG_DWORD_BIG_ENDIAN"],
      ["many", "7", "61000000620000000000", "REG_MULTI_SZ"],
      ["resource", "8", "01", "REG_RESOURCE_LIST"],
      ["qword", "11", "8877665544332211", "REG_QWORD"],
      ["none", "0", "01", "REG_NONE 01"],
      ["empty", "0", "", "REG_NONE"],
      ["own", "0xffff0007", "01", "0xffff0007 01"],
      ["{5c}{5d}{22}{65e5}", "1", "41000000", 'REG_SZ "A"'],
      ["{5c}{a}{1}{d800}", "1", "41000000", 'REG_SZ "A"'],
      ["", "1", "41000000", 'REG_SZ "A"'],
    ];
    const lines = values.map(
      ([name, type, hex]) => `C:\\t\\keys.exe set ${key} "${name.replaceAll('"', "")}" ${type} "${hex}"`,
    );
    const strange = "a{5d}b[{22}{7f}{e4}{65e5}{1}";
    await s.files("values", { "set.bat": `@echo off\r\n${lines.map((line) => `${line} || exit /b 1\r\n`).join("")}` });
    const context = await s.files("values", {
      Dockerfile: `FROM programs\nCOPY set.bat C:/\nRUN C:\\set.bat\nRUN C:\\t\\keys.exe make ${key}\\Class cl{e4}ss && C:\\t\\keys.exe set "${key}\\${strange}" x 4 01000000\n`,
    });
    const built = await s.build(context, "-t", "app");
    t.is(built.code, 0, built.stderr);
    const [, own = [], second = []] = await changes(s);
    for (const [name, , , shown] of values) {
      const label = name === "" ? "(Default)" : name.startsWith("{") ? "\\" : name;
      t.true(
        own.some(
          (line) => line.startsWith("A HKLM\\SOFTWARE\\Vendor [") && line.includes(`[${label}`) && line.includes(shown),
        ),
        `${name}: ${own.join("\n")}`,
      );
    }
    t.true(
      second.some((line) => line.includes("Vendor\\Class")),
      second.join("\n"),
    );

    const lookup = await lookUp(s, -2, "Hives/Software_Delta");
    for (const [name, , ,] of values) if (/^[a-z]+$/.test(name)) t.true(lookup.includes(`/Vendor/${name},`), lookup);
    t.is(lookup.match(/^\/Vendor\/[^,]*,(?!KEY)/gm)?.length, values.length, lookup);
    t.regex(lookup, /\/Vendor\/binary,BINARY,%00%FF%10,/);
    t.regex(lookup, /\/Vendor\/dword,DWORD,0x00000007,/);
    const xml = await xmlOf(s, -2, "Hives/Software_Delta");
    t.is(xml.match(/<value /g)?.length, values.length - 2, "all but those with a backslash, which hivexml leaves out");
    const after = await xmlOf(s, -1, "Hives/Software_Delta");
    t.is(after.match(/<node /g)?.length, 4, "the root, Vendor, and the two new ones");

    const next = await s.files("next", {
      Dockerfile: `FROM app:first\nRUN reg query ${key} /v binary & reg query ${key} /v many & reg query ${key}\n`,
    });
    t.is((await s.build(context, "-t", "app:first")).code, 0);
    const seen = printed(await s.build(next, "-t", "next")).join("\n");
    t.regex(seen, /binary\s+REG_BINARY\s+00FF10/);
    t.regex(seen, /many\s+REG_MULTI_SZ\s+a\\0b/);
    t.regex(seen, /Vendor\\Class/);
  },
);

windows(
  "keys and values of the base go and come back; a sibling stays; CurrentControlSet is ControlSet001",
  async (t) => {
    const s = await windowsScene(t, ["keys"]);
    const key = "HKLM\\Software\\Tree";
    await s.steps(`RUN for %k in (a b\\c b\\d) do @reg add ${key}\\%k /v x /d 1 > nul
RUN reg delete ${key}\\b\\c /f
RUN reg delete ${key} /f && reg add ${key}\\b /v new /d 2
RUN reg delete "HKLM\\Software\\Microsoft\\Windows NT\\CurrentVersion" /v ProductName /f
RUN reg add HKLM\\System\\CurrentControlSet\\Services\\mine /v Start /t REG_DWORD /d 2
RUN reg add HKU\\.DEFAULT\\Software\\Def /ve /d x && reg add HKU\\S-1-5-18\\Software\\Svc /ve /d y
RUN reg query ${key} /s & reg query HKLM\\System\\ControlSet001\\Services\\mine & reg query HKU\\.DEFAULT\\Software & exit 0`);
    const [, gone, again, value, service, user, nothing] = await changes(s);
    t.deepEqual(gone, ["D HKLM\\SOFTWARE\\Tree\\b\\c"]);
    t.deepEqual([...(again ?? [])].sort(), [
      'A HKLM\\SOFTWARE\\Tree\\b [new] = REG_SZ "2"',
      "D HKLM\\SOFTWARE\\Tree\\a",
      "D HKLM\\SOFTWARE\\Tree\\b\\d",
    ]);
    t.deepEqual(value, ["D HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion [ProductName]"]);
    t.deepEqual(service, [
      "A HKLM\\SYSTEM\\ControlSet001\\Services\\mine",
      "A HKLM\\SYSTEM\\ControlSet001\\Services\\mine [Start] = REG_DWORD 2",
    ]);
    t.true(user?.includes('A HKU\\.DEFAULT\\Software\\Svc [(Default)] = REG_SZ "y"'), user?.join("\n"));
    t.deepEqual(nothing, []);
  },
);

windows("everything is there after a push, a pull into an empty store and one more step", async (t) => {
  await using registry = await startRegistry();
  const s = await windowsScene(t, ["keys"]);
  const name = `${registry.host}/team/registry:1`;
  const context = await s.files("push", {
    Dockerfile:
      String.raw`# escape=` +
      "`" +
      String.raw`
FROM programs
RUN reg add HKLM\Software\A /v one /d 1 && reg delete "HKLM\Software\Microsoft\Windows NT\CurrentVersion" /v ProductName /f
RUN setx /M GREETING hello && setx MINE me && reg add HKCU\Software\Classes\.foo /ve /d foofile && reg add HKLM\System\CurrentControlSet\Control\Own /v a /d b
USER ContainerUser
RUN reg add HKCU\Software\Mine /v who /d user
`,
  });
  const pushed = await s.build(context, "-t", name, "--push");
  t.is(pushed.code, 0, pushed.stderr);

  const empty = await windowsScene(t, []);
  t.is((await empty.wbuild("pull", "--platform", "windows/amd64", name)).code, 0);
  const further = await empty.files("further", {
    Dockerfile: String.raw`FROM ${name}
RUN reg query HKCU\Software\Mine & reg query HKLM\Software\A & reg query HKLM\System\ControlSet001\Control\Own & echo %GREETING%
USER ContainerAdministrator
RUN reg query HKCU\Software\Classes\.foo & echo %MINE% & reg query "HKLM\Software\Microsoft\Windows NT\CurrentVersion" /v ProductName & exit 0
`,
  });
  const built = await empty.build(further, "-t", "further");
  t.is(built.code, 0, built.stderr);
  const told = printed(built).map((line) => line.trim());
  for (const line of [
    "who    REG_SZ    user",
    "one    REG_SZ    1",
    "a    REG_SZ    b",
    "hello",
    "(Default)    REG_SZ    foofile",
    "me",
  ])
    t.true(told.includes(line), `${line}: ${told.join("\n")}`);
  t.true(
    told.some((line) => /unable to find/i.test(line)),
    "the deleted value is gone",
  );
  const verified = await empty.wbuild("inspect", "--verify", "further");
  t.is(verified.code, 0, verified.stdout + verified.stderr);
});

windows("HKCU is the account's NTUSER.DAT, its classes UsrClass.dat: hidden, whole, without logs", async (t) => {
  const s = await windowsScene(t, []);
  await s.steps("RUN reg add HKCU\\Software\\Me /v a /d b && reg add HKCU\\Software\\Classes\\.foo /ve /d foofile");
  const layer = (await layersOf(s)).at(-1);
  const profile = "Users/ContainerAdministrator";
  const paths = [`${profile}/AppData/Local/Microsoft/Windows/UsrClass.dat`, `${profile}/NTUSER.DAT`];
  t.deepEqual(
    filesOf(layer).filter((path) => /\.(dat|log\d?)$/i.test(path)),
    paths,
  );
  for (const path of paths) t.is(entryOf(layer, `Files/${path}`)?.pax["MSWINDOWS.fileattr"], "38", path);
  t.regex(await lookUp(s, -1, `Files/${paths[1]}`), /\/Software\/Me\/a,SZ,b,/);
  t.regex(await lookUp(s, -1, `Files/${paths[0]}`), /\/\.foo\/,SZ,foofile,/);
});

windows("what Windows would do at its next start is kept for it, and done by no step", async (t) => {
  const s = await windowsScene(t, []);
  const current = "HKLM\\Software\\Microsoft\\Windows\\CurrentVersion";
  const manager = '"HKLM\\System\\CurrentControlSet\\Control\\Session Manager"';
  const run = (name: string) => `cmd /c echo ran> C:\\${name}.txt`;
  const asked = `${["RunOnce", "RunServices", "RunServicesOnce"].map((name) => `reg query ${current}\\${name} /v a`).join(" & ")} & reg query ${manager} /v PendingFileRenameOperations`;
  const built =
    await s.steps(`RUN reg add ${current}\\RunOnce /v a /d "${run("once")}" && reg add ${current}\\RunServices /v a /d "${run("service")}" && reg add ${current}\\RunServicesOnce /v a /d "${run("both")}"
RUN echo x> C:\\doomed.txt && reg add ${manager} /v PendingFileRenameOperations /t REG_MULTI_SZ /d "\\??\\C:\\doomed.txt\\0"
RUN ver
RUN dir /b C:\\*.txt & ${asked}`);
  const told = printed(built).join("\n");
  t.is(told.match(/^ *a +REG_SZ/gm)?.length, 3, told);
  t.regex(told, /PendingFileRenameOperations\s+REG_MULTI_SZ/);
  t.regex(told, /doomed\.txt/);
  t.notRegex(told, /^(once|service|both)\.txt/m);
  const [kept = [], pending = [], ...rest] = await changes(s);
  t.is(kept.filter((line) => line.includes("[a]")).length, 3, kept.join("\n"));
  t.true(pending.some((line) => line.includes("PendingFileRenameOperations")));
  t.deepEqual(rest, [[], []]);
});

windows("what no hive of an image holds is told", async (t) => {
  const s = await windowsScene(t, []);
  const built = await s.steps(
    "RUN reg add HKLM\\Foo /v a /d b && reg add HKU\\S-1-5-19\\x /v a /d b && reg add HKU\\Bar /v a /d b",
  );
  const lost = ["HKLM\\Foo", "HKU\\Bar", "HKU\\S-1-5-19"];
  t.deepEqual(
    warnings(built).sort(),
    lost.map((key) => `${key} was changed, which no hive of an image holds: the change is lost`),
  );
  t.deepEqual((await changes(s)).at(-1), []);
});

/** Commands that change nothing, some of which make Wine write: devices, scripts, services, sound, fonts. */
const idle: readonly string[] = [
  "rem",
  "ver",
  "dir /s C:\\ > nul",
  "sc query & sc query Spooler & net start & exit 0",
  "msiexec /i C:\\none.msi /qn & exit 0",
  "ping -n 1 127.0.0.1 & ipconfig /all & netstat & hostname & whoami & exit 0",
  "regsvr32 /s ole32.dll & exit 0",
  "cscript //nologo C:\\none.vbs & wscript //nologo C:\\none.js & exit 0",
  "wmic os get caption & systeminfo & tasklist & exit 0",
  "net start Spooler & net stop Spooler & exit 0",
  "reg query HKLM\\Software /s > nul & reg query HKCU /s > nul & exit 0",
  "mkdir C:\\x && rmdir C:\\x && echo a> C:\\a.txt && del C:\\a.txt",
];

windows("a step that changes nothing makes a layer of five empty deltas and no file", async (t) => {
  const s = await windowsScene(t, []);
  await s.steps(idle.map((command) => `RUN ${command}`).join("\n"));
  const own = await changes(s);
  for (const [index, lines] of own.entries()) t.deepEqual(lines, [], idle[index]);
  const layers = (await layersOf(s)).slice(-idle.length);
  for (const [index, layer] of layers.entries()) {
    t.deepEqual(
      layer.filter(({ type }) => type === "0").map(({ name }) => name),
      deltaNames,
      idle[index],
    );
    t.deepEqual(filesOf(layer), [], idle[index]);
  }
  for (const name of deltaNames) {
    const xml = await xmlOf(s, -1, name);
    t.is(xml.match(/<node /g)?.length, 1, name);
    t.notRegex(xml, /<value /);
  }
});
