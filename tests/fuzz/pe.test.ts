import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import fc from "fast-check";
import { findWine } from "../../builder/runtime/wine/personality/find-wine.ts";
import { programsFolder } from "../../builder/runtime/wine/personality/programs.ts";
import { isWbuildError } from "../../native/error.ts";
import { forwardExport, hideBuiltin } from "../../native/wine/patch.ts";
import { chainCommands } from "../../native/wine/patch-chain.ts";
import { holds } from "../doubles/holds.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { makeDll, makeProgram } from "../native/wine/dll.ts";

const top = fileURLToPath(new URL("../..", import.meta.url));

const numbers = [0, 1, 0x7f, 0x80, 0xfff, 0x1000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** A PE file with some of its words changed and perhaps its end cut off. */
function damaged(files: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const changes = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(...numbers), fc.nat())), { maxLength: 6 });
  return fc.tuple(fc.constantFrom(...files), changes, fc.option(fc.nat(), { freq: 3 })).map(([file, words, cut]) => {
    const bytes = Buffer.from(file);
    for (const [place, value] of words) bytes.writeUInt32LE(value >>> 0, (place % (bytes.length / 4 - 1)) * 4);
    return new Uint8Array(cut === null ? bytes : bytes.subarray(0, cut % bytes.length));
  });
}

/** With the mark of Wine's own programs behind the DOS header. */
function markedBuiltin(file: Uint8Array): Uint8Array {
  const marked = Buffer.from(file).fill(0, 0x40, 0x60);
  marked.write("Wine builtin DLL", 0x40, "latin1");
  return marked;
}

const dlls = [[], ["alpha"], ["alpha", "beta", "gamma"]].map((exports) => makeDll({ exports }));

test("pe: a damaged DLL is patched in its own length or refused", (t) => {
  const runs = process.env.WBUILD_FUZZ ? 20_000 : 2_000;
  holds(
    t,
    fc.property(damaged(dlls), (dll) => {
      for (const change of [() => forwardExport(dll, "beta", "wbuildlnk.beta"), () => hideBuiltin(dll, "RD")]) {
        try {
          if (change().length !== dll.length) return false;
        } catch (error) {
          if (!isWbuildError(error, "WIN_PATCH")) throw error;
        }
      }
      return true;
    }),
    { numRuns: runs },
  );
});

const cmd = join(findWine()?.windows ?? "/nonexistent", "cmd.exe");
const code = join(programsFolder(), "chain.bin");
const noChains = existsSync(cmd) && existsSync(code) ? undefined : "needs Wine's cmd.exe and the compiled chain.S";

testUnless(noChains)("pe: a damaged cmd.exe gets its chains in its own length or is refused", (t) => {
  const [file, chain] = [readFileSync(cmd), readFileSync(code)];
  // Its headers and symbols are what is read; most of the file lies between.
  const symbols = file.readUInt32LE(file.readUInt32LE(0x3c) + 12);
  const place = fc.oneof(
    fc.nat({ max: 0x400 }),
    fc.nat({ max: file.length - symbols - 4 }).map((at) => symbols + at),
  );
  const change = fc.tuple(place, fc.oneof(fc.constantFrom(...numbers), fc.nat()));
  holds(
    t,
    fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
      const bytes = Buffer.from(file);
      for (const [at, value] of changes) bytes.writeUInt32LE(value >>> 0, at);
      try {
        return chainCommands(bytes, chain).length === file.length;
      } catch (error) {
        return isWbuildError(error, "WIN_PATCH");
      }
    }),
    { numRuns: process.env.WBUILD_FUZZ ? 5_000 : 150 },
  );
});

test("pe, with sanitizers: what run.exe reads of damaged programs touches no memory that is not theirs", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-pe-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const program = join(folder, "imports");
  const sources = ["tests/native/wine/programs/imports.c", "native/wine/imports.c"].map((path) => join(top, path));
  const checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
  execFileSync("gcc", ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", ...checks, ...sources, "-o", program]);
  const long = makeProgram([`${"a".repeat(300)}.dll`, "b.dll"]);
  const files = [
    makeProgram(["KERNEL32.dll", "my-own.DLL"]),
    makeProgram([]),
    markedBuiltin(makeProgram(["x.dll"])),
    long,
  ];
  const hostile = fc.sample(damaged(files), process.env.WBUILD_FUZZ ? 50_000 : 5_000);
  const input = [...files, ...hostile].flatMap((file) => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(file.length);
    return [head, Buffer.from(file)];
  });
  const { status, stdout, stderr } = spawnSync(program, {
    input: Buffer.concat(input),
    encoding: "latin1",
    maxBuffer: 256 << 20,
    env: { ASAN_OPTIONS: "detect_leaks=0" },
  });
  t.is(status, 0, stderr.slice(-2000));
  const lines = stdout.split("\n");
  t.deepEqual(lines.slice(0, 4), ["kernel32.dll,my-own.dll", "", "wine", ""]);
  t.is(lines.length, files.length + hostile.length + 1);
});
