import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { toolMounts } from "../../../builder/runtime/wine/tools.ts";
import { addTool, listTools, removeTool } from "../../../builder/tools/tools.ts";
import { zipContent, zipEntries } from "../../../builder/tools/zip.ts";
import { findProgram } from "../../../native/core/programs.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { type ZipMember, zipOf } from "../../doubles/zip.ts";

function scratch(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-tools-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function written(t: ExecutionContext, members: readonly ZipMember[], options = {}): string {
  const path = join(scratch(t), "archive.zip");
  writeFileSync(path, zipOf(members, options));
  return path;
}

const powershell: ZipMember[] = [
  { name: "pwsh.exe", content: "program" },
  { name: "Modules/" },
  { name: "Modules/x.psd1", content: "x".repeat(10_000), deflate: true },
];

const archives: [title: string, options: object, members: readonly ZipMember[]][] = [
  ["as it is published", {}, powershell],
  ["with sizes of 64 bits", { wide: true }, powershell],
  ["with a comment", { comment: "hello PK\x05 hello" }, powershell],
  ["in one folder", {}, powershell.map((member) => ({ ...member, name: `PowerShell-7/${member.name}` }))],
  ["with backslashes", {}, powershell.map((member) => ({ ...member, name: member.name.replaceAll("/", "\\") }))],
];

for (const [title, options, members] of archives) {
  test(`a zip archive of PowerShell ${title}`, async (t) => {
    const home = scratch(t);
    const tool = await addTool(home, "powershell", written(t, members, options));
    t.is(tool.place, "C:\\Program Files\\PowerShell\\7");
    t.is(tool.bytes, 10_007);
    t.is(readFileSync(join(tool.folder, "pwsh.exe"), "utf8"), "program");
    t.is(readFileSync(join(tool.folder, "Modules/x.psd1"), "utf8").length, 10_000);
    t.deepEqual(await toolMounts(home), {
      mounts: [{ kind: "bind", source: tool.folder, target: "/Files/Program Files/PowerShell/7", readonly: true }],
      path: ["C:\\Program Files\\PowerShell\\7"],
    });
  });
}

test("folders and tar archives; a second one replaces the first; list and rm", async (t) => {
  const [home, source] = [scratch(t), scratch(t)];
  mkdirSync(join(source, "tool/bin"), { recursive: true });
  writeFileSync(join(source, "tool/bin/a.exe"), "one");
  await addTool(home, "seven-zip", join(source, "tool"));
  execFileSync("tar", ["-czf", join(source, "tool.tgz"), "-C", source, "tool"]);
  writeFileSync(join(source, "tool/b.exe"), "two");
  await addTool(home, "other", join(source, "tool"));
  t.deepEqual(
    listTools(home).map(({ name, place }) => [name, place]),
    [
      ["other", "C:\\Tools\\other"],
      ["seven-zip", "C:\\Tools\\seven-zip"],
    ],
  );
  const again = await addTool(home, "other", join(source, "tool.tgz"));
  t.deepEqual(readdirSync(again.folder), ["a.exe"], "single folders at the top are left out");
  removeTool(home, "other");
  t.deepEqual(
    listTools(home).map(({ name }) => name),
    ["seven-zip"],
  );
  t.throws(() => removeTool(home, "other"), { code: "CLI_VALUE" } as object);
  t.deepEqual(
    readdirSync(join(home, "tools")).filter((name) => name.startsWith(".making")),
    [],
  );
});

const good = { name: "a.exe", content: "x" };
const refused: [title: string, code: string, members: readonly ZipMember[]][] = [
  ["climbs out", "LAYER_ESCAPE", [{ name: "../../a.exe", content: "x" }]],
  ["has an absolute name", "LAYER_ABSOLUTE", [{ name: "/etc/a.exe", content: "x" }]],
  ["names a drive", "WIN_TOOL", [{ name: "C:\\a.exe", content: "x" }]],
  ["has a device's name", "WIN_TOOL", [{ name: "NUL.txt", content: "x" }]],
  ["has two names that Windows cannot tell apart", "WIN_TOOL", [good, { name: "A.EXE", content: "y" }]],
  ["holds a link", "WIN_ARCHIVE", [{ name: "a", content: "/etc/passwd", mode: 0o120777 }]],
  ["is encrypted", "WIN_ARCHIVE", [{ ...good, flags: 1 }]],
  ["is compressed by something else", "WIN_ARCHIVE", [{ ...good, method: 14 }]],
  ["says a smaller size than it has", "WIN_ARCHIVE", [{ name: "a", content: "x".repeat(99), deflate: true, size: 9 }]],
  ["says a larger size than it has", "WIN_ARCHIVE", [{ name: "a", content: "x", deflate: true, size: 9 }]],
  ["has a wrong checksum", "WIN_ARCHIVE", [{ ...good, crc: 7 }]],
  ["holds nothing", "WIN_TOOL", []],
];

for (const [title, code, members] of refused) {
  test(`an archive that ${title} is refused, and leaves nothing`, async (t) => {
    const home = scratch(t);
    await t.throwsAsync(addTool(home, "tool", written(t, members)), { code } as object);
    t.deepEqual(listTools(home), []);
    t.deepEqual(
      readdirSync(join(home, "tools")).filter((name) => name !== ".lock"),
      [],
    );
  });
}

test("sources and names that cannot be", async (t) => {
  const [home, source] = [scratch(t), scratch(t)];
  writeFileSync(join(source, "a.exe"), "x");
  for (const name of ["", "../x", "A", "a b", ".x", "x".repeat(65)]) {
    await t.throwsAsync(addTool(home, name, source), { code: "CLI_VALUE" } as object, name);
  }
  await t.throwsAsync(addTool(home, "x", join(source, "none")), { code: "CLI_VALUE" } as object);
  await t.throwsAsync(addTool(home, "powershell", source), { code: "WIN_TOOL", message: /no pwsh\.exe/ } as object);
  // Attack: what a link in the folder leads to would be seen by every step.
  symlinkSync("/etc", join(source, "etc"));
  await t.throwsAsync(addTool(home, "x", source), { code: "WIN_TOOL" } as object);
  t.false(existsSync(join(home, "tools/x")));
});

test("a PowerShell of the image is not hidden by ours, other tools are there", async (t) => {
  const [home, source, image] = [scratch(t), scratch(t), scratch(t)];
  writeFileSync(join(source, "pwsh.exe"), "ours");
  await addTool(home, "powershell", source);
  await addTool(home, "other", source);
  mkdirSync(join(image, "Files/program files/powershell/7"), { recursive: true });
  t.is((await toolMounts(home, [image])).mounts.length, 2);
  writeFileSync(join(image, "Files/program files/powershell/7/PWSH.EXE"), "the image's");
  t.deepEqual((await toolMounts(home, [image])).path, ["C:\\Tools\\other"]);
});

test("no tools: nothing is mounted", async (t) => {
  t.deepEqual(await toolMounts(join(scratch(t), "none")), { mounts: [], path: [] });
});

testUnless(findProgram("bsdtar") === undefined ? "no bsdtar on this host" : undefined)(
  "zip: what another program packed is read the same",
  async (t) => {
    const folder = scratch(t);
    mkdirSync(join(folder, "in/deep"), { recursive: true });
    const content = Buffer.from("a line\n".repeat(50_000));
    writeFileSync(join(folder, "in/deep/ä.txt"), content);
    writeFileSync(join(folder, "in/empty"), "");
    execFileSync("bsdtar", ["-a", "-cf", join(folder, "out.zip"), "-C", join(folder, "in"), "."], {
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
    await using file = await open(join(folder, "out.zip"), "r");
    const seen = new Map<string, Buffer>();
    for (const entry of await zipEntries(file)) {
      if (entry.type !== "file") continue;
      const parts: Uint8Array[] = [];
      for await (const part of zipContent(file, entry)) parts.push(part);
      seen.set(entry.name.replace(/^\.\//, ""), Buffer.concat(parts));
    }
    t.deepEqual(seen.get("deep/ä.txt"), content);
    t.deepEqual(seen.get("empty"), Buffer.alloc(0));
  },
);

for (const [title, content] of [
  ["a text", "port=8080\n"],
  ["half a tar", Buffer.concat([Buffer.from("a".padEnd(100, "\0")), Buffer.alloc(200)])],
] as const)
  test(`${title} is no archive, and is told as that`, async (t) => {
    const source = join(scratch(t), "tool.tar");
    writeFileSync(source, content);
    const message = `${source} is neither a zip nor a whole tar`;
    await t.throwsAsync(addTool(scratch(t), "x", source), { code: "WIN_ARCHIVE", message } as object);
  });
