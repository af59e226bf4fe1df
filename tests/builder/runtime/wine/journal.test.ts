import test from "ava";
import fc from "fast-check";
import { changedSecurity } from "../../../../builder/runtime/wine/access.ts";
import { accountOf } from "../../../../builder/runtime/wine/account.ts";
import { exitHint, programFailure } from "../../../../builder/runtime/wine/failure.ts";
import { type AclNote, readJournal } from "../../../../builder/runtime/wine/journal.ts";
import type { Entry } from "../../../../layerfs/layer/entry.ts";
import { formatSddl } from "../../../../layerfs/windows/sddl.ts";
import { decodeSecurity } from "../../../../layerfs/windows/security.ts";
import { isWbuildError } from "../../../../native/error.ts";
import { holds } from "../../../doubles/holds.ts";

const good: readonly (readonly [line: string, note: object])[] = [
  ["link\tjunction\tC:\\a\\j\tC:\\b", { kind: "link", type: "junction", path: "a/j", target: "C:\\b" }],
  ["link\tfile\tc:/a/l\t..\\b%09%25", { kind: "link", type: "file", path: "a/l", target: "..\\b\t%" }],
  ["owner\tC:\\x\ttree\tS-1-1-0", { kind: "owner", path: "x", tree: true, principal: "S-1-1-0" }],
  [
    "acl\tgrant\t\\\\?\\C:\\x\tone\tUsers\t1f01ff\t3",
    { kind: "acl", verb: "grant", path: "x", tree: false, principal: "Users", mask: 0x1f01ff, flags: 3 },
  ],
  ["acl\tinheritance\tC:\\x\tone\tr\t0\t0", { kind: "acl", verb: "inheritance", principal: "r" }],
  ["lost\tHKU\\S-1-5-19", { kind: "lost", key: "HKU\\S-1-5-19" }],
];
for (const [line, note] of good)
  test(`journal: ${JSON.stringify(line)}`, (t) => {
    t.like(readJournal(`${line}\r\n`)[0], note);
  });

const bad: readonly string[] = [
  "",
  "rm\tC:\\x",
  "link\tsocket\tC:\\x\ty",
  "link\tfile\tC:\\..\\..\\etc\tx",
  "link\tfile\tD:\\x\ty",
  "link\tfile\t/etc/passwd\ty",
  "owner\tC:\\x\tall\tUsers",
  "acl\tgrant\tC:\\x\tone\tUsers\tzz\t0",
  "lost\t",
  "acl\tgrant\tC:\\x\tone\tUsers\t1f01ff",
];
for (const line of bad)
  test(`no line of a journal: ${JSON.stringify(line)}`, (t) => {
    const error = t.throws(() => readJournal(`owner\tC:\\\tone\tUsers\n${line}\n`));
    t.true(isWbuildError(error, "WIN_JOURNAL"));
    t.regex(error?.message ?? "", /^line 2 /);
  });

test("any text is a journal or an error that says where", (t) => {
  const piece = fc.constantFrom(
    "acl",
    "link",
    "owner",
    "\t",
    "\n",
    "C:\\a",
    "%",
    "%00",
    "grant",
    "one",
    "..",
    "\\",
    "1",
  );
  holds(
    t,
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        readJournal(pieces.join(""));
      } catch (error) {
        t.true(isWbuildError(error, "WIN_JOURNAL"));
        for (const code of [9009, 6]) t.regex(exitHint(code, "cmd /S /C x.exe") ?? "", /64-bit Windows/);
      }
    }),
  );
});

const file: Entry = { path: "x", type: "file", mode: 0o644, uid: 0, gid: 0, size: 0, mtimeNs: 0n };
const acl = (verb: AclNote["verb"], more: Partial<AclNote> = {}): AclNote => ({
  ...{ kind: "acl", verb, path: "x", tree: false, principal: "Users", mask: 0x1f01ff, flags: 3 },
  ...more,
});
const base = "O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)";
const access: readonly (readonly [name: string, note: AclNote, sddl: string])[] = [
  ["grant, without a folder's inheritance", acl("grant", { principal: "Everyone" }), `${base}(A;;FA;;;WD)`],
  ["grant to who is there already", acl("grant"), "O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;FA;;;BU)"],
  [
    "grant in place of what was",
    acl("grant-replace", { mask: 0x120089 }),
    "O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;FR;;;BU)",
  ],
  ["deny", acl("deny"), `O:BAG:SYD:(D;;FA;;;BU)${base.slice("O:BAG:SYD:".length)}`],
  ["remove", acl("remove", { principal: "*S-1-5-32-545" }), "O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)"],
  ["protect", acl("inheritance", { principal: "d" }), base.replace("D:", "D:P")],
];
for (const [name, note, sddl] of access)
  test(`access: ${name}`, (t) => {
    t.is(formatSddl(decodeSecurity(changedSecurity(file, note))), sddl);
  });

test("access for an account that nobody knows is refused", (t) => {
  t.throws(() => changedSecurity(file, acl("grant", { principal: "mallory" })), { code: "STEP_ACCOUNT" });
});

const users: readonly (readonly [user: string, name: string])[] = [
  ["", "ContainerAdministrator"],
  ["containeruser", "ContainerUser"],
  ["User Manager\\ContainerAdministrator", "ContainerAdministrator"],
  ["build", "build"],
];
for (const [user, name] of users)
  test(`the account of USER ${JSON.stringify(user)}`, (t) => {
    t.is(accountOf(user).name, name);
  });
for (const user of ["..", "a/b", "a:b", "a\n0:0", "x."])
  test(`no account: ${JSON.stringify(user)}`, (t) => {
    t.throws(() => accountOf(user), { code: "STEP_USER" });
  });

test("what is told of programs that do not run", (t) => {
  const missing = [{ dll: "cool.dll", neededBy: "C:\\app\\app.exe" }];
  t.like(programFailure({ exit: 3221225781, missing }, "app.exe"), {
    code: "WIN_DLL",
    message: "the program cannot start, a DLL is missing: cool.dll (needed by C:\\app\\app.exe)",
  });
  t.regex(programFailure({ error: "not-found", program: "powershell.exe" }, "x")?.hint ?? "", /tools add powershell/);
  t.is(programFailure({ exit: 1 }, "x"), undefined);
  t.regex(exitHint(1, "cmd /S /C powershell -Command x") ?? "", /tools add powershell/);
  t.regex(exitHint(3221225477, "x.exe") ?? "", /0xC0000005/);
  t.is(exitHint(1, "x.exe"), undefined);
});
