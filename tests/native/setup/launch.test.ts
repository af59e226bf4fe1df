/** The launcher, its bundles and their caches of compiled code. A bundle of another text, and as long, shows which of them it took. */
import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Script } from "node:vm";
import test, { type ExecutionContext } from "ava";

const top = fileURLToPath(new URL("../../..", import.meta.url));
const nameOf = (kind: string) => `wbuild-${kind}.cache`;

/** What each cache's code says in these tests, and of which bundle it is, by a command that takes it. */
const kinds = {
  code: { kind: "build", bundle: "wbuild.cjs", words: ["."], told: "builds" },
  asks: { kind: "build-asking", bundle: "wbuild.cjs", words: ["--push"], told: "builds that ask registries" },
  regs: { kind: "registry", bundle: "wbuild-registry.cjs", words: ["pull"], told: "what asks registries" },
  imgs: { kind: "images", bundle: "wbuild-images.cjs", words: ["images"], told: "what looks at images" },
} as const;
type Word = keyof typeof kinds;
const words = Object.keys(kinds) as Word[];

/** A folder as dist is, with bundles that say one word. */
function install(t?: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-launch-"));
  t?.teardown(() => rmSync(folder, { recursive: true, force: true }));
  copyFileSync(join(top, "native/setup/launch.cjs"), join(folder, "wbuild"));
  writeFileSync(join(folder, "package.json"), '{"type":"commonjs"}');
  const bundle = (word: string, name = "wbuild.cjs") =>
    writeFileSync(join(folder, name), `(function(require){process.stdout.write("${word}")})`);
  const run = (words: readonly string[] = [], env: NodeJS.ProcessEnv = {}) =>
    execFileSync(process.execPath, [join(folder, "wbuild"), ...words], { env, encoding: "utf8" });
  /** Bundles that say "text", and caches of theirs whose code says the words of the table. */
  const caches = (...said: readonly Word[]) => {
    for (const word of said) {
      const { bundle: name, kind, words } = kinds[word];
      bundle(word, name);
      run(words, { WBUILD_WRITE_CODE_CACHE: join(folder, `${nameOf(kind)}.new`) });
    }
    for (const word of said) {
      const { bundle: name, kind } = kinds[word];
      renameSync(join(folder, `${nameOf(kind)}.new`), join(folder, nameOf(kind)));
      bundle("text", name);
    }
  };
  return { folder, bundle, run, caches };
}

/** With all caches; they are only read. */
let whole: ReturnType<typeof install>;
test.before(() => {
  whole = install();
  whole.caches(...words);
});
test.after.always(() => rmSync(whole.folder, { recursive: true, force: true }));

const commands: [words: readonly string[], takes: Word][] = [
  [["."], "code"],
  [["build", "-t", "x", "."], "code"],
  [["build", "-f", "push.dockerfile", "pull-requests", "--pull"], "code"],
  [["build", "images"], "code"],
  [["run", "x"], "code"],
  [["--pull"], "code"],
  [["--version", "images"], "code"],
  [["--debug=1", "images"], "code"],
  [["--home", "images"], "code"],
  [["help", "pull"], "code"],
  [["build", "--push", "."], "asks"],
  [["--cache-to=type=registry,ref=x", "."], "asks"],
  [["pull", "x"], "regs"],
  [["--debug", "push", "x"], "regs"],
  [["--home", "images", "--debug", "push", "x"], "regs"],
  [["tags", "x"], "regs"],
  [["images"], "imgs"],
  [["--home=x", "history", "push"], "imgs"],
  [["--version"], "imgs"],
  [["-h"], "imgs"],
];
for (const [words, takes] of commands)
  test(`wbuild ${words.join(" ")}: the code of ${kinds[takes].told}`, (t) => {
    t.is(whole.run(words), takes);
  });

test("where a cache is not there, that for builds serves builds, and other bundles do without", (t) => {
  const { run, caches, folder } = install(t);
  caches("code", "imgs");
  rmSync(join(folder, nameOf("images")));
  t.is(run(["build", "--push"]), "code");
  t.is(run(["images"]), "text");
});

test("where a bundle of some commands is not there, that of all commands serves", (t) => {
  const { run, caches, folder } = install(t);
  caches("code", "regs");
  rmSync(join(folder, kinds.regs.bundle));
  t.is(run(["pull"]), "code");
});

const damages: [title: string, damage: (path: string) => void][] = [
  ["is not there", (path) => rmSync(path)],
  ["is a folder", folderInstead],
  ["is empty", (path) => writeFileSync(path, "")],
  ["is no cache at all", (path) => writeFileSync(path, "x".repeat(100_000))],
  ["lost its end", (path) => writeFileSync(path, readFileSync(path).subarray(0, -8))],
  ["is another Node's", (path) => writeFileSync(path, flipped(readFileSync(path), 4))],
];
for (const [title, damage] of damages)
  test(`a cache that ${title} does no harm`, (t) => {
    const { run, caches, folder } = install(t);
    caches("code", "regs");
    for (const kind of ["build", "registry"]) damage(join(folder, nameOf(kind)));
    t.is(run(["."]), "text");
    t.is(run(["pull"]), "text");
  });

test("a cache of another bundle does no harm", (t) => {
  const { run, caches, bundle } = install(t);
  caches("code");
  bundle("longer");
  t.is(run(), "longer");
});

const dist = join(top, "dist");

test("the caches in dist fit their bundles, and each holds no more than its commands run", (t) => {
  const size = (word: Word) => {
    const { kind, bundle } = kinds[word];
    const filename = join(dist, bundle);
    const cachedData = readFileSync(join(dist, nameOf(kind)));
    t.false(new Script(readFileSync(filename, "latin1"), { filename, cachedData }).cachedDataRejected, kind);
    return cachedData.length;
  };
  const [code, asks, regs, imgs] = words.map(size);
  t.true(Number(imgs) < Number(regs) && Number(regs) < Number(code) && Number(code) < Number(asks));
});

test("a bundle of some commands has each of them", async (t) => {
  const launcher = createRequire(import.meta.url)("../../../native/setup/launch.cjs");
  const { kinds } = launcher as { readonly kinds: Readonly<Record<string, readonly string[]>> };
  const program = join(dist, "wbuild");
  const pages = Object.values(kinds)
    .flat()
    .map(async (command) => {
      const { stdout } = await promisify(execFile)(process.execPath, [program, command, "--help"]);
      t.regex(stdout, new RegExp(`wbuild ${command}\\b`), command);
    });
  t.true(pages.length > 10);
  await Promise.all(pages);
});

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  return bytes;
}

function folderInstead(path: string): void {
  rmSync(path);
  mkdirSync(path);
}
