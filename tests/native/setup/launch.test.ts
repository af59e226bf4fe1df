/** The launcher and its caches of compiled code. A bundle of another text, and as long, shows which of them it took. */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import test, { type ExecutionContext } from "ava";

const top = fileURLToPath(new URL("../../..", import.meta.url));
const [forBuilds, forRegistries] = ["wbuild.cache", "wbuild-registry.cache"] as const;

/** A folder as dist is, with a bundle that says one word. */
function install(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-launch-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
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

const commands: [words: readonly string[], takes: "build" | "asks"][] = [
  [["."], "build"],
  [["build", "-t", "x", "."], "build"],
  [["images"], "build"],
  [["build", "-f", "push.dockerfile", "pull-requests", "--pull"], "build"],
  [["pull", "x"], "asks"],
  [["--debug", "push", "x"], "asks"],
  [["tags", "x"], "asks"],
  [["build", "--push", "."], "asks"],
  [["--cache-to=type=registry,ref=x", "."], "asks"],
];
for (const [words, takes] of commands)
  test(`wbuild ${words.join(" ")}: the code of ${takes === "build" ? "builds" : "what asks registries"}`, (t) => {
    const { run, caches, folder } = install(t);
    caches({ [forBuilds]: "bild", [forRegistries]: "asks" });
    t.is(run(words), takes === "build" ? "bild" : "asks");
    rmSync(join(folder, forRegistries));
    t.is(run(words), "bild");
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
    caches({ [forBuilds]: "code", [forRegistries]: "code" });
    for (const name of [forBuilds, forRegistries]) damage(join(folder, name));
    t.is(run(["."]), "text");
    t.is(run(["pull"]), "text");
  });

test("a cache of another bundle does no harm", (t) => {
  const { run, caches, bundle } = install(t);
  caches({ [forBuilds]: "code" });
  bundle("longer");
  t.is(run(), "longer");
});

test("the caches in dist fit its bundle, and that for registries holds more", (t) => {
  const dist = join(top, "dist");
  const filename = join(dist, "wbuild.cjs");
  const sizes = [forBuilds, forRegistries].map((name) => {
    const cachedData = readFileSync(join(dist, name));
    t.false(new Script(readFileSync(filename, "latin1"), { filename, cachedData }).cachedDataRejected, name);
    return cachedData.length;
  });
  t.true((sizes[1] ?? 0) > (sizes[0] ?? 0));
});

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  return bytes;
}

function folderInstead(path: string): void {
  rmSync(path);
  mkdirSync(path);
}
