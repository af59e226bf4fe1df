/** RUN steps and containers of Windows images through real Wine: lines, codes, streams, accounts, failures, limits. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ownCgroups } from "../../native/core/cgroup.ts";
import { compileProgram, printed, programWithoutItsDll, warnings, windows, windowsScene } from "./windows-scene.ts";

windows("a command line reaches its program as Windows would have it", async (t) => {
  const s = await windowsScene(t, ["probe"]);
  const lines = String.raw`RUN C:\t\probe.exe arguments "a b" "c""d" x"y z"w \\a\ "e\\" ^^ %PATH:~0,3% 100% a^&b
RUN ["C:\\t\\probe.exe", "arguments", "a b", "", "c\\", "d e\\", "q\"r", "%PATH%", "^", "&", "ü€😀"]
WORKDIR C:\t
RUN probe arguments "one   two" && echo "x  y"
SHELL ["cmd", "/S", "/C", "echo shell:"]
RUN "quoted" inner""
SHELL ["C:\\t\\probe.exe", "arguments"]
RUN a "b c"   d\ "`;
  t.deepEqual(printed(await s.steps(lines)), [
    String.raw`line=C:\t\probe.exe arguments "a b" "c""d" x"y z"w \\a\ "e\\" ^ C:\ 100% a&b`,
    ...["a b", 'c"d', "xy zw", "\\\\a\\", "e\\", "^", "C:\\", "100%", "a&b"].map((text) => `argument=${text}`),
    String.raw`line=C:\t\probe.exe arguments "a b" "" c\ "d e\\" "q\"r" %PATH% ^ & ü€😀`,
    ...["a b", "", "c\\", "d e\\", 'q"r', "%PATH%", "^", "&", "ü€😀"].map((text) => `argument=${text}`),
    'line=probe  arguments "one   two"'.replace("  ", " "),
    "argument=one   two",
    '"x  y"',
    'shell: "quoted" inner""',
    String.raw`line=C:\t\probe.exe arguments a "b c"   d\ "`,
    ...["a", "b c", "d\\", ""].map((text) => `argument=${text}`),
  ]);
});

const codes: readonly (readonly [command: string, code: number, shown: RegExp])[] = [
  ["exit 1", 1, /exit code 1$/m],
  ["exit 256", 256, /exit code 256$/m],
  ["exit 0xC0000005", 0xc0000005, /exit code 3221225477$[\s\S]*memory that is not its own/m],
  ["crash", 0xc0000005, /exit code 3221225477$/m],
  ["exit 0xFFFFFFFF", 0xffffffff, /exit code 4294967295$/m],
];

windows("exit codes have 32 bits, in builds and told by wbuild run, and none of a failure becomes 0", async (t) => {
  const s = await windowsScene(t, ["probe"]);
  for (const [command, code, shown] of codes) {
    for (const line of [
      `RUN C:\\t\\probe.exe ${command}`,
      `RUN ["C:\\\\t\\\\probe.exe", "${command.replace(" ", '", "')}"]`,
    ]) {
      const built = await s.tries(line);
      t.is(built.code, 1, built.stderr);
      t.regex(built.stderr, shown, line);
      t.regex(built.stderr, /Dockerfile:3:1/);
      t.true(printed(built).length <= 1, "a crash is one line of output, not Wine's debugger");
    }
    const run = await s.wbuild("run", "--network", "none", "programs", "C:\\t\\probe.exe", ...command.split(" "));
    t.is(run.code, code <= 255 ? code : code & 255 || 1);
    if (code > 255)
      t.regex(run.stderr, new RegExp(`exit code ${code} \\(0x${code.toString(16).padStart(8, "0")}\\)`, "i"));
  }
});

windows("output and errors are told apart, input is empty unless it is passed on", async (t) => {
  const s = await windowsScene(t, ["probe"]);
  t.deepEqual(printed(await s.steps("RUN C:\\t\\probe input")), ["input=0"]);
  const both = await s.wbuild("run", "programs", "C:\\t\\probe.exe", "both");
  t.deepEqual([both.stdout, both.stderr], ["out\r\n".repeat(3), "err\r\n".repeat(3)]);
  t.is(
    (await s.wbuildWith({ input: "hello" }, "run", "-i", "programs", "C:\\t\\probe.exe", "input")).stdout,
    "input=5\r\n",
  );
  t.is((await s.wbuildWith({ input: "hello" }, "run", "programs", "C:\\t\\probe.exe", "input")).stdout, "input=0\r\n");
});

windows("wbuild run: ENTRYPOINT and CMD in both forms, variables, folder, account and volumes", async (t) => {
  const s = await windowsScene(t, ["probe"]);
  await s.steps('ENTRYPOINT C:\\t\\probe.exe arguments "a  b"');
  t.is(
    await s.run("app"),
    'line=cmd /S /C C:\\t\\probe.exe arguments "a  b"\r\n'.replace("cmd /S /C ", "") + "argument=a  b\r\n",
  );
  await s.steps('ENTRYPOINT ["C:\\\\t\\\\probe.exe", "arguments", "e f"]\nCMD ["x y", ""]');
  const given = (text: string) => [...text.matchAll(/argument=(.*)\r/g)].map(([, argument]) => argument);
  t.deepEqual(given(await s.run("app")), ["e f", "x y", ""]);
  t.deepEqual(given(await s.run("app", 'q"r', "z")), ["e f", 'q"r', "z"]);
  const data = await s.files("data", { "v.txt": "from the host" });
  const flags = ["-v", `${data}:C:\\data`, "-w", "C:\\data", "-e", "Some=1 2", "--user", "ContainerUser"];
  const told = await s.run(
    ...flags,
    "programs",
    "cmd",
    "/c",
    "type v.txt& echo .& echo %SOME% %USERNAME%& cd& echo w> w.txt",
  );
  t.deepEqual(told.split("\r\n"), ["from the host.", "1 2 ContainerUser", "C:\\data", ""]);
  t.is(await readFile(join(data, "w.txt"), "utf8"), "w\r\n");
});

windows(
  "accounts have profiles and registries of their own; variables know no case; PATH comes from both sides",
  async (t) => {
    const s = await windowsScene(t, ["probe"]);
    const told = printed(
      await s.steps(String.raw`RUN reg add HKCU\Software\Mine /v who /d admin > nul
USER ContainerUser
RUN C:\t\probe surroundings & echo %USERPROFILE% %USERNAME% %TEMP% & echo f> %USERPROFILE%\f.txt & reg add HKCU\Software\Mine /v who /d user > nul
USER someone
RUN reg query HKCU\Software\Mine & echo %USERPROFILE% & exit 0
USER ContainerAdministrator
RUN reg query HKCU\Software\Mine /v who & if exist C:\Users\ContainerUser\f.txt echo kept
ENV Foo=1
RUN echo %FOO% %foo%
RUN setx /M GREETING hello & setx MINE %GREETING%! & setx /M PATH "C:\t;%PATH%"
RUN echo %GREETING% %MINE% & probe arguments found
ENV path="C:\windows\system32;C:\t"
WORKDIR C:\new\folder
RUN echo %PATH% & cd & probe arguments again
WORKDIR /
RUN cd`),
    ).map((line) => line.trim());
    const expected = [
      ...["folder=C:\\", "user=ContainerUser", "version=10.0.20348"],
      "C:\\Users\\ContainerUser ContainerUser C:\\Users\\ContainerUser\\AppData\\Local\\Temp",
      ...["reg: Unable to find the specified registry key", "C:\\Users\\someone"],
      ...["who    REG_SZ    admin", "kept", "1 1", "hello hello!", "argument=found"],
      ...["C:\\windows\\system32;C:\\t", "C:\\new\\folder", "argument=again", "C:\\"],
    ];
    t.deepEqual(
      told.filter((line) => expected.includes(line)),
      expected,
      told.join("\n"),
    );
  },
);

windows("what programs see of Windows' version is the base image's", async (t) => {
  const s = await windowsScene(t, ["probe"]);
  t.is((await s.wbuild("base", "windows", "--os-version", "10.0.17763.6000")).code, 0);
  const context = await s.files("old", {
    Dockerfile: "FROM wbuild.local/windows\nCOPY probe.exe C:/\nRUN C:\\probe.exe surroundings\nRUN ver\n",
    "probe.exe": await compileProgram("probe"),
  });
  const built = await s.build(context, "-t", "app");
  t.is(built.code, 0, built.stderr);
  t.true(printed(built).includes("version=10.0.17763"), built.stderr);
  t.true(printed(built).includes("Microsoft Windows 10.0.17763"));
  t.is((await s.wbuild("diff", "--layer", "4", "app")).stdout, "", "and no part of any layer");
  t.notRegex((await s.wbuild("diff", "app")).stdout, /HK/);
});

windows("what cannot run says which program, why, and in which line", async (t) => {
  const probe = await compileProgram("probe");
  const x86 = Buffer.from(probe);
  x86.writeUInt16LE(0x14c, x86.readUInt32LE(0x3c) + 4);
  const s = await windowsScene(t, []);
  const files = { "x86.exe": x86, "text.exe": "no program", "needs.exe": await programWithoutItsDll(s) };
  const rows: readonly (readonly [line: string, text: RegExp, help?: RegExp])[] = [
    ['RUN ["C:\\\\t\\\\x86.exe"]', /BOX_COMMAND.*x86\.exe.*64-bit/, /32-bit/],
    ["RUN C:\\t\\x86.exe", /STEP_EXIT.*exit code (9009|6)$/m, /64-bit Windows/],
    ['RUN ["C:\\\\t\\\\text.exe"]', /BOX_COMMAND.*text\.exe/],
    ['RUN ["nothing.exe", "a"]', /BOX_COMMAND.*nothing\.exe: there is no such program/],
    ["RUN nothing a", /STEP_EXIT.*9009/, /not in PATH/],
    ["RUN C:\\t\\needs.exe", /WIN_DLL.*absent\.dll \(needed by C:\\t\\needs\.exe\)/],
    ["RUN powershell -Command Get-Date", /STEP_EXIT/, /tools add powershell/],
    ['SHELL ["powershell", "-Command"]\nRUN Get-Date', /BOX_COMMAND|STEP_EXIT/, /tools add powershell/],
    ["USER a/b\nRUN ver", /STEP_USER/],
  ];
  const copied = await s.files("bad", { ...files, Dockerfile: "FROM wbuild.local/windows\nCOPY *.exe C:/t/\n" });
  t.is((await s.build(copied, "-t", "programs")).code, 0);
  for (const [line, text, help] of rows) {
    const built = await s.tries(line);
    t.not(built.code, 0, line);
    const error = built.stderr.slice(built.stderr.lastIndexOf("error["));
    t.regex(error, text);
    t.regex(error, new RegExp(`Dockerfile:${2 + line.split("\n").length}:1`));
    if (help) t.regex(error, help);
  }
});

windows("a step's memory has its limit", async (t) => {
  const s = await windowsScene(t, ["probe"]);
  const built = await s.tries("RUN C:\\t\\probe memory", "--memory", "300m");
  t.not(built.code, 0);
  t.regex(built.stderr, ownCgroups().version === 0 ? /error\[/ : /memory/);
});

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGKILL", 137],
] as const) {
  windows(
    `${signal} in a Windows step: none of its processes lives on, and the next build goes on from there`,
    async (t) => {
      const s = await windowsScene(t, ["probe"]);
      const mark = `nap${process.pid}${signal}`;
      const context = await s.files("long", {
        Dockerfile: `FROM programs\nRUN echo kept> C:\\kept.txt\nRUN echo started & start C:\\t\\probe.exe sleep ${mark} & C:\\t\\probe.exe sleep ${mark}\n`,
      });
      const ended = await s.wbuildWith(
        { signalAfter: { text: " started", signal } },
        ...["build", "--progress", "plain", "--network", "none", "-t", "app", context],
      );
      t.is(ended.code, code, ended.stderr);
      await t.notThrowsAsync(() => gone(mark));
      const next = await s.build(
        await s.files("long", { Dockerfile: "FROM programs\nRUN echo kept> C:\\kept.txt\nRUN type C:\\kept.txt\n" }),
        "-t",
        "app",
      );
      t.is(next.code, 0, next.stderr);
      // Killed outright, nobody had the time to note it.
      const first = next.steps.get([...next.steps.keys()].find((step) => step.includes("echo kept")) ?? "");
      t.true(first === "CACHED" || (signal === "SIGKILL" && first === "DONE"), first);
      t.deepEqual(warnings(next), []);
    },
  );
}

/** Resolves when no process of this host has the word in its command line: those of a killed wbuild end a moment later. */
async function gone(word: string): Promise<void> {
  const { readdir } = await import("node:fs/promises");
  for (let round = 0; ; round++) {
    const lines = await Promise.all(
      (await readdir("/proc"))
        .filter((id) => /^\d+$/.test(id) && existsSync(`/proc/${id}/cmdline`))
        .map((id) => readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "")),
    );
    if (!lines.some((line) => line.includes(word))) return;
    if (round === 100) throw new Error(`a process with ${word} lives on`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

windows("folders of lower layers are moved and renamed as Windows does it", async (t) => {
  const s = await windowsScene(t, ["probe"]);
  const lines = String.raw`RUN mkdir C:\d\deep\er && echo one> C:\d\deep\er\one.txt && echo two> C:\d\two.txt && mkdir C:\other
RUN move C:\d C:\other\e && ren C:\other\e\deep shallow && mkdir C:\d && echo new> C:\d\new.txt
RUN type C:\other\e\shallow\er\one.txt C:\other\e\two.txt C:\d\new.txt & if exist C:\other\e\deep (exit 1) else (dir /b C:\d)
RUN move C:\other C:\other\inside || cmd /c "echo refused"`;
  t.deepEqual(
    printed(await s.steps(lines)).filter((line) => /^(one|two|new.*|refused)$/.test(line)),
    ["one", "two", "new", "new.txt", "refused"],
  );
});
