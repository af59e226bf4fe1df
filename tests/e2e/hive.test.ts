/** `wbuild hive`, as a person uses it, on hives made here and on real ones. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { HiveKey } from "../../layerfs/hive/key.ts";
import { readHive } from "../../layerfs/hive/regf/read.ts";
import { writeHive } from "../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../layerfs/hive/tree.ts";
import { writeWineText } from "../../layerfs/hive/wine-text.ts";
import { runCli, sandboxOf, top } from "../doubles/cli.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { told } from "../layerfs/hive/trees.ts";

const samples = join(top, "../shared/testdata/hives");
const withSamples = testUnless(existsSync(samples) ? undefined : "the samples are not here");
const utf16 = (text: string) => Buffer.from(text, "utf16le");

/** A folder with the hive SOFTWARE, SOFTWARE.after, in which something of every kind changed, and Wine's user.reg. */
function scene(t: ExecutionContext) {
  const { folder, env } = sandboxOf(t);
  const tree = (isAfter: boolean) => {
    const root = new KeyTree("ROOT");
    const acme = root.setSubkey(new KeyTree("Acme"));
    acme.lastWrite = 132_000_000_000_000_000n;
    acme.setValue({ name: "Level", type: 4, data: Uint8Array.of(isAfter ? 7 : 1, 0, 0, 0) });
    acme.setValue({ name: "", type: 1, data: utf16("C:\\Acme\0") });
    acme.setValue({ name: "\x1b[2Jevil\x9b", type: 7, data: utf16("a\0b\0\0") });
    if (!isAfter) acme.setValue({ name: "Old", type: 3, data: new Uint8Array(30) });
    if (isAfter) acme.setSubkey(new KeyTree("New")).setValue({ name: "v", type: 11, data: new Uint8Array(8) });
    else acme.setSubkey(new KeyTree("Gone"));
    return hiveOf(root);
  };
  writeFileSync(join(folder, "SOFTWARE"), writeHive(tree(false)));
  writeFileSync(join(folder, "SOFTWARE.after"), writeHive(tree(true)));
  writeFileSync(
    join(folder, "user.reg"),
    writeWineText(tree(false), { relativeTo: "REGISTRY\\User\\x", arch: "win64" }),
  );
  const cli = (...args: string[]) => runCli(["hive", ...args], { cwd: folder, env });
  const root = (name: string) => readHive(readFileSync(join(folder, name))).root;
  return { folder, cli, root };
}

test("show lists keys, values and data, harmless on a terminal", async (t) => {
  const { cli } = scene(t);
  const lines = [
    "Acme",
    '  @ REG_SZ "C:\\Acme"',
    '  "\\u001b[2Jevil\\u009b" REG_MULTI_SZ "a" "b"',
    '  "Level" REG_DWORD 1 (0x1)',
    `  "Old" REG_BINARY ${Array(24).fill("00").join(" ")} … 30 bytes`,
    "  Gone",
    "",
  ];
  for (const file of ["SOFTWARE", "user.reg"]) {
    t.deepEqual(await cli("show", file), { code: 0, stdout: lines.join("\n"), stderr: "" }, file);
    t.is((await cli("show", file, "--depth", "0")).stdout, "");
    t.is(
      (await cli("show", file, "\\acme", "--depth", "0")).stdout,
      lines
        .slice(1, 5)
        .map((line) => `${line.slice(2)}\n`)
        .join(""),
    );
  }
  const { stdout } = await cli("show", "SOFTWARE", "--json");
  t.false(stdout.includes("\x1b") || stdout.includes("\x9b"));
  const { keys } = JSON.parse(stdout);
  t.like(keys[0], { name: "Acme", lastWrite: "2019-04-17T18:40:00.000Z" });
  t.regex(keys[0].security, /^O:BAG:BAD:/);
  t.deepEqual(keys[0].values[1], {
    name: "\x1b[2Jevil\x9b",
    type: "REG_MULTI_SZ",
    data: "61000000620000000000",
    value: ["a", "b"],
  });
});

test("diff tells what changed and writes it as a differencing hive, merge puts that on the base", async (t) => {
  const { cli, root, folder } = scene(t);
  const lines = [
    'C Acme "Level" REG_DWORD 1 (0x1) -> REG_DWORD 7 (0x7)',
    `D Acme "Old" REG_BINARY ${Array(24).fill("00").join(" ")} … 30 bytes`,
    "D Acme\\Gone",
    "A Acme\\New",
    'A Acme\\New "v" REG_QWORD 0 (0x0)',
    "",
  ].join("\n");
  t.deepEqual(await cli("diff", "SOFTWARE", "SOFTWARE.after", "-o", "Software_Delta"), {
    code: 0,
    stdout: lines,
    stderr: "",
  });
  t.is((await cli("diff", "SOFTWARE", "Software_Delta")).stdout, lines, "a delta is told over its base");
  t.is((await cli("diff", "SOFTWARE", "SOFTWARE")).stdout, "");
  const json = JSON.parse((await cli("diff", "SOFTWARE", "SOFTWARE.after", "--json")).stdout);
  t.deepEqual(json[2], { kind: "deleted", key: ["Acme", "Gone"] });
  t.like(json[0], { kind: "changed", key: ["Acme"], was: { value: 1 }, value: { value: 7 } });

  const delta = readHive(readFileSync(join(folder, "Software_Delta")));
  t.like(delta, { differencing: true, minor: 6 });
  t.is(
    (await cli("show", "Software_Delta")).stdout,
    [
      "Acme",
      '  "Level" REG_DWORD 7 (0x7)',
      '  "Old" [deleted]',
      "  Gone [deleted]",
      "  New",
      '    "v" REG_QWORD 0 (0x0)',
      "",
    ].join("\n"),
  );
  t.is((await cli("merge", "SOFTWARE", "Software_Delta", "-o", "merged")).code, 0);
  t.deepEqual(told(root("merged")), told(root("SOFTWARE.after")));
  t.deepEqual(await cli("check", "SOFTWARE", "Software_Delta", "merged", "user.reg"), {
    code: 0,
    stdout: "",
    stderr: "",
  });
});

test("export and import: regedit's files out and in, of hives and of Wine's text", async (t) => {
  const { cli, root, folder } = scene(t);
  const { code } = await cli("export", "SOFTWARE", "Acme", "-o", "acme.reg");
  t.is(code, 0);
  const text = readFileSync(join(folder, "acme.reg")).toString("utf16le");
  t.true(
    text.startsWith("\ufeffWindows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Acme]\r\n@="),
    text,
  );
  t.is((await cli("export", "SOFTWARE.after", "Acme", "--prefix", "HKLM\\SOFTWARE", "-o", "after.reg")).code, 0);

  writeFileSync(
    join(folder, "edit.reg"),
    'REGEDIT4\n[-HKEY_LOCAL_MACHINE\\SOFTWARE\\Acme\\Gone]\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Acme]\n"Old"=-\n[HKEY_CURRENT_USER\\x]\n',
  );
  const imported = await cli("import", "SOFTWARE", "after.reg", "edit.reg", "-o", "copy");
  t.is(imported.code, 0);
  t.is(
    imported.stderr,
    "warning: edit.reg: 1 of 3 keys are not below HKEY_LOCAL_MACHINE\\SOFTWARE and were left out, such as HKEY_CURRENT_USER\\x\n",
  );
  t.deepEqual(withoutSecurity(root("copy")), withoutSecurity(root("SOFTWARE.after")));
  const secured = root("copy").subkey("Acme");
  t.deepEqual(secured?.security, root("SOFTWARE").security);
  t.truthy(secured?.subkey("New")?.security);

  // Without -o in the file itself, and Wine's text stays Wine's text.
  writeFileSync(
    join(folder, "user.edit"),
    'Windows Registry Editor Version 5.00\n\n[-HKEY_CURRENT_USER\\Acme]\n[HKCU\\N]\n"a"="b"\n',
  );
  t.is((await cli("import", "user.reg", "user.edit")).code, 0);
  t.is((await cli("show", "user.reg")).stdout, 'N\n  "a" REG_SZ "b"\n');
  t.regex(
    readFileSync(join(folder, "user.reg"), "latin1"),
    /^WINE REGISTRY Version 2\n;; All keys relative to REGISTRY\\\\User\\\\x\n\n#arch=win64\n/,
  );
});

test("the logs beside a hive are applied, whatever their case, and that is said", async (t) => {
  const { cli, folder } = scene(t);
  const dirty = Buffer.from(readFileSync(join(folder, "SOFTWARE")));
  dirty.writeUInt32LE(dirty.readUInt32LE(4) + 1, 4);
  writeFileSync(join(folder, "DIRTY"), dirty);
  const { stderr, code } = await cli("show", "DIRTY", "Acme");
  t.is(code, 0);
  t.regex(stderr, /DIRTY: it was not closed in order, and no log beside it helps/);
  const dirtyFile = join(samples, "NewDirtyHive1/NewDirtyHive");
  if (!existsSync(dirtyFile)) return t.log("real dirty hives are not here: skipped");
  copyFileSync(dirtyFile, join(folder, "NEW"));
  copyFileSync(`${dirtyFile}.LOG1`, join(folder, "New.log1"));
  copyFileSync(`${dirtyFile}.LOG2`, join(folder, "NEW.LOG2"));
  mkdirSync(join(folder, "NEW.LOG"));
  const found = await cli("diff", "NEW", join(samples, "NewDirtyHive1/RecoveredHive_Windows10"));
  t.regex(found.stderr, /NEW: it was not closed in order; the logs beside it were applied/);
  t.deepEqual([found.code, found.stdout], [0, ""]);
});

withSamples("real hives: the delta of a container is told, a damaged one is listed", async (t) => {
  const { cli } = scene(t);
  const delta = await cli("show", join(samples, "System_Delta"), "ControlSet001\\Services", "--depth", "1");
  t.regex(delta.stdout, /^XBOXGIP \[deleted\]$/im);
  t.regex(delta.stdout, /^xboxgipsvc \[replaces tree\]$/m);
  const damaged = await cli("check", join(samples, "BadListHive"));
  t.is(damaged.code, 1);
  t.regex(damaged.stdout, /BadListHive: .* at offset 0x/);
  const json = JSON.parse((await cli("check", "--json", join(samples, "BadListHive"))).stdout);
  t.regex(json[0].file, /BadListHive$/);
  t.is(typeof json[0].offset, "number");
});

test("spoiled Wine text is a finding with its line", async (t) => {
  const { cli, folder } = scene(t);
  writeFileSync(join(folder, "bad.reg"), 'WINE REGISTRY Version 2\n\n[a]\n"v"=nothing\n');
  const { code, stdout } = await cli("check", "bad.reg", "user.reg");
  t.deepEqual([code, stdout], [1, "bad.reg: line 4 of Wine's registry text has data of no known form\n"]);
  t.is((await cli("show", "bad.reg")).code, 1);
});

const wrong: readonly (readonly [title: string, args: readonly string[], code: string])[] = [
  ["no file", ["show", "nothing"], "HIVE_FILE"],
  ["no hive", ["show", "readme"], "HIVE_FORMAT"],
  ["no such key", ["show", "SOFTWARE", "Acme\\None"], "HIVE_NO_KEY"],
  ["no such verb", ["list", "SOFTWARE"], "CLI_VALUE"],
  ["one operand too few", ["diff", "SOFTWARE"], "CLI_USAGE"],
  ["one operand too many", ["show", "SOFTWARE", "Acme", "x"], "CLI_USAGE"],
  ["a flag of another verb", ["show", "SOFTWARE", "-o", "x"], "CLI_USAGE"],
  ["a depth that is none", ["show", "SOFTWARE", "--depth", "-1"], "CLI_VALUE"],
  ["merge without a place", ["merge", "SOFTWARE", "SOFTWARE.after"], "CLI_USAGE"],
  ["a whole hive as a delta", ["merge", "SOFTWARE", "SOFTWARE.after", "-o", "x"], "HIVE_WHOLE"],
  ["a delta as a base", ["diff", "Delta", "SOFTWARE"], "HIVE_LAYERED"],
  ["a name that tells no place", ["export", "SOFTWARE.after"], "CLI_USAGE"],
  ["a registry file that is none", ["import", "SOFTWARE", "readme"], "HIVE_REGEDIT_TEXT"],
  ["a folder that is not there", ["export", "SOFTWARE", "-o", "none/x"], "HIVE_FILE"],
];

test("what cannot be done is refused by name, and changes nothing", async (t) => {
  const { cli, folder } = scene(t);
  writeFileSync(join(folder, "readme"), "hello\n");
  t.is((await cli("diff", "SOFTWARE", "SOFTWARE.after", "-o", "Delta")).code, 0);
  const before = readFileSync(join(folder, "SOFTWARE"));
  for (const [title, args, expected] of wrong) {
    const { code, stderr, stdout } = await cli(...args);
    t.regex(stderr, new RegExp(`^error\\[${expected}\\]`, "m"), title);
    t.true(code === 1 || code === 2, title);
    t.is(stdout, "", title);
  }
  t.deepEqual(readFileSync(join(folder, "SOFTWARE")), before);
  t.false(existsSync(join(folder, "x")));
});

function withoutSecurity(key: HiveKey): unknown {
  return JSON.parse(JSON.stringify(told(key), (name, value) => (name === "security" ? undefined : value)));
}
