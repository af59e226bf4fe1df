/** Compiles the native parts and bundles the CLI into dist/. What has not changed since the last time is left alone. */
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const top = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(top, "dist");
const strict = ["-Wall", "-Wextra", "-Werror", "-O2", "-g1"];

/** Files below a folder (relative to the top) with one of the endings, sorted. */
function sources(folder, ...endings) {
  return readdirSync(join(top, folder), { recursive: true })
    .map((name) => join(top, folder, String(name)))
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort();
}

/** Runs `make` only when the inputs' bytes or the recipe differ from those of the last success. */
async function unlessFresh(name, inputs, make) {
  const hash = createHash("sha256").update(make.toString()).update(process.version);
  for (const input of inputs) hash.update(relative(top, input)).update("\0").update(readFileSync(input));
  const stamp = join(dist, ".stamps", name);
  const now = hash.digest("hex");
  try {
    if (readFileSync(stamp, "utf8") === now) return;
  } catch {
    // No stamp: build.
  }
  const began = Date.now();
  await make();
  mkdirSync(join(dist, ".stamps"), { recursive: true });
  writeFileSync(stamp, now);
  console.log(`built ${name} in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

async function compile(tool, args) {
  try {
    await run(tool, args, { cwd: top, maxBuffer: 16 << 20 });
  } catch (error) {
    throw new Error(`${tool} failed:\n${error.stderr || error.message}`);
  }
}

/** Compiles each file to an object, two at a time, and links them. */
async function compileAll(tool, files, flags, link, output) {
  const folder = join(dist, "obj", basename(output));
  mkdirSync(folder, { recursive: true });
  const objects = files.map((file) => join(folder, `${relative(top, file).replaceAll("/", "_")}.o`));
  let next = 0;
  const worker = async () => {
    while (next < files.length) {
      const i = next++;
      await compile(tool, [...flags, "-c", files[i], "-o", objects[i]]);
    }
  };
  await Promise.all([worker(), worker()]);
  // A new name, then a rename: the old file may be in use by a running process.
  await compile(tool, [...objects, ...link, "-o", `${output}.new`]);
  renameSync(`${output}.new`, output);
}

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
  const zstd = join(dist, "obj", name, "zstd-local.o");
  const link = [
    "-shared",
    zstd,
    "-l:libdeflate.a",
    "-lpthread",
    ...(sanitize ? ["-fsanitize=address,undefined"] : ["-static-libstdc++", "-static-libgcc"]),
  ];
  await unlessFresh(name, sources("native/addon", ".cc", ".hh"), async () => {
    await localZstd(zstd);
    await compileAll("g++", files, flags, link, join(dist, name));
  });
}

/** What the addon calls of libzstd. */
const zstdCalls = [
  ...["createCCtx", "freeCCtx", "CCtx_setParameter", "compress2", "compressBound"],
  ...["createDCtx", "freeDCtx", "DCtx_setParameter", "decompressStream", "isError", "getErrorName"],
];

/**
 * libzstd.a as one object in which all but the functions that we call are local. Debian compiles the archive for programs
 * (-fPIE): its references to its own global symbols cannot go into a shared object, those to local symbols can.
 */
async function localZstd(output) {
  mkdirSync(dirname(output), { recursive: true });
  const { stdout } = await run("gcc", ["-print-file-name=libzstd.a"]);
  await compile("ld", [
    "-r",
    ...zstdCalls.flatMap((name) => ["-u", `ZSTD_${name}`]),
    stdout.trim(),
    "-o",
    `${output}.all`,
  ]);
  await compile("objcopy", [...zstdCalls.map((name) => `--keep-global-symbol=ZSTD_${name}`), `${output}.all`, output]);
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

/**
 * What runs inside containers of Windows images, as name → its C files in native/wine. Those that take the place of a
 * program or DLL of Wine's carry Wine's mark of its own files, or its loader would not take them from there.
 */
const winePrograms = [
  {
    name: "run.exe",
    files: ["run", "channel", "environment", "imports", "json", "missing", "processor"],
    libraries: ["-lntdll"],
  },
  { name: "wineboot.exe", files: ["wineboot", "processor", "volatile-keys"], libraries: ["-lntdll"], marked: true },
];

const mingw = "x86_64-w64-mingw32-gcc";

/** Wine's mark: 32 bytes behind the DOS header, where a program for DOS would begin. */
function markBuiltin(path) {
  const bytes = readFileSync(path);
  bytes.fill(0, 0x40, 0x60).write("Wine builtin DLL", 0x40, "latin1");
  writeFileSync(path, bytes);
}

/** dist/wine: our programs of the Windows personality. Without the cross compiler wbuild does without Windows steps. */
export async function buildWine({ sanitize = false } = {}) {
  const inputs = sources("native/wine", ".c", ".h", ".def");
  const folder = join(dist, sanitize ? "wine-asan" : "wine");
  const finish = (output, marked) => {
    if (marked) markBuiltin(`${output}.new`);
    renameSync(`${output}.new`, output);
  };
  await unlessFresh(basename(folder), [...inputs, join(top, "native/setup/build.mjs")], async () => {
    mkdirSync(folder, { recursive: true });
    const session = join(folder, "session");
    const own = sanitize
      ? ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
      : ["-static", "-s"];
    const source = join(top, "native/wine/session.c");
    await compile("gcc", ["-std=c11", "-D_GNU_SOURCE", ...strict, ...own, source, "-o", `${session}.new`]);
    finish(session, false);
    if (sanitize) return;
    await Promise.all(
      winePrograms.map(async ({ name, files, libraries = [], flags = ["-municode"], marked = false }) => {
        const output = join(folder, name);
        await compile(mingw, [
          "-std=gnu11",
          ...["-Wall", "-Wextra", "-Werror", "-O2", "-s", "-D__USE_MINGW_ANSI_STDIO=0", "-Wl,--no-insert-timestamp"],
          ...flags,
          ...files.map((file) => join(top, "native/wine", file.includes(".") ? file : `${file}.c`)),
          ...["-o", `${output}.new`],
          ...libraries,
        ]);
        finish(output, marked);
      }),
    );
  });
}

/** True when the cross compiler is there; says once what is missing without it. */
function hasMingw() {
  if (spawnSync(mingw, ["--version"], { stdio: "ignore" }).status === 0) return true;
  console.log(`no ${mingw} (package gcc-mingw-w64-x86-64-win32): this wbuild cannot run steps of Windows images`);
  return false;
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

/** The CLI: dist/wbuild, its bundle and code cache, and the compiled parts of the packages that it loads. */
export async function bundle() {
  const launcher = join(top, "native/setup/launch.cjs");
  const inputs = [
    ...["builder", "layerfs", "registry", "native"].flatMap((room) => sources(room, ".ts")),
    join(top, "package-lock.json"),
    join(top, "native/setup/build.mjs"),
    launcher,
  ];
  await unlessFresh("wbuild", inputs, async () => {
    const { build } = await import("esbuild");
    const { outputFiles } = await build({
      entryPoints: [join(top, "builder/cli/main.ts")],
      outfile: join(dist, "wbuild.cjs"),
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
      plugins: [lateChildProcess],
      loader: { ".node": "copy" },
      assetNames: "[name]",
      logLevel: "warning",
    });
    for (const { path, contents } of outputFiles) {
      const isBundle = path.endsWith(".cjs");
      replaceFile(path, isBundle ? asciiOnly(Buffer.from(contents).toString("utf8")) : contents);
    }
    rmSync(join(dist, "wbuild.cache"), { force: true });
    replaceFile(join(dist, "package.json"), '{"type":"commonjs"}\n');
    replaceFile(join(dist, "wbuild"), readFileSync(launcher), 0o755);
  });
  const addon = join(top, "node_modules/better-sqlite3/build/Release/better_sqlite3.node");
  await unlessFresh("better_sqlite3.node", [addon], async () => {
    rmSync(join(dist, "better_sqlite3.node"), { force: true });
    copyFileSync(addon, join(dist, "better_sqlite3.node"));
  });
  await cacheCode();
}

/** What esbuild leaves of other characters (in regular expressions), as escapes. */
function asciiOnly(text) {
  return text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** V8's compiled form of what a cached build runs, taken from one. Without it wbuild works as well, but starts slower. */
async function cacheCode() {
  const cache = join(dist, "wbuild.cache");
  if (existsSync(cache)) return;
  const folder = mkdtempSync(join(tmpdir(), "wbuild-warm-"));
  try {
    writeFileSync(join(folder, "Dockerfile"), "FROM scratch\nARG a=b\nENV c=$a\nCOPY file /\nWORKDIR /d\nCMD x\n");
    writeFileSync(join(folder, "file"), "content");
    const environment = { PATH: process.env.PATH, HOME: folder, WBUILD_HOME: join(folder, "home") };
    const warm = [join(dist, "wbuild"), "--progress=plain", "-t", "warm", folder];
    await run(process.execPath, warm, { env: environment });
    await run(process.execPath, warm, { env: { ...environment, WBUILD_WRITE_CODE_CACHE: `${cache}.${process.pid}` } });
    renameSync(`${cache}.${process.pid}`, cache);
  } catch (error) {
    console.log(`no code cache: ${error.stderr || error.message}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Everything a checkout needs to run. Test processes ask for it side by side: one builds, the others wait for it. */
export async function buildAll() {
  mkdirSync(dist, { recursive: true });
  const lock = join(dist, ".building");
  while (!takeLock(lock)) await new Promise((later) => setTimeout(later, 100));
  try {
    await Promise.all([buildAddon(), buildSandbox(), hasMingw() ? buildWine() : undefined]);
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
