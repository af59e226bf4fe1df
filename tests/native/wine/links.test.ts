/** What Wine only pretends to do: links by mklink and CreateSymbolicLink, their removal, access and owners. */
import { existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { testUnless } from "../../doubles/test-unless.ts";
import { compileProgram, makeWineHost, noWine, runWindows, type WineHost } from "./box.ts";

const run = testUnless(noWine, test.serial);
const title = (text: string) => (noWine === undefined ? text : `${text} (${noWine})`);
let host: WineHost;
let files: Record<string, Uint8Array | string>;

test.before(async () => {
  if (noWine !== undefined) return;
  host = await makeWineHost();
  files = { "t/links.exe": compileProgram(host, "links"), "d/f": "content\r\n", "d/e/g": "deep\r\n" };
});
test.after.always(() => host?.remove());

/** A `cmd` line of several commands; everything that they print, errors last. */
async function shell(...commands: string[]) {
  const ended = await runWindows(host, `cmd /S /C ${commands.join(" & ")}`, { files });
  return { ...ended, lines: ended.stdout.split("\n").slice(0, -1), errors: ended.stderr.split("\n").slice(0, -1) };
}

interface LinkRow {
  readonly command: string;
  readonly says: string;
  readonly path: string;
  /** What the Unix link holds. */
  readonly holds: string;
  readonly journal: string;
}

const made = (kind: string, link: string, target: string) => `${kind} created for ${link} <<===>> ${target}`;
const links: readonly LinkRow[] = [
  {
    ...{ command: "mklink C:\\l d\\f", says: made("symbolic link", "C:\\l", "d\\f"), path: "l", holds: "d/f" },
    journal: "link\tfile\tC:\\l\td\\f\n",
  },
  {
    ...{ command: "cd d & mklink l2 ..\\D\\E\\G", says: made("symbolic link", "l2", "..\\D\\E\\G") },
    ...{ path: "d/l2", holds: "../d/e/g", journal: "link\tfile\tC:\\d\\l2\t..\\D\\E\\G\n" },
  },
  {
    ...{ command: 'mklink /D "a b" C:\\d\\e', says: made("symbolic link", "a b", "C:\\d\\e"), path: "a b" },
    ...{ holds: "d/e", journal: "link\tdirectory\tC:\\a b\tC:\\d\\e\n" },
  },
  {
    ...{ command: "cd d\\e & mklink /j j ..", says: made("Junction", "j", ".."), path: "d/e/j", holds: "../../d" },
    journal: "link\tjunction\tC:\\d\\e\\j\tC:\\d\n",
  },
  {
    ...{ command: "mklink d\\e\\up \\windows\\x", says: made("symbolic link", "d\\e\\up", "\\windows\\x") },
    ...{ path: "d/e/up", holds: "../../windows/x", journal: "link\tfile\tC:\\d\\e\\up\t\\windows\\x\n" },
  },
  {
    ...{ command: "mklink n no\\such\\name", says: made("symbolic link", "n", "no\\such\\name"), path: "n" },
    ...{ holds: "no/such/name", journal: "link\tfile\tC:\\n\tno\\such\\name\n" },
  },
];
for (const { command, says, path, holds, journal } of links) {
  run(title(`${command}: a link for this step, and a line for the layer`), async (t) => {
    const ended = await shell(command);
    t.deepEqual([ended.lines, ended.errors, ended.result], [[says], [], { exit: 0 }]);
    t.is(readlinkSync(join(ended.upper, path)), holds);
    t.is(ended.journal, journal);
  });
}

const refusals: readonly (readonly [command: string, error: string])[] = [
  ["mklink d\\f x", "Cannot create a file when that file already exists."],
  ["mklink d x", "Cannot create a file when that file already exists."],
  ["mklink no\\l x", "The system cannot find the path specified."],
  ["mklink l \\\\server\\share", "The request is not supported."],
  ["mklink l D:\\x", "The request is not supported."],
  ["mklink /H l no", "The system cannot find the file specified."],
  ["mklink l", "The syntax of the command is incorrect."],
  ["mklink /X l t", "The syntax of the command is incorrect."],
];
for (const [command, error] of refusals) {
  run(title(`${command}: ${error}`), async (t) => {
    const ended = await shell(command);
    t.deepEqual([ended.errors, ended.result, ended.journal], [[error], { exit: 1 }, ""]);
  });
}

run(title("programs follow links, and removing one leaves what it leads to"), async (t) => {
  const { lines, errors, upper, result } = await shell(
    ...["mklink /J j d >nul", "mklink f2 d\\f >nul", "mkdir t2 & mklink /D t2\\l C:\\d >nul", "type j\\f", "type f2"],
    ...[
      "C:\\t\\links.exe is j",
      "rd j",
      "rmdir t2",
      "rmdir /s /q t2",
      "del f2",
      "C:\\t\\links.exe remove d",
      "type d\\e\\g",
    ],
  );
  // 0x410: a folder, and a reparse point.
  t.deepEqual(lines, ["content", "content", String(0x410), "145", "deep"]);
  for (const name of ["j", "f2"]) t.is(lstatSync(join(upper, name), { throwIfNoEntry: false }), undefined, name);
  t.deepEqual(errors, ["The directory is not empty."]);
  t.deepEqual(result, { exit: 0 });
  for (const name of ["j", "f2", "t2"]) t.false(existsSync(join(upper, name)), name);
  t.is(readFileSync(join(upper, "d/f"), "utf8"), "content\r\n");
});

run(title("what Wine would do to a link's target is refused: moving, deleting by a handle"), async (t) => {
  const { errors, lines, upper } = await shell(
    "mklink l d\\f >nul",
    "move l m",
    "C:\\t\\links.exe open l",
    "C:\\t\\links.exe open d\\f",
  );
  t.deepEqual([errors[0], lines.at(-2), lines.at(-1)], ["The request is not supported.", "50", "0"]);
  t.is(readlinkSync(join(upper, "l")), "d/f");
  t.is(readFileSync(join(upper, "d/f"), "utf8"), "content\r\n");
});

run(title("a hard link is one file with two names"), async (t) => {
  const { lines, upper, journal } = await shell("mklink /H h d\\f");
  t.deepEqual(lines, [made("Hardlink", "h", "d\\f")]);
  t.is(lstatSync(join(upper, "h")).ino, lstatSync(join(upper, "d/f")).ino);
  t.is(journal, "");
});

run(title("CreateSymbolicLink: flags and errors as Windows has them; other ways to links fail loudly"), async (t) => {
  const { lines, upper, journal } = await shell(
    ...[
      "C:\\t\\links.exe link 0 C:\\l d\\f",
      "C:\\t\\links.exe link 3 \\\\?\\C:\\m C:\\d",
      "C:\\t\\links.exe link 8 C:\\n d",
    ],
    ...[
      "C:\\t\\links.exe link 0 C:\\l d",
      "C:\\t\\links.exe link 0 C:\\q\\l d",
      "C:\\t\\links.exe link 0 \\\\?\\unix\\wine\\l d",
    ],
    ...["mkdir y & C:\\t\\links.exe junction C:\\y"],
  );
  t.deepEqual(lines.slice(0, 6), ["0", "0", "87", "183", "3", "5"]);
  t.not(lines[6], "0");
  t.is(readlinkSync(join(upper, "m")), "d");
  t.is(journal, "link\tfile\tC:\\l\td\\f\nlink\tdirectory\tC:\\m\tC:\\d\n");
});

run(title("names of any script go to the journal whole, separators escaped"), async (t) => {
  // Not through a shell, which would take the signs for variables.
  const { journal, upper } = await runWindows(host, 'mklink "日本 é" "100%%~x"', { files });
  t.is(journal, "link\tfile\tC:\\日本 é\t100%25%25~x\n");
  t.is(readlinkSync(join(upper, "日本 é")), "100%%~x");
});

interface AccessRow {
  readonly command: string;
  readonly journal: readonly string[];
  readonly says?: readonly string[];
}

const full = "1f01ff";
const access: readonly AccessRow[] = [
  {
    command: "icacls C:\\d /grant ContainerUser:(OI)(CI)F /T",
    journal: [`acl grant C:\\d tree ContainerUser ${full} 3`],
    says: ["C:\\d", "C:\\d\\e", "C:\\d\\e\\g", "C:\\d\\f"],
  },
  { command: "icacls d /grant:r *S-1-5-32-545:M", journal: ["acl grant-replace C:\\d one S-1-5-32-545 1301bf 0"] },
  {
    command: 'icacls d /grant "NETWORK SERVICE":RX Users:(NP)(IO)R /deny BUILTIN\\Guests:(W,DE) /q',
    journal: [
      "acl grant C:\\d one NETWORK SERVICE 1200a9 0",
      "acl grant C:\\d one Users 120089 c",
      "acl deny C:\\d one BUILTIN\\Guests 110116 0",
    ],
    says: [],
  },
  {
    command: "icacls d\\f /inheritance:r /grant:r Everyone:(GR,RD,X) /remove:g Users /remove A B /remove:d C",
    journal: [
      "acl inheritance C:\\d\\f one r 0 0",
      "acl grant-replace C:\\d\\f one Everyone 80000021 0",
      "acl remove-grant C:\\d\\f one Users 0 0",
      "acl remove C:\\d\\f one A 0 0",
      "acl remove C:\\d\\f one B 0 0",
      "acl remove-deny C:\\d\\f one C 0 0",
    ],
  },
  { command: "icacls d /reset", journal: ["acl reset C:\\d one  0 0"] },
  { command: "icacls d /setowner *S-1-5-18 /t /c /l /q", journal: ["owner C:\\d tree S-1-5-18"], says: [] },
  {
    command: "icacls d\\* /grant A:D /t",
    journal: ["acl grant C:\\d\\e tree A 110000 0", "acl grant C:\\d\\f one A 110000 0"],
    says: ["C:\\d\\e", "C:\\d\\e\\g", "C:\\d\\f"],
  },
  {
    command: "icacls d\\?.* /grant A:(I) & icacls d\\g* /grant A:F /t",
    journal: [`acl grant C:\\d\\e\\g one A ${full} 0`],
  },
];
for (const { command, journal, says } of access) {
  run(title(command), async (t) => {
    const ended = await shell(command);
    const lines = ended.journal.split("\n").slice(0, -1).sort();
    t.deepEqual(lines, journal.map((line) => journalLine(line)).sort());
    t.deepEqual(ended.result, { exit: 0 });
    if (!says) return;
    const processed = ended.lines.filter((line) => line.startsWith("processed file: "));
    t.deepEqual(processed.sort(), says.map((path) => `processed file: ${path}`).sort());
  });
}

/** Blanks as tabs; the name with a blank is the one exception. */
function journalLine(text: string): string {
  return text.replaceAll(" ", "\t").replace("NETWORK\tSERVICE", "NETWORK SERVICE");
}

const faults: readonly (readonly [command: string, exit: number, error: RegExp])[] = [
  ["icacls C:\\no /grant A:F", 2, /^C:\\no: The system cannot find the file specified\.$/m],
  ["icacls d\\no* /grant A:F", 2, /cannot find the file/],
  ["icacls d /grant A:Q", 87, /Invalid parameter "A:Q"/],
  ["icacls d /grant A:(F", 87, /Invalid parameter/],
  ["icacls d /grant A:(OI)", 87, /Invalid parameter/],
  ["icacls d /grant :F", 87, /Invalid parameter/],
  ["icacls d /grant *S-1-x:F", 1337, /security ID structure is invalid/],
  ["icacls d /grant", 87, /Invalid parameter/],
  ["icacls d /bogus", 87, /Invalid parameter "\/bogus"/],
  ["icacls d", 1, /cannot be shown/],
  ["icacls d /save x /t", 1, /cannot be shown, saved/],
  ["icacls d /findsid A", 1, /cannot be shown/],
  ["takeown /f nosuch", 1, /ERROR: The system cannot find the file specified\./],
  ["takeown /r", 1, /ERROR: Invalid syntax/],
  ["powershell -Command ls", 1, /^wbuild: powershell is not here/],
  ["pwsh -v", 1, /wbuild tools add powershell/],
];
for (const [command, exit, error] of faults) {
  run(title(`${command}: fails with ${exit}`), async (t) => {
    const ended = await shell(command);
    t.deepEqual([ended.result, ended.journal], [{ exit }, ""]);
    t.regex(ended.stderr, error);
  });
}

run(title("takeown: the user, the administrators, trees"), async (t) => {
  const { journal, lines } = await shell("takeown /f d /r /d y", "takeown /F C:\\d\\f /A");
  t.deepEqual(journal, "owner\tC:\\d\ttree\tContainerAdministrator\nowner\tC:\\d\\f\tone\tS-1-5-32-544\n");
  t.is(lines.filter((line) => line.startsWith("SUCCESS:")).length, 5);
});

run(title("a PowerShell 7 that is there runs with the same arguments, and its code comes back"), async (t) => {
  const pwsh = compileProgram(host, "argv");
  const all = { ...files, "Program Files/PowerShell/7/pwsh.exe": pwsh, "own/pwsh.exe": compileProgram(host, "end") };
  const said = async (command: string, env: string[] = []) =>
    (await runWindows(host, command, { files: all, env })).stdout.split("\n")[0];
  const program = '["C:\\Program Files\\PowerShell\\7\\pwsh.exe"';
  t.is(await said('pwsh  -File "a b".ps1 x"y'), `${program}  -File "a b".ps1 x"y]`);
  t.is(await said('powershell -NoProfile -ep bypass "ls | x"'), `${program} -NoProfile -ep bypass -Command "ls | x"]`);
  t.is(await said("powershell.exe -Command ls -la"), `${program} -Command ls -la]`);
  const code = await runWindows(host, "pwsh 0xC0000005", {
    files: { ...files, "own/pwsh.exe": compileProgram(host, "end") },
    env: ["PATH=C:\\windows\\system32;C:\\own"],
  });
  t.deepEqual(code.result, { exit: 0xc0000005 });
});
