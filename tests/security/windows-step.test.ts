/**
 * What a program of a Windows step leaves on disk for the process that commits its layer, which reads it as root on the
 * host. Any such program can speak to Linux: tests/e2e/windows-isolation.test.ts has one that does.
 */
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { applyAccess } from "../../builder/runtime/wine/apply-access.ts";
import type { Note } from "../../builder/runtime/wine/journal.ts";
import { readBytes } from "../../builder/runtime/wine/layer-files.ts";
import type { RegistryChanges } from "../../builder/runtime/wine/registry/changes.ts";
import { differingSections } from "../../builder/runtime/wine/registry/section-diff.ts";
import { journalOf, readTexts, resultOf } from "../../builder/runtime/wine/session.ts";
import { stepLayer } from "../../builder/runtime/wine/step-layer.ts";
import { readWineText } from "../../layerfs/hive/wine-text.ts";
import type { Change } from "../../layerfs/layer/entry.ts";
import { stackTree } from "../../layerfs/tree/stacked.ts";
import { draftOf } from "../../layerfs/windows/draft.ts";
import { driveTree } from "../../layerfs/windows/drive.ts";
import { makeNode, setXattr } from "../../native/addon/addon.ts";
import { isWbuildError } from "../../native/error.ts";
import { layerOf, parseChanges } from "../layerfs/tree/files.ts";

function folder(t: ExecutionContext): string {
  const made = mkdtempSync(join(tmpdir(), "wbuild-step-"));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const secret = "a word of the host";

/** What a step may put where a file of ours was. */
const things: readonly (readonly [what: string, put: (path: string, host: string) => void])[] = [
  ["a link to a file of the host", (path, host) => symlinkSync(host, path)],
  ["a link to what never ends", (path) => symlinkSync("/dev/zero", path)],
  ["a pipe that nobody writes into", (path) => execFileSync("mkfifo", [path])],
  ["a folder", (path) => mkdirSync(path)],
  ["a file of a terabyte", (path) => terabyte(path)],
  ["nothing", () => undefined],
];

function terabyte(path: string): void {
  writeFileSync(path, "");
  truncateSync(path, 2 ** 40);
}

for (const [what, put] of things) {
  test(`${what} in the place of the journal, the result, a registry: refused, and never read`, async (t) => {
    const [prefix, texts] = [folder(t), folder(t)];
    const host = join(folder(t), "host");
    writeFileSync(host, `lost\t${secret}\n`);
    for (const name of ["system", "user", "userdef"]) writeFileSync(join(texts, name), "WINE REGISTRY Version 2\n");
    for (const name of ["journal", "result", "system.reg", "user.reg", "userdef.reg"]) put(join(prefix, name), host);
    const refused = async (code: "WIN_JOURNAL" | "WIN_SESSION", read: () => Promise<unknown>) => {
      const error = await t.throwsAsync(read());
      t.true(isWbuildError(error, code), String(error));
      t.false(String(error?.message).includes(secret));
    };
    await refused("WIN_JOURNAL", () => journalOf(prefix));
    await refused("WIN_SESSION", () => resultOf(prefix));
    await refused("WIN_SESSION", () => readTexts(texts, prefix));
  });
}

for (const [what, put] of things.slice(0, 4)) {
  test(`${what} in the place of a hive's log in a layer: no log is there`, (t) => {
    const host = join(folder(t), "host");
    writeFileSync(host, secret);
    const path = join(folder(t), "SYSTEM.LOG1");
    put(path, host);
    t.is(readBytes(path), undefined);
  });
}

async function commit(t: ExecutionContext, upper: string, files: RegistryChanges["files"] = []) {
  const tree = await stackTree([layerOf(parseChanges(["set Files directory", "set Files/a file 1"]))], {
    names: "windows",
  });
  return stepLayer({
    ...{ upper, tree, notes: [], registry: { deltas: new Map(), files }, own: [] },
    account: { name: "ContainerAdministrator", sid: undefined },
    warn: (text) => t.log(text),
  });
}

const instead: readonly (readonly [what: string, put: (path: string, host: string) => void])[] = [
  ["a link to a folder of the host", (path, host) => symlinkSync(host, path)],
  ["a link to the host's root", (path) => symlinkSync("/", path)],
  ["a file", (path) => writeFileSync(path, "")],
  ["nothing any more", (path) => makeNode(path, "character", 0)],
  ["a new folder", (path) => newFolder(path)],
];

/** As overlayfs marks one that is not the one below. */
function newFolder(path: string): void {
  mkdirSync(path);
  const space = process.geteuid?.() === 0 ? "trusted" : "user";
  setXattr(path, `${space}.overlay.opaque`, Buffer.from("y"));
}

for (const [what, put] of instead) {
  test(`C: is ${what}: the step is refused, and nothing of the host is in its layer`, async (t) => {
    const [upper, host] = [folder(t), folder(t)];
    writeFileSync(join(host, "secret.txt"), secret);
    put(join(upper, "Files"), host);
    const error = await t.throwsAsync(commit(t, upper));
    t.true(isWbuildError(error, "WIN_DRIVE"), String(error));
  });
}

test("links and hard links of a step lead nowhere on the host when its layer is made", async (t) => {
  const [upper, host] = [folder(t), folder(t)];
  writeFileSync(join(host, "secret.txt"), secret);
  mkdirSync(join(upper, "Files"));
  symlinkSync(host, join(upper, "Files/link"));
  symlinkSync(join(host, "secret.txt"), join(upper, "Files/NTUSER.DAT"));
  writeFileSync(join(upper, "Files/own"), "own");
  linkSync(join(upper, "Files/own"), join(upper, "Files/same"));
  const { input } = await commit(t, upper);
  const said = [...(input as Iterable<Change>)].flatMap((change) =>
    change.kind === "set" && change.entry.path.startsWith("Files/")
      ? [`${change.entry.type} ${change.entry.path.slice(6)}`]
      : [],
  );
  t.deepEqual(said, ["symlink NTUSER.DAT", "symlink link", "file own", "hardlink same"]);
});

test("two names that are one for Windows, and a profile behind a link: refused, neither is lost in silence", async (t) => {
  const upper = folder(t);
  mkdirSync(join(upper, "Files/Q"), { recursive: true });
  writeFileSync(join(upper, "Files/q"), "");
  await t.throwsAsync(commit(t, upper), { code: "WIN_CASE" });
  rmSync(join(upper, "Files"), { recursive: true });
  mkdirSync(join(upper, "Files"));
  symlinkSync("/etc", join(upper, "Files/Users"));
  const hive = { path: "Users/ContainerAdministrator/NTUSER.DAT", bytes: new Uint8Array(8) };
  await t.throwsAsync(commit(t, upper, [hive]), { code: "WIN_PARENT" });
});

const grant = (path: string, tree: boolean): Note => ({
  ...{ kind: "acl", verb: "grant", path, tree, principal: "*S-1-1-0", mask: 1, flags: 0 },
});

test("notes of access are carried out within bounds, and let others have their turn", async (t) => {
  const files = Array.from({ length: 2000 }, (_, at) => `set Files/d/f${at} file 1`);
  const folders = ["set Files directory", "set Files/d directory"];
  const tree = await stackTree([layerOf(parseChanges([...folders, ...files]))], { names: "windows" });
  let turns = 0;
  const count = setInterval(() => turns++, 0);
  t.teardown(() => clearInterval(count));
  const many = Array.from({ length: 1_000_000 }, () => grant("d", true));
  const error = await t.throwsAsync(applyAccess(new Map(), driveTree(tree), many, 200_000));
  t.true(isWbuildError(error, "WIN_JOURNAL"), String(error));
  t.true(turns > 2);
  const changes = new Map<string, Change>();
  await applyAccess(changes, driveTree(tree), [grant("D/F7", false), grant("d", true)]);
  t.is(changes.size, 2001);
});

const head = "WINE REGISTRY Version 2\n;; All keys relative to REGISTRY\\\\Machine\n\n";
const empty = Buffer.from(`${head}[k]\n`);

/** Each took minutes or all memory for a text of a few megabytes. */
const texts: readonly (readonly [what: string, read: () => unknown, refused?: RegExp])[] = [
  ["one key two hundred thousand times", () => readWineText(Buffer.from(head + "[a]\n".repeat(200_000)))],
  [
    "sections of many components, below one that went",
    () =>
      differingSections(
        Buffer.from(`${head}[a\\\\b\\\\c]\n`),
        Buffer.from(`${head}${`[x${"\\\\a".repeat(8000)}]\n`.repeat(50)}`),
      ),
  ],
  [
    "a path of a million components that went",
    () => differingSections(Buffer.from(`${head}[${"a\\\\".repeat(1_000_000)}b]\n`), empty),
  ],
  [
    "names of a megabyte that all differ at their begin",
    () => {
      const named = (letter: string) =>
        Buffer.from(head + Array.from({ length: 20 }, (_, at) => `[${letter}${at}${"x".repeat(1e6)}]\n`).join(""));
      return differingSections(named("a"), named("b"));
    },
  ],
  [
    "more keys than any registry",
    () => readWineText(Buffer.from(head + `[${"a\\\\".repeat(500)}b]\n[c]\n`.repeat(9000))),
    /more than \d+ keys/,
  ],
];
for (const [what, read, refused] of texts) {
  test(`a registry that a step left: ${what}: soon done`, (t) => {
    const before = process.cpuUsage();
    if (refused === undefined) t.notThrows(read);
    else t.throws(read, { message: refused });
    const { user, system } = process.cpuUsage(before);
    t.true(user + system < 8_000_000, `${(user + system) / 1000} ms`);
  });
}

test("200,000 spellings of one name are one draft, soon", (t) => {
  const letters = [..."abcdefghijklmnopqr"];
  const spelled = (at: number) => letters.map((one, bit) => ((at >> bit) & 1 ? one.toUpperCase() : one)).join("");
  const changes = Array.from({ length: 200_000 }, (_, at): Change => {
    const path = `Files/${spelled(at)}`;
    return { kind: "set", entry: { path, type: "file", mode: 0, uid: 0, gid: 0, size: 0, mtimeNs: 0n } };
  });
  const before = process.cpuUsage();
  const draft = draftOf(changes, (name) => name.toUpperCase());
  t.is(draft.children.get("FILES")?.children.get("ABCDEFGHIJKLMNOPQR")?.spellings.length, 200_000);
  const { user, system } = process.cpuUsage(before);
  t.true(user + system < 8_000_000, `${(user + system) / 1000} ms`);
});
