/** The launcher and its caches of compiled code. A bundle of another text, and as long, shows which of them it took. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import test, { type ExecutionContext } from "ava";

const top = fileURLToPath(new URL("../../..", import.meta.url));
const nameOf = (kind: string) => `wbuild-${kind}.cache`;

/** What each cache's code says in these tests. */
const kinds = {
  code: { kind: "build", told: "builds" },
  asks: { kind: "build-asking", told: "builds that ask registries" },
  regs: { kind: "registry", told: "what asks registries" },
  imgs: { kind: "images", told: "what looks at images" },
} as const;

/** A folder as dist is, with a bundle that says one word. */
function install(t?: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-launch-"));
  t?.teardown(() => rmSync(folder, { recursive: true, force: true }));
  copyFileSync(join(top, "native/setup/launch.cjs"), join(folder, "wbuild"));
  writeFileSync(join(folder, "package.json"), '{"type":"commonjs"}');
  const bundle = (word: string) =>
    writeFileSync(join(folder, "wbuild.cjs"), `(function(require){process.stdout.write("${word}")})`);
  const run = (words: readonly string[] = [], env: NodeJS.ProcessEnv = {}) =>
    execFileSync(process.execPath, [join(folder, "wbuild"), ...words], { env, encoding: "utf8" });
  /** Caches whose code says these words, whatever the bundle says. */
  const caches = (words: Readonly<Record<string, string>>) => {
    for (const [name, word] of Object.entries(words)) {
      bundle(word);
      run([], { WBUILD_WRITE_CODE_CACHE: join(folder, `${name}.new`) });
    }
    for (const name of Object.keys(words)) renameSync(join(folder, `${name}.new`), join(folder, name));
    bundle("text");
  };
  return { folder, bundle, run, caches };
}

/** With all caches; they are only read. */
let whole: ReturnType<typeof install>;
test.before(() => {
  whole = install();
  whole.caches(Object.fromEntries(Object.entries(kinds).map(([word, { kind }]) => [nameOf(kind), word])));
});
test.after.always(() => rmSync(whole.folder, { recursive: true, force: true }));

const commands: [words: readonly string[], takes: keyof typeof kinds][] = [
  [["."], "code"],
  [["build", "-t", "x", "."], "code"],
  [["build", "-f", "push.dockerfile", "pull-requests", "--pull"], "code"],
  [["build", "images"], "code"],
  [["run", "x"], "code"],
  [["build", "--push", "."], "asks"],
  [["--cache-to=type=registry,ref=x", "."], "asks"],
  [["pull", "x"], "regs"],
  [["--debug", "push", "x"], "regs"],
  [["tags", "x"], "regs"],
  [["images"], "imgs"],
  [["history", "push"], "imgs"],
  [["--version"], "imgs"],
];
for (const [words, takes] of commands)
  test(`wbuild ${words.join(" ")}: the code of ${kinds[takes].told}`, (t) => {
    t.is(whole.run(words), takes);
  });

test("where a cache is not there, that for builds serves", (t) => {
  const { run, caches } = install(t);
  caches({ [nameOf("build")]: "code" });
  for (const words of [["images"], ["pull"], ["build", "--push"]]) t.is(run(words), "code");
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
    caches({ [nameOf("build")]: "code", [nameOf("registry")]: "code" });
    for (const kind of ["build", "registry"]) damage(join(folder, nameOf(kind)));
    t.is(run(["."]), "text");
    t.is(run(["pull"]), "text");
  });

test("a cache of another bundle does no harm", (t) => {
  const { run, caches, bundle } = install(t);
  caches({ [nameOf("build")]: "code" });
  bundle("longer");
  t.is(run(), "longer");
});

test("the caches in dist fit its bundle, and each holds no more than its commands run", (t) => {
  const dist = join(top, "dist");
  const filename = join(dist, "wbuild.cjs");
  const size = (kind: string) => {
    const cachedData = readFileSync(join(dist, nameOf(kind)));
    t.false(new Script(readFileSync(filename, "latin1"), { filename, cachedData }).cachedDataRejected, kind);
    return cachedData.length;
  };
  const [asking, build, registry, images] = ["build-asking", "build", "registry", "images"].map(size);
  t.true(Number(images) < Number(registry) && Number(registry) < Number(build) && Number(build) < Number(asking));
});

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  return bytes;
}

function folderInstead(path: string): void {
  rmSync(path);
  mkdirSync(path);
}
