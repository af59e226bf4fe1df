/** Compiles our programs of the Windows personality (native/wine) into dist/wine. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { compile, dist, eachOfTwo, objectOf, sources, strict, top, unlessFresh } from "./compile.mjs";

/** A DLL without start-up code of the compiler. */
const bare = [
  "-shared",
  "-nostdlib",
  "-ffreestanding",
  "-fno-tree-loop-distribute-patterns",
  "-Wl,--entry=DllMainCRTStartup",
];

/**
 * What runs inside containers of Windows images, as name → its C files in native/wine and below it. All but the launcher carry
 * Wine's mark of its own files: so they are taken, as Wine's are, before what an image has of the same name.
 */
const winePrograms = [
  {
    name: "run.exe",
    files: ["run", "channel", "environment", "imports", "json", "missing", "processor", "streams"],
    libraries: ["-lntdll"],
    marked: false,
  },
  { name: "wineboot.exe", files: ["wineboot", "processor", "volatile-keys"], libraries: ["-lntdll"] },
  { name: "icacls.exe", files: ["icacls", "channel", "files", "message", "permissions"], libraries: ["-lntdll"] },
  { name: "takeown.exe", files: ["takeown", "channel", "files", "message"], libraries: ["-lntdll"] },
  { name: "mklink.exe", files: ["mklink", "channel", "link", "message"], libraries: ["-lntdll"] },
  { name: "rmdir.exe", files: ["rmdir", "message"] },
  { name: "rd.exe", files: ["rmdir", "message"] },
  { name: "powershell.exe", files: ["powershell", "imports"] },
  { name: "pwsh.exe", files: ["powershell", "imports"] },
  { name: "refuse.exe", files: ["refuse", "message"] },
  { name: "choice.exe", files: ["choice", "message"] },
  { name: "fc.exe", files: ["fc", "lines", "message", "wildcard"] },
  { name: "findstr.exe", files: ["findstr", "lines", "message", "search", "wildcard"] },
  { name: "move.exe", files: ["move", "message", "wildcard"] },
  { name: "net.exe", files: ["net", "message"] },
  { name: "robocopy.exe", files: ["robocopy", "robocopy-request", "message", "wildcard"] },
  { name: "sc.exe", files: ["sc", "sc-settings", "message", "wildcard"] },
  { name: "setx.exe", files: ["setx", "message"] },
  { name: "systeminfo.exe", files: ["systeminfo", "message"] },
  { name: "tasklist.exe", files: ["tasklist", "message", "wildcard"] },
  { name: "timeout.exe", files: ["timeout", "message"] },
  { name: "where.exe", files: ["where", "message", "wildcard"] },
  {
    name: "wbuildlnk.dll",
    files: ["wbuildlnk", "channel", "freestanding", "link", "move-folder", "original", "wbuildlnk.def"],
    kind: bare,
    libraries: ["-lntdll"],
  },
  {
    name: "bcryptprimitives.dll",
    files: ["bcryptprimitives", "bcryptprimitives.def"],
    kind: bare,
    libraries: ["-ladvapi32"],
  },
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
  const inputs = sources("native/wine", ".c", ".h", ".def", ".S");
  const folder = join(dist, sanitize ? "wine-asan" : "wine");
  // Asked only where nothing was compiled yet: a cached build starts no process.
  if (!existsSync(join(dist, ".stamps", basename(folder))) && !hasMingw()) return;
  const finish = (output, marked) => {
    if (marked) markBuiltin(`${output}.new`);
    renameSync(`${output}.new`, output);
  };
  await unlessFresh(basename(folder), [...inputs, join(top, "native/setup/build-wine.mjs")], async () => {
    mkdirSync(folder, { recursive: true });
    const session = join(folder, "session");
    const own = sanitize
      ? ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
      : ["-static", "-s"];
    const source = join(top, "native/wine/session.c");
    await compile("gcc", ["-std=c11", "-D_GNU_SOURCE", ...strict, ...own, source, "-o", `${session}.new`]);
    finish(session, false);
    if (sanitize) return;
    const loader = join(folder, "loader");
    const anywhere = ["-std=c11", ...strict, "-O2", "-fPIE", "-pie", "-s"];
    await compile("gcc", [...anywhere, join(top, "native/wine/loader.c"), "-o", `${loader}.new`, "-ldl"]);
    finish(loader, false);
    const objects = join(dist, "obj/wine");
    mkdirSync(objects, { recursive: true });
    const flags = [
      "-std=gnu11",
      "-Wall",
      "-Wextra",
      "-Werror",
      "-O2",
      "-municode",
      "-DWIN32_LEAN_AND_MEAN",
      "-D__USE_MINGW_ANSI_STDIO=0",
    ];
    const parts = inputs.filter((file) => file.endsWith(".c") && !/(session|loader)\.c$/.test(file));
    await eachOfTwo(parts, (file) =>
      // A loop that copies bytes shall not become a call of the function that it is the body of.
      compile(mingw, [...flags, "-fno-tree-loop-distribute-patterns", "-c", file, "-o", objectOf(objects, file)]),
    );
    // Code that is put into a program of Wine's: no headers, no relocations.
    const chain = objectOf(objects, "chain.S");
    await compile(mingw, ["-c", join(top, "native/wine/chain.S"), "-o", chain]);
    await compile(mingw.replace(/gcc$/, "objcopy"), [
      "-O",
      "binary",
      "-j",
      ".text",
      chain,
      join(folder, "chain.bin.new"),
    ]);
    finish(join(folder, "chain.bin"), false);
    await eachOfTwo(winePrograms, async ({ name, files, libraries = [], kind = ["-municode"], marked = true }) => {
      const output = join(folder, name);
      const inputs = files.map((file) =>
        file.endsWith(".def") ? join(top, "native/wine", file) : objectOf(objects, `${file}.c`),
      );
      await compile(mingw, [
        "-s",
        "-Wl,--no-insert-timestamp",
        ...kind,
        ...inputs,
        "-o",
        `${output}.new`,
        ...libraries,
      ]);
      finish(output, marked);
    });
  });
}

/** True when the cross compiler is there; says once what is missing without it. */
function hasMingw() {
  if (spawnSync(mingw, ["--version"], { stdio: "ignore" }).status === 0) return true;
  console.log(`no ${mingw} (package gcc-mingw-w64-x86-64-win32): this wbuild cannot run steps of Windows images`);
  return false;
}
