/** Programs of ours in place of those that Wine has in name only: what they print, change and end with. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { requireWine } from "../../../builder/runtime/wine/personality/find-wine.ts";
import { ensurePersonality, type Personality } from "../../../builder/runtime/wine/personality/personality.ts";
import { ownPrograms } from "../../../builder/runtime/wine/personality/programs.ts";
import { refusedPrograms } from "../../../builder/runtime/wine/personality/refused.ts";
import { hasOldCmd, withWine } from "../../doubles/wine.ts";
import { type Batch, runBatch } from "./batch.ts";

const home = mkdtempSync(join(tmpdir(), "wbuild-stand-ins-"));
let made: Promise<Personality> | undefined;
const personality = () => {
  made ??= ensurePersonality(home);
  return made;
};
test.after.always(() => rmSync(home, { recursive: true, force: true }));

interface Case {
  readonly line: string;
  readonly exit: number;
  /** All of standard output; lines are parted by "|". A pattern has to be found in it. */
  readonly out?: string | RegExp;
  readonly err?: RegExp;
}

/** A table of lines that run one after the other in one container. */
function table(
  title: string,
  cases: readonly Case[],
  files: Readonly<Record<string, string>> = {},
  after: (batch: Batch) => readonly (readonly [unknown, unknown])[] = () => [],
): void {
  withWine(title, async (t) => {
    t.timeout(120_000);
    const batch = await runBatch(
      t,
      await personality(),
      cases.map(({ line }) => line),
      files,
    );
    for (const [index, { line, exit, out, err }] of cases.entries()) {
      const row = batch.rows[index] ?? t.fail(line);
      if (!row) continue;
      t.is(row.exit, exit, `${line}\n${row.stdout}${row.stderr}`);
      const stdout = row.stdout.trimEnd().replaceAll("\n", "|");
      if (typeof out === "string") t.is(stdout, out, line);
      else if (out) t.regex(stdout, out, line);
      if (err) t.regex(row.stderr, err, line);
      else if (exit === 0) t.is(row.stderr, "", line);
    }
    for (const [is, wanted] of after(batch)) t.deepEqual(is, wanted);
  });
}

const lines = "alpha\r\nBeta 12\r\ngamma.delta\r\n\r\nlast line";
const texts = {
  ...{ "a.txt": lines, "b.txt": lines.replace("Beta", "beta"), "sub/c.txt": "in sub alpha\r\n" },
  ...{ words: "beta\r\nlast\r\n", list: "a.txt\r\nsub\\c.txt\r\n", bin1: "abc", bin2: "abd", slash: "C:\\x\r\n" },
};

table(
  "findstr finds literal strings and expressions",
  [
    { line: "findstr alpha a.txt", exit: 0, out: "alpha" },
    { line: "findstr nosuch a.txt", exit: 1, out: "" },
    { line: 'findstr /i "beta gamma" a.txt', exit: 0, out: "Beta 12|gamma.delta" },
    { line: 'findstr /c:"last line" a.txt', exit: 0, out: "last line" },
    { line: 'findstr /c:"t.l" a.txt', exit: 1 },
    { line: 'findstr /r /c:"t.l" a.txt', exit: 0, out: "last line" },
    { line: "findstr /n /v a a.txt", exit: 0, out: "4:" },
    { line: 'findstr /r "^g.*a$" a.txt', exit: 0, out: "gamma.delta" },
    { line: "findstr /x alpha a.txt b.txt", exit: 0, out: "a.txt:alpha|b.txt:alpha" },
    { line: "findstr /e line a.txt", exit: 0, out: "last line" },
    { line: "findstr /b /l last *.txt", exit: 0, out: "a.txt:last line|b.txt:last line" },
    { line: "findstr /s /m alpha *.txt", exit: 0, out: "a.txt|b.txt|sub\\c.txt" },
    { line: "findstr /g:words /i a.txt", exit: 0, out: "Beta 12|last line" },
    { line: "findstr /f:list alpha", exit: 0, out: "a.txt:alpha|sub\\c.txt:in sub alpha" },
    { line: "findstr /o gamma a.txt", exit: 0, out: "16:gamma.delta" },
    { line: "type a.txt | findstr Beta", exit: 0, out: "Beta 12" },
    { line: 'findstr "[0-9][0-9]*" a.txt', exit: 0, out: "Beta 12" },
    { line: 'findstr "[^a-z]12" a.txt', exit: 0, out: "Beta 12" },
    { line: 'findstr "\\<line\\>" a.txt', exit: 0, out: "last line" },
    { line: 'findstr "\\<ine\\>" a.txt', exit: 1 },
    { line: "findstr /l C:\\\\x slash", exit: 0, out: "C:\\x" },
    { line: "findstr alpha nosuch.txt", exit: 1, err: /Cannot open nosuch\.txt/ },
    { line: "findstr", exit: 2, err: /Bad command line/ },
    { line: "findstr /q alpha a.txt", exit: 2, err: /not known/ },
  ],
  texts,
);

table(
  "where, fc, timeout, choice and move end as Windows' do",
  [
    { line: "where cmd", exit: 0, out: /^C:\\windows\\system32\\cmd\.exe$/i },
    { line: "where cmd.exe findstr", exit: 0, out: /cmd\.exe\|.*findstr\.exe$/i },
    { line: "where nosuch", exit: 1, err: /Could not find files/ },
    { line: "where /q cmd", exit: 0, out: "" },
    { line: "where /r C:\\work c.txt", exit: 0, out: "C:\\work\\sub\\c.txt" },
    { line: "where /f C:\\work:bin?", exit: 0, out: '"C:\\work\\bin1"|"C:\\work\\bin2"' },
    { line: "where $PATH:findstr", exit: 0, out: /findstr\.exe/i },
    { line: "where a\\b", exit: 2, err: /folder/ },
    { line: "where", exit: 2, err: /missing/ },
    { line: "fc a.txt a.txt", exit: 0, out: /no differences/ },
    {
      line: "fc a.txt b.txt",
      exit: 1,
      out: /\*{5} a\.txt\|alpha\|Beta 12\|gamma\.delta\|\*{5} b\.txt\|alpha\|beta 12/,
    },
    { line: "fc /c a.txt b.txt", exit: 0, out: /no differences/ },
    { line: "fc /n a.txt b.txt", exit: 1, out: / {4}2: {2}Beta 12/ },
    { line: "fc /b bin1 bin2", exit: 1, out: /00000002: 63 64/ },
    { line: "fc a.txt nosuch", exit: 2, err: /cannot open nosuch/ },
    { line: "timeout /t 0 /nobreak", exit: 0, out: /Waiting for 0 seconds/ },
    { line: "timeout /t -1", exit: 1, err: /nobody/ },
    { line: "timeout soon", exit: 1, err: /Invalid value/ },
    { line: "choice /c yn", exit: 255, err: /empty/ },
    { line: "choice /c yn /t 0 /d n", exit: 2, out: "[y,n]?n" },
    { line: "echo b| choice /c abc /m pick", exit: 2, out: "pick [a,b,c]?b" },
    { line: "move nosuch x", exit: 1, err: /cannot find/ },
    { line: "move bin1 moved && type moved", exit: 0, out: / 1 file\(s\) moved\.\|abc/ },
    { line: "mkdir there && move *.txt there && dir /b there", exit: 0, out: /2 file\(s\) moved\.\|a\.txt\|b\.txt$/ },
    { line: "move there elsewhere && dir /b elsewhere", exit: 0, out: /1 dir\(s\) moved\.\|a\.txt\|b\.txt$/ },
    { line: "move /y moved sub\\c.txt && type sub\\c.txt", exit: 0, out: /abc$/ },
  ],
  texts,
);

table(
  "setx writes what the next steps find in their environment",
  [
    { line: "setx FOO bar", exit: 0, out: /SUCCESS: Specified value was saved\./ },
    { line: 'setx /M WIDE "%%PATH%%;C:\\x"', exit: 0 },
    { line: 'setx SPACED "a b" /m', exit: 0 },
    { line: `setx LONG ${"x".repeat(1100)}`, exit: 0, out: /truncated to 1024/ },
    { line: "setx", exit: 1, err: /Invalid syntax/ },
    { line: "setx FOO bar baz", exit: 1, err: /Invalid syntax/ },
    { line: "setx /k HKLM\\x FOO", exit: 1, err: /not known/ },
  ],
  {},
  (batch) => [
    [/"FOO"="bar"/.test(batch.registry("user")), true],
    [new RegExp(`"LONG"="${"x".repeat(1024)}"`).test(batch.registry("user")), true],
    [/"WIDE"=str\(2\):"%PATH%;C:\\\\x"/.test(batch.registry("system")), true],
    [/"SPACED"="a b"/.test(batch.registry("system")), true],
  ],
);

const quiet = "/NFL /NDL /NJH /NJS /NP";
table(
  "robocopy copies, mirrors and moves, and ends with its own bits",
  [
    { line: `mkdir src\\empty && robocopy src s /S ${quiet}`, exit: 1, out: "" },
    { line: `robocopy src s /S ${quiet}`, exit: 0, out: "" },
    { line: "if exist s\\empty exit 5", exit: 0 },
    { line: `robocopy src e /E ${quiet}`, exit: 1 },
    { line: "if exist e\\empty type e\\sub\\deep\\four.txt", exit: 0, out: "4" },
    {
      line: "robocopy src p *.txt /S /XF three.txt /XD skip /NJH /NJS /R:1 /W:1 /MT:8",
      exit: 1,
      out: /one\.txt\|.*four\.txt$/,
    },
    { line: "dir /b /s p | find /c /v x", exit: 2 },
    { line: `robocopy src dst ${quiet}`, exit: 3 },
    { line: "type dst\\old.txt", exit: 0, out: "old" },
    {
      line: "robocopy src dst /MIR /NJH",
      exit: 3,
      out: /\*EXTRA File\t\tC:\\work\\dst\\old\.txt\|.*Files : {9}5 {9}3 {9}2 {9}0 {9}0 {9}1$/,
    },
    { line: "if exist dst\\old.txt exit 5", exit: 0 },
    { line: "robocopy nosuch d3", exit: 16, out: /ERROR 2 / },
    { line: "robocopy src d3 /BOGUS", exit: 16, err: /Invalid Parameter/ },
    { line: "robocopy src", exit: 16, err: /Destination/ },
    { line: "robocopy src d4 /COPYALL /LOG:log.txt", exit: 1, out: "" },
    { line: "type log.txt", exit: 0, out: /access lists, owners and auditing are not copied/ },
    { line: `attrib +r src\\one.txt & robocopy src d5 one.txt /MOV ${quiet}`, exit: 1 },
    { line: "attrib d5\\one.txt & if exist src\\one.txt exit 5", exit: 0, out: /^A {4}R .*one\.txt$/ },
    { line: `robocopy e d6 /E /MOVE ${quiet}`, exit: 1 },
    { line: "if exist e exit 5", exit: 0 },
    { line: `mkdir d7\\one.txt & robocopy d6 d7 ${quiet}`, exit: 5 },
    { line: "robocopy d6 d8 /E /L /NJH /NJS", exit: 1, out: /New File/ },
    { line: "if exist d8 exit 5", exit: 0 },
    { line: "mkdir m & mklink /j m\\far C:\\work\\d6 & mkdir none & robocopy none m /MIR /NJH /NJS", exit: 2 },
    { line: "if exist m\\far exit 5 else type d6\\two.log", exit: 0, out: "" },
    { line: "type d6\\two.log", exit: 0, out: "22" },
  ],
  {
    ...{ "src/one.txt": "1", "src/two.log": "22", "src/sub/three.txt": "333", "src/sub/deep/four.txt": "4" },
    ...{ "src/skip/x.txt": "x", "dst/old.txt": "old" },
  },
);

table("services are made, changed and taken away; accounts are refused", [
  {
    line: 'sc create foo binPath= "C:\\foo.exe -x" start= auto depend= a/b',
    exit: 0,
    out: "[SC] CreateService SUCCESS",
  },
  { line: "sc create foo binPath= C:\\foo.exe", exit: 1073, err: /already exists/ },
  { line: "sc config foo start= disabled", exit: 0, out: "[SC] ChangeServiceConfig SUCCESS" },
  { line: "sc config foo start= sometimes", exit: 1639, err: /sometimes/ },
  { line: "sc qc foo", exit: 0, out: /DISABLED.*BINARY_PATH_NAME {3}: C:\\foo\.exe -x/ },
  { line: "sc failure foo reset= 60 actions= restart/5000", exit: 0 },
  { line: "sc failure foo actions= bogus", exit: 1639 },
  { line: "sc start foo", exit: 1058, err: /StartService FAILED 1058/ },
  {
    line: "reg query HKLM\\System\\CurrentControlSet\\Services\\foo",
    exit: 0,
    out: /DependOnService {4}REG_MULTI_SZ {4}a\\0b.*FailureActions {4}REG_BINARY {4}3C0000000000000000000000010000001400000001000000881300{2}/,
  },
  { line: "sc query nosuch", exit: 1060, err: /does not exist/ },
  { line: "sc sdset foo D:", exit: 1639, err: /not part/ },
  { line: "sc delete foo", exit: 0 },
  { line: "net user bob /add", exit: 1, err: /accounts/ },
  { line: "net localgroup Administrators bob /add", exit: 1, err: /accounts/ },
  { line: "net start nosuch", exit: 2, err: /invalid/ },
  { line: "net start", exit: 0, out: /started/ },
  { line: "tasklist", exit: 0, out: /Image Name.*run\.exe.*tasklist\.exe/ },
  {
    line: 'tasklist /fo csv /nh /fi "IMAGENAME eq run.exe"',
    exit: 0,
    out: /^"run\.exe","\d+","Console","1","[\d,]+ K"$/,
  },
  { line: 'tasklist /fi "imagename eq nosuch.exe"', exit: 0, out: /^INFO: No tasks/ },
  { line: "tasklist /svc", exit: 1, err: /not known/ },
  { line: "systeminfo", exit: 0, out: /Host Name: +wbuild\|OS Name: +\S/ },
]);

table("what usual Dockerfiles ask of cmd", [
  { line: 'for /f "tokens=2 delims=," %%a in ("one,two") do @echo %%b%%a', exit: 0, out: "%btwo" },
  { line: "setlocal enabledelayedexpansion\nfor %%i in (a b) do (\nset X=%%i\necho !X!\n)", exit: 0, out: "a|b" },
  { line: "cmd /c exit 3\nif errorlevel 3 echo three", exit: 3, out: "three" },
  { line: "cmd /c exit 3 || echo failed", exit: 3, out: "failed" },
  { line: "call :sub a b\nexit /b 4\n:sub\necho in %1 %2\nexit /b 0", exit: 4, out: "in a b" },
  { line: "mkdir x\\y && rmdir /s /q x && if not exist x echo gone", exit: 0, out: "gone" },
  { line: "pushd \\ && cd && popd && cd", exit: 0, out: "C:\\|C:\\work" },
  { line: "copy nosuch c.txt", exit: 1, err: /not found/ },
  { line: "type nosuch", exit: 1, err: /not found/ },
  { line: "cd nosuch", exit: 1, err: /not found/ },
  { line: "set X=hello\necho %X:~1,3% %X:l=L%", exit: 0, out: "ell heLLo" },
  { line: "start /wait cmd /c exit 7", exit: 7 },
  { line: "xcopy nosuch y", exit: 4 },
  { line: "reg load HKLM\\x C:\\x.hiv", exit: 1 },
  { line: "reg save HKLM\\Software C:\\x.hiv", exit: 1 },
  { line: "reg query HKLM\\Software\\nosuch", exit: 1 },
  { line: "msiexec /i C:\\nosuch.msi /qn", exit: 2 },
  { line: "wmic bogus", exit: 1 },
  { line: "schtasks /create /tn x /tr y /sc daily", exit: 1 },
  { line: "wusa C:\\nosuch.msu /quiet", exit: 1 },
  { line: "taskkill /im nosuch.exe /f", exit: 128 },
  { line: "regsvr32 /s C:\\nosuch.dll", exit: 3 },
  { line: "curl --version", exit: hasOldCmd ? 9009 : 1, err: /recognize/ },
]);

withWine("each program that does nothing is refused", async (t) => {
  t.timeout(120_000);
  const base = await personality();
  // Those of .NET lie in folders of their own, which this Wine does not make.
  const found = Object.keys(refusedPrograms).filter((name) =>
    existsSync(join(base.root, "Files/Windows/System32", name)),
  );
  const { rows } = await runBatch(
    t,
    base,
    found.map((name) => `${name} /bogus`),
  );
  t.true(found.length > 10);
  for (const [index, name] of found.entries()) {
    t.is(rows[index]?.exit, 1, name);
    t.regex(rows[index]?.stderr ?? "", new RegExp(`^${name.replace(".exe", "")}: .*not part of wbuild's`), name);
  }
});

/** Programs of Wine that have a word about stubs in them and still do what Dockerfiles ask of them. */
const trustedPrograms: Readonly<Record<string, string>> = {
  "cmd.exe": "works; the words are of two rare functions of the C library",
  "cscript.exe": "runs VBScript and JScript; some properties of WScript are missing",
  "dllhost.exe": "holds COM servers; the words are of COM's own stubs",
  "explorer.exe": "makes the desktop that windows need; its start menu is of no use here",
  "ntoskrnl.exe": "the kernel for Wine's own drivers; not a program that steps start",
  "oleview.exe": "shows windows only",
  "rpcss.exe": "finds COM servers; the words are of COM's own stubs",
  "whoami.exe": "prints the account; the words are of /UPN, /FQDN and /LOGONID",
  "winhlp32.exe": "shows windows only",
  "wordpad.exe": "shows windows only",
  "wscript.exe": "as cscript.exe",
};

withWine("each of Wine's programs with a word about stubs is ours, refused or known to work", (t) => {
  const { windows } = requireWine();
  const ours = new Set(ownPrograms().map(({ name }) => name));
  const unknown = readdirSync(windows)
    .filter((name) => name.endsWith(".exe"))
    .filter((name) => /\bstub\b/.test(readFileSync(join(windows, name), "latin1")))
    .filter((name) => !ours.has(name) && !(name in refusedPrograms) && !(name in trustedPrograms));
  t.deepEqual(unknown, []);
});
