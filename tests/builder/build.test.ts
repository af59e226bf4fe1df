import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import anyTest, { type TestFn } from "ava";
import { pack } from "tar-stream";
import { buildImage } from "../../builder/build.ts";
import type { BuildRequest, BuildResult } from "../../builder/build-request.ts";
import { readConfig, readManifest } from "../../builder/image/stored/stored-image.ts";
import type { BuildEvent } from "../../builder/progress/events.ts";
import { decodeIndex } from "../../layerfs/layer/layer-index.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { openStore, type Store } from "../../layerfs/store/store.ts";
import { isWbuildError } from "../../native/error.ts";
import { show } from "../doubles/text-tree.ts";

interface Built extends BuildResult {
  /** Titles of steps that were carried out, without their numbers. */
  readonly ran: string[];
  readonly cached: string[];
  readonly events: BuildEvent[];
}

interface World {
  readonly folder: string;
  readonly store: Store;
  /** Of the last build, also of one that failed. */
  events: BuildEvent[];
  write(path: string, text: string): void;
  build(lines: string[], more?: Partial<BuildRequest>): Promise<Built>;
  /** What the last layer of an image sets, as text. */
  lastLayer(built: Built): Promise<string[]>;
}

const test = anyTest as TestFn<World>;

const request: Omit<BuildRequest, "context"> = {
  tags: [],
  buildArgs: {},
  labels: {},
  pull: false,
  noCache: false,
  outputs: [],
  push: false,
  network: "none",
  addHosts: [],
  limits: { shmBytes: 1 << 20, ulimits: {} },
  plainHttp: false,
};

test.beforeEach((t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-test-"));
  const context = join(folder, "context");
  mkdirSync(context);
  const store = openStore(join(folder, "home"));
  t.context = {
    folder: context,
    store,
    events: [],
    write(path, text) {
      mkdirSync(dirname(join(context, path)), { recursive: true });
      writeFileSync(join(context, path), text);
    },
    async build(lines, more = {}) {
      writeFileSync(join(folder, "Dockerfile"), lines.join("\n"));
      const events: BuildEvent[] = [];
      t.context.events = events;
      const full = { ...request, context, dockerfile: join(folder, "Dockerfile"), ...more };
      const result = await buildImage(full, {
        store,
        report: (event) => events.push(event),
        signal: AbortSignal.timeout(60_000),
        stdin: () => Readable.from([]),
        stdout: new PassThrough(),
      });
      const names = new Map<string, string>();
      for (const event of events) if (event.kind === "start") names.set(event.step.id, event.step.title);
      const done = (cached: boolean) =>
        events
          .flatMap((event) => (event.kind === "done" && event.cached === cached ? [names.get(event.id) ?? ""] : []))
          .map((title) => title.replace(/^\[.*?\] /, ""))
          .filter((title) => !title.startsWith("FROM"));
      return { ...result, ran: done(false).sort(), cached: done(true).sort(), events };
    },
    async lastLayer(built) {
      const manifest = await readManifest(store, built.manifest);
      const config = await readConfig(store, manifest.config);
      const diffId = config.rootfs.diff_ids.at(-1);
      const index = diffId && (await store.layers.index(diffId));
      return index ? decodeIndex(index).map(show) : [];
    },
  };
});

test.afterEach.always((t) => {
  t.context.store[Symbol.dispose]();
  rmSync(dirname(t.context.folder), { recursive: true, force: true });
});

test("a second build of an unchanged context runs no step and gives the same image", async (t) => {
  const { build, write } = t.context;
  write("a/one", "1");
  write("a/two", "2");
  const lines = ["FROM scratch", "WORKDIR /w", "COPY a /a", "COPY a/one .", "ENV X=1"];
  const first = await build(lines);
  t.deepEqual(first.ran, ["COPY a /a", "COPY a/one .", "WORKDIR /w"]);
  const second = await build(lines);
  t.deepEqual([second.ran, second.cached], [[], first.ran]);
  t.is(second.manifest.digest, first.manifest.digest);
});

test("touching a file keeps the cache; changing it re-runs what depends on it and nothing else", async (t) => {
  const { build, write, folder } = t.context;
  write("a", "1");
  write("b", "1");
  const lines = ["FROM scratch AS one", "COPY a /a", "FROM scratch", "COPY b /b", "COPY --from=one /a /c"];
  const first = await build(lines);
  utimesSync(join(folder, "a"), 1, 1);
  t.deepEqual((await build(lines)).ran, []);
  write("a", "2");
  const changed = await build(lines);
  t.deepEqual(changed.ran, ["COPY --from=one /a /c", "COPY a /a"]);
  t.not(changed.imageId, first.imageId);
  write("a", "1");
  t.is((await build(lines)).imageId, first.imageId);
});

test("a step is found by content when what lies below was made another way", async (t) => {
  const { build, write } = t.context;
  write("a", "same");
  write("other/a", "same");
  write("b", "b");
  await build(["FROM scratch", "COPY a /", "COPY b /"], { sourceDateEpoch: 0 });
  const second = await build(["FROM scratch", "COPY other/a /", "COPY b /"], { sourceDateEpoch: 0 });
  t.deepEqual([second.ran, second.cached], [["COPY other/a /"], ["COPY b /"]]);
});

test("--no-cache runs every step again; a list of stages only theirs", async (t) => {
  const { build, write } = t.context;
  write("a", "1");
  const lines = ["FROM scratch AS one", "COPY a /a", "FROM scratch AS two", "COPY a /b", "COPY --from=one /a /c"];
  await build(lines);
  t.is((await build(lines, { noCache: true })).ran.length, 3);
  t.deepEqual((await build(lines, { noCache: ["one"] })).ran, ["COPY a /a"]);
});

test("a damaged or lost blob of a cached step is made again", async (t) => {
  const { build, write, store } = t.context;
  write("a", "1");
  const lines = ["FROM scratch", "COPY a /a"];
  const first = await build(lines);
  const manifest = await readManifest(store, first.manifest);
  rmSync(store.blobs.path(manifest.layers[0]?.digest as `sha256:${string}`));
  const second = await build(lines);
  t.deepEqual(second.ran, ["COPY a /a"]);
});

test("a damaged blob of the right size is found out when somebody needs its files, told of, and made again", async (t) => {
  const { build, write, store, lastLayer } = t.context;
  write("a", "1");
  write("b", "2");
  const first = await build(["FROM scratch", "COPY a /a"]);
  const manifest = await readManifest(store, first.manifest);
  const { digest, size } = manifest.layers[0] as { digest: `sha256:${string}`; size: number };
  const path = store.blobs.path(digest);
  rmSync(path);
  writeFileSync(path, Buffer.alloc(size, 7));
  await store.collect({ all: true, dryRun: true });
  rmSync(join(store.home, "store-v1/indexes"), { recursive: true });
  rmSync(join(store.home, "store-v1/snapshots"), { recursive: true });
  mkdirSync(join(store.home, "store-v1/snapshots"));
  const second = await build(["FROM scratch", "COPY a /a", "COPY b /b"]);
  t.deepEqual(second.ran, ["COPY a /a", "COPY b /b"]);
  const warnings = second.events.flatMap((event) => (event.kind === "warning" ? [event.text] : []));
  t.is(warnings.filter((text) => text.includes(digest)).length, 1, warnings.join("\n"));
  t.is(await store.blobs.has(digest), size);
  t.deepEqual((await store.verify()).corrupt, []);
  t.true((await lastLayer(second)).length > 0);
});

test("SOURCE_DATE_EPOCH: two builds in different stores at different times are the same image", async (t) => {
  const { build, write, folder } = t.context;
  write("a", "1");
  const lines = ["FROM scratch", "WORKDIR /w", "COPY a .", "LABEL x=y"];
  const first = await build(lines, { sourceDateEpoch: 1_000_000_000 });
  utimesSync(join(folder, "a"), 2_000_000_000, 2_000_000_000);
  const second = await build(lines, { sourceDateEpoch: 1_000_000_000, noCache: true });
  t.is(second.manifest.digest, first.manifest.digest);
});

test("a folder: touching keeps the cache, each kind of change is seen, and going back finds the old result", async (t) => {
  const { build, write, folder } = t.context;
  for (const name of ["d/a", "d/b", "d/sub/c"]) write(name, name);
  const lines = ["FROM scratch", "COPY d /x"];
  const first = await build(lines);
  utimesSync(join(folder, "d/a"), 1, 1);
  t.deepEqual((await build(lines)).ran, [], "a touched file");
  const steps: [what: string, change: () => void, back: () => void][] = [
    ["content", () => write("d/sub/c", "D/SUB/C"), () => write("d/sub/c", "d/sub/c")],
    ["mode", () => chmodSync(join(folder, "d/b"), 0o600), () => chmodSync(join(folder, "d/b"), 0o644)],
    ["a new file", () => write("d/new", ""), () => rmSync(join(folder, "d/new"))],
    ["a new folder", () => mkdirSync(join(folder, "d/e")), () => rmdirSync(join(folder, "d/e"))],
    [
      "a name",
      () => renameSync(join(folder, "d/a"), join(folder, "d/z")),
      () => renameSync(join(folder, "d/z"), join(folder, "d/a")),
    ],
  ];
  for (const [what, change, back] of steps) {
    change();
    const changed = await build(lines);
    t.deepEqual(changed.ran, ["COPY d /x"], what);
    t.not(changed.imageId, first.imageId, what);
    back();
    t.is((await build(lines)).imageId, first.imageId, `${what}, and back`);
  }
});

test("ignore rules that hide nothing change no key: both ways to read a folder agree", async (t) => {
  const { build, write, folder } = t.context;
  for (const name of ["d/a", "d/b.txt", "d/sub/c", "d/sub-2"]) write(name, name);
  symlinkSync("../a", join(folder, "d/sub/l"));
  const lines = ["FROM scratch", "COPY d /x"];
  const first = await build(lines);
  write(".dockerignore", "nothing-like-this\n");
  const second = await build(lines);
  t.deepEqual([second.ran, second.imageId], [[], first.imageId]);
  write(".dockerignore", "**/*.txt\n");
  t.deepEqual((await build(lines)).ran, ["COPY d /x"]);
});

test("what is remembered of a context holds nothing of other stages", async (t) => {
  const { build, write, folder, store } = t.context;
  write("a", "1");
  await build(["FROM scratch AS one", "COPY a /a", "FROM scratch", "COPY a /b", "COPY --from=one /a /c"]);
  const scope = digestOf(JSON.stringify([realpathSync(folder), null]));
  const known = Buffer.from((store.facts.get(`files ${scope}`) as Uint8Array | undefined) ?? "").toString("utf8");
  t.regex(known, /\/context\/a\0/);
  t.notRegex(known, /\/home\//);
});

for (const ignore of ["", "nothing-like-this\n"]) {
  test(`a file that would be a whiteout is refused by name${ignore && ", with ignore rules too"}`, async (t) => {
    const { build, write } = t.context;
    write("d/sub/.wh.passwd", "");
    if (ignore) write(".dockerignore", ignore);
    const error = await t.throwsAsync(build(["FROM scratch", "COPY d /x"]));
    t.true(isWbuildError(error, "LAYER_WHITEOUT_NAME"), String(error));
    t.like(error, { facts: { span: { start: { line: 2 } } } });
    t.is(t.context.events.filter((event) => event.kind === "failed").length, 1);
    t.regex((error as Error).message, /sub\/\.wh\.passwd/);
  });
}

test("a folder onto one that exists merges; onto an empty root it is the root", async (t) => {
  const { build, write, lastLayer } = t.context;
  write("one/a", "1");
  write("two/b", "2");
  t.deepEqual(await lastLayer(await build(["FROM scratch", "COPY one /"])), ["file a 644"]);
  const merged = await build(["FROM scratch", "COPY one /x", "COPY two /x"]);
  t.deepEqual(await lastLayer(merged), ["dir x 755", "file x/b 644"]);
});

const layers: [name: string, last: string, expected: string[]][] = [
  ["a file to a name", "COPY one /x", ["file x 644"]],
  ["a file into a folder", "COPY one /x/", ["dir x 755", "file x/one 644"]],
  ["a folder's contents", "COPY d /x", ["dir x 755", "file x/f 644", "dir x/sub 755", "file x/sub/g 644"]],
  ["a pattern", "COPY o* /x/", ["dir x 755", "file x/one 644"]],
  ["several files", "COPY one two /x/", ["dir x 755", "file x/one 644", "file x/two 644"]],
  ["owner and mode", "COPY --chown=7:8 --chmod=600 one /x/", ["dir x 755 7:8", "file x/one 600 7:8"]],
  ["a link as source is followed", "COPY ln /x", ["file x 644"]],
  ["a link inside a folder stays one", "COPY ld /x", ["dir x 755", "link x/l ../one"]],
  ["an unpacked tar", "ADD t.tar /x", ["dir x 755", "file x/in 644"]],
];

for (const [name, last, expected] of layers) {
  test(`layer of ${name}: ${last}`, async (t) => {
    const { build, write, folder, lastLayer } = t.context;
    write("one", "1");
    write("two", "2");
    write("d/f", "f");
    write("d/sub/g", "g");
    symlinkSync("one", join(folder, "ln"));
    mkdirSync(join(folder, "ld"));
    symlinkSync("../one", join(folder, "ld/l"));
    write("t.tar", tarOf("in", "hello"));
    t.deepEqual(await lastLayer(await build(["FROM scratch", last])), expected);
  });
}

const onto: [name: string, lines: string[], expected: string[]][] = [
  [
    "a folder inside a copied one gives its mode to the one that is there; the target itself keeps its own",
    ["COPY closed /", "COPY d /x"],
    ["dir x 700", "file x/f 644", "dir x/sub 755", "file x/sub/g 644"],
  ],
  [
    "a target behind a link to nowhere is made where the link points",
    ["COPY away /", "COPY one /link/in/"],
    ["dir no 755", "dir no/where 755", "dir no/where/in 755", "file no/where/in/one 644"],
  ],
  [
    "a file onto a link to nowhere is what the link points at",
    ["COPY away /", "COPY one /link"],
    ["dir no 755", "file no/where 644"],
  ],
  [
    "WORKDIR behind a link to nowhere",
    ["COPY away /", "WORKDIR /link/w"],
    ["dir no 755", "dir no/where 755", "dir no/where/w 755"],
  ],
  [
    "an archive without entries for its folders goes through the image's links",
    ["COPY usr /", "ADD parts.tar /"],
    ["dir usr 755", "dir usr/lib 755", "file usr/lib/in 644", "hard usr/lib/more usr/lib/in"],
  ],
  [
    "an archive's own folder takes the place of a link",
    ["COPY usr /", "ADD whole.tar /"],
    ["dir lib 755", "file lib/in 644"],
  ],
  [
    "hard links of a stage stay so within one copied folder",
    ["ADD parts.tar /x", "FROM scratch", "COPY --from=0 /x /x/lib /y/"],
    [
      "dir y 755",
      "file y/in 644",
      "dir y/lib 755",
      "file y/lib/in 644",
      "hard y/lib/more y/lib/in",
      "hard y/more y/in",
    ],
  ],
];

for (const [name, lines, expected] of onto) {
  test(name, async (t) => {
    const { build, write, folder, lastLayer } = t.context;
    write("one", "1");
    write("d/f", "f");
    write("d/sub/g", "g");
    mkdirSync(join(folder, "closed/x/sub"), { recursive: true });
    for (const name of ["closed/x", "closed/x/sub"]) chmodSync(join(folder, name), 0o700);
    mkdirSync(join(folder, "away"));
    symlinkSync("/no/where", join(folder, "away/link"));
    mkdirSync(join(folder, "usr/usr/lib"), { recursive: true });
    symlinkSync("usr/lib", join(folder, "usr/lib"));
    const time = new Date(0);
    const file = { name: "lib/in", mode: 0o644, mtime: time };
    const link = { name: "lib/more", type: "link", linkname: "lib/in", mode: 0o644, mtime: time } as const;
    writeFileSync(join(folder, "parts.tar"), await archiveOf(file, link));
    const above = { name: "lib/", type: "directory", mode: 0o755, mtime: time } as const;
    writeFileSync(join(folder, "whole.tar"), await archiveOf(above, file));
    t.deepEqual(await lastLayer(await build(["FROM scratch", ...lines])), expected);
  });
}

async function archiveOf(...headers: Parameters<ReturnType<typeof pack>["entry"]>[0][]): Promise<Buffer> {
  const archive = pack();
  for (const header of headers) archive.entry(header, header.type === undefined ? "content" : "");
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const part of archive as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

/** A tar with one file, by hand: POSIX.1-1988 ustar. */
function tarOf(name: string, text: string): string {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${text.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write("0", 156);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return `${header.toString("latin1")}${text.padEnd(512, "\0")}${"\0".repeat(1024)}`;
}

const failing: [name: string, lines: string[], code: string, line: number | undefined][] = [
  ["a missing source", ["FROM scratch", "COPY nope /"], "CTX_NO_SOURCE", 2],
  ["an unknown instruction", ["FROM scratch", "CPOY a /"], "DF_UNKNOWN_INSTRUCTION", 2],
  ["a local base that was not made", ["FROM wbuild.local/linux"], "REG_LOCAL_ONLY", 1],
  ["a COPY of a URL", ["FROM scratch", "COPY https://example.test/x.tar /"], "DF_REMOTE_SOURCE", 2],
  [
    "an ADD of a repository with an option as ref",
    ["FROM scratch", "ADD git@example.test:a/b.git#--x /"],
    "CTX_GIT_URL",
    2,
  ],
  ["a link to nowhere as a source", ["FROM scratch", "COPY lost /"], "CTX_NO_SOURCE", 2],
  ["a link to nowhere among a pattern's matches", ["FROM scratch", "COPY a lo* /x/"], "CTX_NO_SOURCE", 2],
  ["an archive with a name that would be a whiteout", ["FROM scratch", "ADD wh.tar /"], "LAYER_WHITEOUT_NAME", 2],
  ["an unknown owner", ["FROM scratch", "COPY --chown=nobody a /"], "STEP_USER", 2],
];

for (const [name, lines, code, line] of failing) {
  test(`${name} is blamed on its line`, async (t) => {
    t.context.write("a", "1");
    symlinkSync("no/where", join(t.context.folder, "lost"));
    t.context.write("wh.tar", tarOf("dir/.wh.passwd", ""));
    const error = await t.throwsAsync(t.context.build(lines));
    t.true(isWbuildError(error, code as "CTX_NO_SOURCE"), String(error));
    const { span } = (error as unknown as { facts: { span?: { start: { line: number } } } }).facts;
    t.is(span?.start.line, line);
  });
}
