/** What a step's program gets and what comes back: command line, environment, streams, 32-bit codes, signals. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { testUnless } from "../../doubles/test-unless.ts";
import { compileDll, compileProgram, type Ended, makeWineHost, noWine, runWindows, type WineHost } from "./box.ts";

const run = testUnless(noWine, test.serial);
const title = (text: string) => (noWine === undefined ? text : `${text} (${noWine})`);
let host: WineHost;
let files: Record<string, Uint8Array>;

test.before(async () => {
  if (noWine !== undefined) return;
  host = await makeWineHost();
  files = {};
  for (const name of ["argv", "end", "version", "services", "objects", "random"]) {
    const libraries =
      name === "random" ? [new URL("../../../dist/wine/bcryptprimitives.dll", import.meta.url).pathname] : [];
    files[`t/${name}.exe`] = compileProgram(host, name, ...libraries);
  }
});
test.after.always(() => host?.remove());

const lines: readonly (readonly [command: string, ...argv: string[]])[] = [
  ["C:\\t\\argv.exe", ""],
  ['C:\\t\\argv.exe a"b c"d', "ab cd"],
  ['"C:\\t\\argv.exe" ""  \\\\"x y\\\\" \\"q\\"', "", "\\x y\\", '"q"'],
  ["C:\\t\\argv.exe  %PATH%\t^& | é 日本 😀", "%PATH%", "^&", "|", "é", "日本", "😀"],
];
for (const [command, ...argv] of lines) {
  run(title(`the command line arrives as it is: ${command}`), async (t) => {
    const { stdout, result } = await runWindows(host, command, { files });
    const expected = argv.length === 1 && argv[0] === "" ? [] : argv;
    t.deepEqual(
      stdout.split("\n").slice(0, -1),
      [command, ...expected].map((text) => `[${text}]`),
    );
    t.deepEqual(result, { exit: 0 });
  });
}

type Row = readonly [
  title: string,
  command: string,
  expected: Partial<Ended>,
  options?: Parameters<typeof runWindows>[2],
];

/** As steps have it: Wine's debugger would end the program with a code of its own, and say much. */
const noDebugger = `[Software\\\\Microsoft\\\\Windows NT\\\\CurrentVersion\\\\AeDebug] 1
"Auto"="1"
"Debugger"="C:\\\\windows\\\\system32\\\\rundll32.exe"
`;

const rows: readonly Row[] = [
  ["a code of 32 bits comes back", "C:\\t\\end.exe 0xC0000005", { result: { exit: 0xc0000005 } }],
  ["the highest code as well", "C:\\t\\end.exe 0xffffffff", { result: { exit: 0xffffffff } }],
  ["so does that of a crash", "C:\\t\\end.exe crash", { result: { exit: 0xc0000005 } }, { registry: noDebugger }],
  ["a shell passes it on", "cmd /S /C C:\\t\\end.exe 0xC0000005", { result: { exit: 0xc0000005 } }],
  ["the streams stay apart", "C:\\t\\end.exe 3", { stdout: "out\n", stderr: "err\n", result: { exit: 3 } }],
  ["no input is an empty one", "cmd /S /C set /p x= & echo after", { stdout: " after\n", result: { exit: 0 } }],
  ["the folder is the step's", "cmd /S /C cd", { stdout: "C:\\t\n" }, { cwd: "C:\\t" }],
  ["a program is found in it", "end.exe 4", { result: { exit: 4 } }, { cwd: "C:\\t" }],
  ["without its ending, too", "end 4", { result: { exit: 4 } }, { cwd: "C:\\t" }],
  ["PATH is searched", "end 5", { result: { exit: 5 } }, { env: ["PATH=C:\\windows\\system32;C:\\t"] }],
  ["environment has no case", "cmd /S /C echo %foo% %A%", { stdout: "2 x\n" }, { env: ["FOO=1", "Foo=2", "a=x"] }],
  [
    "Windows' own variables are there",
    "cmd /S /C echo %OS% %USERNAME%",
    { stdout: "Windows_NT ContainerAdministrator\n" },
  ],
  [
    "and those of the profile",
    "cmd /S /C echo %APPDATA%",
    { stdout: "C:\\users\\ContainerAdministrator\\AppData\\Roaming\n" },
  ],
  ["values may hold = and be empty", "cmd /S /C echo [%X%]", { stdout: "[a=b=c]\n" }, { env: ["X=a=b=c", "Y="] }],
  ["Wine's own way home cannot be changed", "cmd /S /C echo here", { stdout: "here\n" }, { env: ["wineprefix=C:\\x"] }],
  ["a program that is not there", "nosuch.exe 1", { result: { error: "not-found", code: 2, program: "nosuch.exe" } }],
  [
    "nor its folder",
    '"C:\\no such\\x.exe" y',
    { result: { error: "not-found", code: 2, program: "C:\\no such\\x.exe" } },
  ],
  [
    "text is no program",
    "C:\\text.exe",
    { result: { error: "not-program", code: 193, program: "C:\\text.exe" } },
    { files: { "text.exe": "no program" } },
  ],
  [
    "a folder that is not there",
    "cmd /C cd",
    { result: { error: "failed", code: 267, program: "cmd" } },
    { cwd: "C:\\nowhere" },
  ],
  ["our launcher is nobody's program", "run.exe", { result: { error: "not-found", code: 2, program: "run.exe" } }],
  ["nor hides one of that name", "run.exe", { result: { exit: 0 } }, { cwd: "C:\\t\\own" }],
];
for (const [name, command, expected, options] of rows) {
  run(title(name), async (t) => {
    const more = { "t/own/run.exe": files["t/end.exe"] as Uint8Array };
    const ended = await runWindows(host, command, { ...options, files: { ...files, ...more, ...options?.files } });
    t.like(ended, expected);
    t.deepEqual(ended.exit, { code: 0 });
  });
}

run(title("a missing DLL is named, with who needs it, however deep"), async (t) => {
  const second = compileDll(host, "needs", "second.dll", "-DSECOND");
  const first = compileDll(host, "needs", "first.dll", "-DFIRST", join(host.folder, "second.dll.a"));
  const app = compileProgram(host, "needs", join(host.folder, "first.dll.a"));
  const at = async (command: string, present: Record<string, Uint8Array>) =>
    (await runWindows(host, command, { cwd: "C:\\app", files: { "app/cool.exe": app, ...present } })).result;
  const lacks = (dll: string, neededBy: string) => ({ exit: 0xc0000135, missing: [{ dll, neededBy }] });
  t.deepEqual(await at("C:\\app\\cool.exe", {}), lacks("first.dll", "C:\\app\\cool.exe"));
  t.deepEqual(await at("cmd /S /C cool.exe a", {}), lacks("first.dll", "C:\\app\\cool.exe"));
  t.deepEqual(await at("cool", { "app/first.dll": first }), lacks("second.dll", "C:\\app\\first.dll"));
  t.deepEqual(await at("cool", { "app/first.dll": first, "app/second.dll": second }), { exit: 0 });
  t.deepEqual(await at('cmd /C "exit -1073741515"', {}), { exit: 0xc0000135, missing: [] });
});

run(title("what the machine says of itself fits together"), async (t) => {
  const { stdout } = await runWindows(host, "C:\\t\\version.exe", { files, hostname: "build-7.example.org" });
  const expected = ["versions agree: 1", "build agrees: 1", "processors agree: 1", "SSE2: 1", "name: BUILD-7"];
  t.is(stdout, [...expected, "drives: 4", "volume: 1 NTFS", "clock runs: 1", ""].join("\n"));
});

run(title("the service manager answers the first program"), async (t) => {
  t.is((await runWindows(host, "C:\\t\\services.exe", { files })).stdout, "manager, service\n");
});

run(title("a program gets a desktop without a screen"), async (t) => {
  const window = { "t/window.exe": compileProgram(host, "window", "-luser32") };
  t.is((await runWindows(host, "C:\\t\\window.exe", { files: window })).stdout, "desktop\n");
});

run(title("a terminal gives a prompt that takes what is typed, and the code of cmd"), async (t) => {
  const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const node = [process.execPath, "--import=tsx", here("terminal-child.ts"), JSON.stringify(host), "cmd /K"];
  const child = spawn("python3", [here("../core/terminal.py"), ...node], { stdio: ["pipe", "pipe", "inherit"] });
  t.teardown(() => child.kill("SIGKILL"));
  child.stdin.end("C:\\>\techo is %OS%\\r\nis Windows_NT\texit 7\\r\n");
  let text = "";
  for await (const bytes of child.stdout) text += bytes;
  t.regex(text, /is Windows_NT[\s\S]*\[7\]\n$/);
  t.notRegex(text, /wine:|TIMEOUT/);
});

run(title("ProcessPrng is there"), async (t) => {
  t.is((await runWindows(host, "C:\\t\\random.exe", { files })).stdout, "random\n");
});

/** A registry's text without times, key by key. */
function keysOf(text: string): Set<string> {
  const keys = text.split(/^(?=\[)/m).map((key) => key.replace(/\] \d+$/m, "]").replace(/^#time=.*\n/m, ""));
  return new Set(keys.map((key) => key.trim()));
}

/** Keys that are in one text and not, or not so, in the other. */
function difference(before: string, after: string): { added: string[]; gone: string[] } {
  const [old, now] = [keysOf(before), keysOf(after)];
  return { added: [...now].filter((key) => !old.has(key)), gone: [...old].filter((key) => !now.has(key)) };
}

run(title("a start runs nothing of RunOnce, RunServices or pending renames, and saves nothing"), async (t) => {
  const current = "[Software\\\\Microsoft\\\\Windows\\\\CurrentVersion";
  const keys = [
    `${current}\\\\RunOnce]\n"a"="cmd /c echo 1>C:\\\\ran"`,
    `${current}\\\\RunServices]\n"a"="cmd /c echo 1>C:\\\\ran"`,
    `${current}\\\\RunServicesOnce]\n"a"="cmd /c echo 1>C:\\\\ran"`,
  ];
  const renames = '"PendingFileRenameOperations"=str(7):"\\\\??\\\\C:\\\\kept\\0\\0\\0"';
  // Wine 8 keeps the key under the name that is a link in later ones.
  const text = readFileSync(join(host.registry, "system.reg"), "latin1");
  const set = text.includes("[System\\\\ControlSet001\\\\") ? "ControlSet001" : "CurrentControlSet";
  const manager = `[System\\\\${set}\\\\Control\\\\Session Manager]\n${renames}`;
  const registry = [...keys, manager].map((key) => key.replace("]", "] 1")).join("\n\n");
  const { upper, wine } = await runWindows(host, "cmd /C exit 0", { registry, files: { kept: "x" } });
  t.false(existsSync(join(upper, "ran")));
  t.true(existsSync(join(upper, "kept")));
  const changes = (name: string) =>
    difference(readFileSync(join(host.registry, name), "utf8"), readFileSync(join(wine, name), "utf8"));
  const { added } = changes("system.reg");
  // Wine's own values may stand beside ours.
  t.is(added.length, 4);
  for (const key of [...keys, manager]) {
    const [name = "", value = ""] = key.split("\n");
    t.true(
      added.some((each) => each.startsWith(name) && each.includes(value)),
      name,
    );
  }
  t.deepEqual(changes("user.reg"), { added: [], gone: [] });
});

run(title("what a program changes is saved, however short it ran"), async (t) => {
  const { wine, exit } = await runWindows(host, 'reg add HKLM\\Software\\A /v "b c" /d é /f', {});
  t.deepEqual(exit, { code: 0 });
  t.regex(readFileSync(join(wine, "system.reg"), "utf8"), /^\[Software\\\\A\][^[]*^"b c"="\\xe9"$/m);
});

run(title("what a program leaves running ends with it"), async (t) => {
  const { result, exit, stdout, stderr } = await runWindows(
    host,
    "cmd /S /C start /b C:\\t\\objects.exe make x & echo done",
    {
      files,
    },
  );
  t.deepEqual([result, exit], [{ exit: 0 }, { code: 0 }]);
  t.regex(stdout, /^done$/m);
  t.is(stderr, "");
});

run(title("two containers share no kernel objects"), async (t) => {
  let seen: Ended | undefined;
  const first = await runWindows(host, "C:\\t\\objects.exe make wbuildtest", {
    files,
    async said(_, signal) {
      seen = await runWindows(host, "C:\\t\\objects.exe look wbuildtest", { files });
      signal("SIGTERM");
    },
  });
  t.is(first.stdout, "made\n");
  t.is(seen?.stdout, "mutex 0 event 0 memory 0\n");
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  run(title(`${signal} ends the programs, and the registry is still written`), async (t) => {
    const command = "cmd /S /C reg add HKLM\\Software\\Told /f & C:\\t\\objects.exe make y";
    const { exit, result, wine } = await runWindows(host, command, {
      files,
      said: (text, send) => {
        if (text.includes("made")) send(signal);
      },
    });
    t.deepEqual(exit, { code: signal === "SIGTERM" ? 143 : 130 });
    t.is(result, undefined);
    t.true(readFileSync(join(wine, "system.reg"), "utf8").includes("[Software\\\\Told]"));
  });
}

run(title("what Wine itself complains of is no output of the step"), async (t) => {
  const { stderr, wine } = await runWindows(host, "C:\\t\\end.exe 3", {
    files,
    sessionEnv: { WINEDEBUG: "trace+process" },
  });
  t.is(stderr, "err\n");
  t.regex(readFileSync(join(wine, "log"), "utf8"), /trace:process:/);
});

// Wine's own loader lies at 0x7d000000 and has its heap in the GiB behind: sometimes where Windows' own data must be.
run(title("no Windows process has its heap where KUSER_SHARED_DATA can be"), async (t) => {
  const maps = "for /L %i in (1,1,60) do @type \\\\?\\unix\\proc\\%i\\maps 2>nul";
  const { stdout } = await runWindows(host, `cmd /S /C ${maps}`);
  const heaps = stdout.split("\n").filter((line) => line.endsWith("[heap]"));
  t.true(stdout.includes("/x86_64-unix/ntdll.so"));
  t.true(heaps.length > 3);
  for (const line of heaps) {
    const address = Number.parseInt(line, 16);
    t.true(address < 0x7d000000 || address >= 2 ** 32, line);
  }
});

run(title("the session, with sanitizers: a step, a signal, a server that does not start"), async (t) => {
  const recipe: string = new URL("../../../native/setup/build-wine.mjs", import.meta.url).href;
  const { buildWine } = (await import(recipe)) as { buildWine(options: { sanitize: boolean }): Promise<void> };
  await buildWine({ sanitize: true });
  const session = fileURLToPath(new URL("../../../dist/wine-asan/session", import.meta.url));
  const more = { files, session, sessionEnv: { ASAN_OPTIONS: "detect_leaks=0" } };
  const whole = await runWindows(host, "C:\\t\\end.exe 3", more);
  t.deepEqual([whole.exit, whole.result, whole.stderr], [{ code: 0 }, { exit: 3 }, "err\n"]);
  const told = await runWindows(host, "C:\\t\\objects.exe make z", { ...more, said: (_, send) => send("SIGTERM") });
  t.deepEqual([told.exit, told.stderr], [{ code: 143 }, ""]);
  const none = await runWindows(host, "cmd", { ...more, server: "/usr/bin/nothing" });
  t.deepEqual(none.exit, { code: 1 });
  t.regex(none.stderr, /^wbuild: Wine's server did not start$/m);
});
