/** Compiles the native parts and bundles the CLI into dist/. What has not changed since the last time is left alone. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildWine } from "./build-wine.mjs";
import { compile, compileAll, dist, run, sources, strict, top, unlessFresh } from "./compile.mjs";
import { kinds } from "./launch.cjs";
import { startWarmRegistry } from "./warm-registry.mjs";

/** The N-API addon: dist/native.node. With `sanitize`, dist/native-asan.node for the fuzz and native tests. */
export async function buildAddon({ sanitize = false } = {}) {
  const files = sources("native/addon", ".cc");
  if (files.length === 0) return;
  const name = sanitize ? "native-asan.node" : "native.node";
  const flags = [
    "-std=c++17",
    "-fPIC",
    "-fvisibility=hidden",
    ...strict,
    "-DNAPI_VERSION=8",
    "-DNODE_ADDON_API_DISABLE_DEPRECATED",
    "-isystem",
    join(top, "node_modules/node-addon-api"),
    "-isystem",
    join(top, "node_modules/node-api-headers/include"),
    ...(sanitize ? ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"] : []),
  ];
  const objectFor = (archive) => join(dist, "obj", name, `${archive}.o`);
  const link = [
    "-shared",
    ...Object.keys(archiveCalls).map(objectFor),
    "-lpthread",
    ...(sanitize ? ["-fsanitize=address,undefined"] : ["-static-libstdc++", "-static-libgcc"]),
  ];
  await unlessFresh(name, sources("native/addon", ".cc", ".hh"), async () => {
    for (const [archive, calls] of Object.entries(archiveCalls)) await localArchive(archive, calls, objectFor(archive));
    await compileAll("g++", files, flags, link, join(dist, name));
  });
}

/** What the addon calls of static libraries. */
const archiveCalls = {
  "libzstd.a": [
    ...["createCCtx", "freeCCtx", "CCtx_setParameter", "compress2", "compressBound"],
    ...["createDCtx", "freeDCtx", "DCtx_setParameter", "decompressStream", "isError", "getErrorName"],
  ].map((name) => `ZSTD_${name}`),
  "libdeflate.a": ["alloc_compressor", "free_compressor", "gzip_compress", "gzip_compress_bound"].map(
    (name) => `libdeflate_${name}`,
  ),
};

/**
 * A static library as one object in which all but the functions that we call are local. Debian compiles them for programs
 * (-fPIE): references to their own global symbols cannot go into a shared object, those to local symbols can.
 */
async function localArchive(archive, calls, output) {
  mkdirSync(dirname(output), { recursive: true });
  const { stdout } = await run("gcc", [`-print-file-name=${archive}`]);
  await compile("ld", ["-r", ...calls.flatMap((name) => ["-u", name]), stdout.trim(), "-o", `${output}.all`]);
  await compile("objcopy", [...calls.map((name) => `--keep-global-symbol=${name}`), `${output}.all`, output]);
}

/**
 * The launcher: dist/wbuild-sandbox, static, so that it runs in any root.
 * Its system call filter is generated first: libseccomp is needed to build, not to run.
 */
export async function buildSandbox({ sanitize = false } = {}) {
  const inputs = sources("native/sandbox", ".c", ".h");
  const files = inputs.filter((file) => file.endsWith(".c") && !file.includes("/filter/"));
  if (files.length === 0) return;
  const name = sanitize ? "wbuild-sandbox-asan" : "wbuild-sandbox";
  const generated = join(dist, "obj", `${name}-filter`);
  const flags = [
    "-std=c11",
    "-D_GNU_SOURCE",
    ...strict,
    "-I",
    generated,
    ...(sanitize ? ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"] : []),
  ];
  const link = sanitize ? ["-fsanitize=address,undefined"] : ["-static"];
  await unlessFresh(name, inputs, async () => {
    mkdirSync(generated, { recursive: true });
    const generator = join(generated, "generate");
    await compile("gcc", [
      "-std=c11",
      "-D_GNU_SOURCE",
      ...strict,
      join(top, "native/sandbox/filter/generate.c"),
      "-lseccomp",
      "-o",
      generator,
    ]);
    writeFileSync(join(generated, "filter.inc"), (await run(generator, [], { maxBuffer: 16 << 20 })).stdout);
    await compileAll("gcc", files, flags, link, join(dist, name));
  });
}

/** Written under another name and renamed: the old file may be in use by a running process. */
function replaceFile(path, content, mode = 0o644) {
  writeFileSync(`${path}.${process.pid}`, content, { mode });
  renameSync(`${path}.${process.pid}`, path);
}

/**
 * Loads node:child_process when one of its functions is called. A cached build starts no process, and commander and the
 * store would load it for everybody: two milliseconds of every start.
 */
const lateChildProcess = {
  name: "late-child-process",
  setup(build) {
    build.onResolve({ filter: /^(node:)?child_process$/ }, ({ namespace }) =>
      namespace === "late"
        ? { path: "node:child_process", external: true }
        : { path: "child_process", namespace: "late" },
    );
    build.onLoad({ filter: /.*/, namespace: "late" }, () => ({
      contents: `
        const late = (name) => (...args) => require("node:child_process")[name](...args);
        for (const name of ["exec", "execFile", "execFileSync", "execSync", "fork", "spawn", "spawnSync"]) exports[name] = late(name);
        const { custom } = require("node:util").promisify;
        for (const name of ["exec", "execFile"]) exports[name][custom] = (...args) => require("node:child_process")[name][custom](...args);
      `,
      loader: "js",
    }));
  },
};

/**
 * Loads Node's own modules when something of theirs is used: who imports one for what a command seldom does would load it for all
 * of them. `node:crypto` takes 2 ms, `node:fs/promises` one. Builds need nearly all of them, and would only get to them slower.
 */
const lateModules = {
  name: "late-modules",
  setup(build) {
    build.onResolve({ filter: /^(node:)?(crypto|fs\/promises|os|timers\/promises|zlib)$/ }, ({ path, namespace }) =>
      namespace === "late-module"
        ? { path, external: true }
        : { path: path.replace(/^(node:)?/, "node:"), namespace: "late-module" },
    );
    build.onLoad({ filter: /.*/, namespace: "late-module" }, async ({ path }) => ({
      contents: `
        let loaded;
        const load = () => (loaded ??= require("${path}"));
        for (const name of ${JSON.stringify(Object.keys((await import(path)).default))})
          Object.defineProperty(exports, name, { enumerable: true, get: () => load()[name] });
      `,
      loader: "js",
    }));
  },
};

/** The HCL parser reads its WebAssembly from beside its own package; in dist it lies beside the bundle. */
const hclParser = join(top, "node_modules/@cdktn/hcl2json");
const hclBesideBundle = {
  name: "hcl-beside-bundle",
  setup(build) {
    build.onLoad({ filter: /hcl2json\/build\/bridge\.js$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      const contents = source.replace(/__dirname, "\.\.", "main\.wasm\.gz"/, '__dirname, "hcl.wasm.gz"');
      if (contents === source) throw new Error(`${path} has changed: it no longer reads main.wasm.gz`);
      return { contents, loader: "js" };
    });
  },
};

/**
 * oci-registry-client's own network code is never reached (registry/transport/distribution.ts): what it takes from node-fetch
 * are two bags of headers. That package and its tables of host names are 300 KB, and some milliseconds of every pull.
 */
const noFetch = {
  name: "no-fetch",
  setup(build) {
    build.onResolve({ filter: /^node-fetch$/ }, () => ({ path: "node-fetch", namespace: "none" }));
    build.onLoad({ filter: /.*/, namespace: "none" }, () => ({
      contents: `
        exports.Headers = class Headers extends Map {
          constructor(from = []) {
            super();
            for (const [name, value] of Symbol.iterator in from ? from : Object.entries(from)) this.set(name, value);
          }
          get(name) { return super.get(name.toLowerCase()) ?? null; }
          has(name) { return super.has(name.toLowerCase()); }
          set(name, value) { return super.set(name.toLowerCase(), String(value)); }
          append(name, value) { this.set(name, this.has(name) ? this.get(name) + ", " + value : value); }
          delete(name) { return super.delete(name.toLowerCase()); }
        };
        exports.Response = class Response {
          constructor(_body, { status, headers }) {
            this.status = status;
            this.headers = new exports.Headers(headers);
          }
        };
      `,
      loader: "js",
    }));
  },
};

/**
 * Leaves out of a bundle what its commands cannot reach. The launcher starts it for those alone; the table of commands and what
 * help says of them stays whole.
 */
const only = (commands) => ({
  name: "only",
  setup(build) {
    build.onResolve({ filter: /^\.\/[a-z-]+\.ts$/ }, ({ path, importer, kind }) => {
      const isOther = kind === "dynamic-import" && importer.endsWith("/builder/cli/commands.ts");
      return isOther && !commands.includes(commandIn(path)) ? { path, namespace: "other" } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: "other" }, ({ path }) => ({
      contents: `throw new Error("this bundle has no ${commandIn(path)}");`,
      loader: "js",
    }));
  },
});

/** Each command has a file of its name. */
function commandIn(path) {
  return path.slice("./".length, -".ts".length);
}

/** Every bundle by its file: the one with all commands, and those for some. */
const bundles = {
  "wbuild.cjs": [],
  ...Object.fromEntries(
    Object.entries(kinds).map(([kind, commands]) => [`wbuild-${kind}.cjs`, [lateModules, only(commands)]]),
  ),
};

/** The CLI: dist/wbuild, its bundles and their code caches, and the compiled parts of the packages that it loads. */
export async function bundle() {
  const launcher = join(top, "native/setup/launch.cjs");
  const inputs = [
    ...["builder", "layerfs", "registry", "native"].flatMap((room) => sources(room, ".ts")),
    join(top, "package-lock.json"),
    join(top, "native/setup/build.mjs"),
    join(top, "native/setup/warm-registry.mjs"),
    launcher,
  ];
  await unlessFresh("wbuild", inputs, async () => {
    for (const [name, plugins] of Object.entries(bundles))
      for (const { path, contents } of await bundled(name, plugins)) {
        const isBundle = path.endsWith(".cjs");
        replaceFile(path, isBundle ? asciiOnly(Buffer.from(contents).toString("utf8")) : contents);
      }
    for (const path of codeCaches) rmSync(path, { force: true });
    replaceFile(join(dist, "package.json"), '{"type":"commonjs"}\n');
    replaceFile(join(dist, "wbuild"), readFileSync(launcher), 0o755);
  });
  const parser = join(hclParser, "main.wasm.gz");
  await unlessFresh("hcl.wasm.gz", [parser], async () => copyFileSync(parser, join(dist, "hcl.wasm.gz")));
  const addon = join(top, "node_modules/better-sqlite3/build/Release/better_sqlite3.node");
  await unlessFresh("better_sqlite3.node", [addon], async () => {
    rmSync(join(dist, "better_sqlite3.node"), { force: true });
    copyFileSync(addon, join(dist, "better_sqlite3.node"));
  });
  await cacheCode();
}

/** The files of one bundle: its own, and what esbuild copies beside it. */
async function bundled(name, plugins) {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [join(top, "builder/cli/main.ts")],
    outfile: join(dist, name),
    write: false,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    minify: true,
    keepNames: true,
    sourcemap: false,
    charset: "ascii",
    // Compiled through node:vm, which has no import().
    supported: { "dynamic-import": false },
    define: { WBUILD_BUNDLED: "true", "import.meta.url": "__wbuild_url" },
    banner: {
      js: "(function(require,module,__filename,__dirname){const exports=module.exports,__wbuild_url=require('node:url').pathToFileURL(__filename).href;",
    },
    footer: { js: "})" },
    plugins: [lateChildProcess, noFetch, hclBesideBundle, ...plugins],
    // What the HCL parser would load where there are no such globals; every Node that we run on has them.
    external: ["performance"],
    loader: { ".node": "copy" },
    assetNames: "[name]",
    logLevel: "warning",
  });
  return outputFiles;
}

/** One for each kind of command that launch.cjs tells apart. */
const codeCaches = ["build", "build-asking", "registry", "images"].map((kind) => join(dist, `wbuild-${kind}.cache`));

/** What esbuild leaves of other characters (in regular expressions), as escapes. */
function asciiOnly(text) {
  return text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * V8's compiled form of what commands run, a cache for each kind that the launcher knows, taken from such commands: each adds to
 * what the one before it left. Without them wbuild works as well, but starts slower.
 */
async function cacheCode() {
  if (codeCaches.every((path) => existsSync(path))) return;
  const [forBuilds, forAskingBuilds, forRegistries, forImages] = codeCaches;
  const folder = mkdtempSync(join(tmpdir(), "wbuild-warm-"));
  const registry = await startWarmRegistry();
  try {
    writeFileSync(join(folder, "Dockerfile"), "FROM scratch\nARG a=b\nENV c=$a\nCOPY file /\nWORKDIR /d\nCMD x\n");
    writeFileSync(join(folder, "file"), "content");
    const environment = { PATH: process.env.PATH, HOME: folder, WBUILD_HOME: join(folder, "home") };
    const wbuild = (words, env) => run(process.execPath, [join(dist, "wbuild"), ...words], { env });
    const keep = async (cache, words, more = {}) => {
      await wbuild(words, { ...environment, ...more, WBUILD_WRITE_CODE_CACHE: `${cache}.${process.pid}` });
      renameSync(`${cache}.${process.pid}`, cache);
    };
    const image = `${registry.host}/warm:latest`;
    const build = ["--progress=plain", "-t", image, folder];
    await wbuild(build, environment);
    // Those for builds come last: the launcher takes them where a cache is not there yet.
    for (const words of [["images"], ["history", image], ["inspect", image], ["tag", image, "warm"]])
      await keep(forImages, words);
    await keep(forRegistries, ["push", image]);
    await keep(forRegistries, ["pull", image], { WBUILD_HOME: join(folder, "other") });
    await keep(forBuilds, build);
    await keep(forAskingBuilds, ["--push", ...build]);
  } catch (error) {
    console.log(`not all code is cached: ${error.stderr || error.message}`);
  } finally {
    registry.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Everything a checkout needs to run. Test processes ask for it side by side: one builds, the others wait for it. */
export async function buildAll() {
  mkdirSync(dist, { recursive: true });
  const lock = join(dist, ".building");
  while (!takeLock(lock)) await new Promise((later) => setTimeout(later, 100));
  try {
    await Promise.all([buildAddon(), buildSandbox(), buildWine()]);
    await bundle();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** True when we hold the lock now. One whose process is gone is cleared away. */
function takeLock(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    try {
      process.kill(Number(readFileSync(lock, "utf8")) || process.pid, 0);
    } catch {
      rmSync(lock, { force: true });
    }
    return false;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await buildAll().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
