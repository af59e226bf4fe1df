/** `&&` and `||` in Wine's cmd, which it reads and does not heed until chain.S is put into it. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findWine } from "../../../builder/runtime/wine/personality/find-wine.ts";
import { ensurePersonality } from "../../../builder/runtime/wine/personality/personality.ts";
import { programsFolder } from "../../../builder/runtime/wine/personality/programs.ts";
import { isWbuildError } from "../../../native/error.ts";
import { chainCommands } from "../../../native/wine/patch-chain.ts";
import { readPe } from "../../../native/wine/pe.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { hasOldCmd, withWine } from "../../doubles/wine.ts";
import { runBatch } from "./batch.ts";

const wine = findWine();
const place = wine && join(wine.windows, "cmd.exe");
const code = join(programsFolder(), "chain.bin");
const hasFiles = place !== undefined && existsSync(place) && existsSync(code);
/** Behind `cd` and `set` that succeed: Wine 8 leaves errorlevel as it was; Wine 10 clears it, as Windows does in a .cmd file. */
const behindSuccess = hasOldCmd ? 2 : 0;
/** How cmd ends when the last it was told to run is not there. */
const notFound = hasOldCmd ? 9009 : 1;

/** `ok` succeeds and `no` fails with 2; what is printed, its lines parted by "|", and how cmd ends. */
const cases: readonly (readonly [line: string, printed: string, exit: number])[] = [
  ["ok && echo a", "a", 0],
  ["no && echo a", "", 2],
  ["ok || echo a", "", 0],
  ["no || echo a", "a", 2],
  ["no && echo a && ok", "", 2],
  ["no && copy f g", "", 2],
  ["ok && echo a || echo b", "a", 0],
  ["no && echo a || echo b", "b", 2],
  ["no || echo a && echo b", "a|b", 2],
  ["no || echo a || echo b", "a", 2],
  ["no && echo a & echo b", "b", 2],
  ["no & ok && echo a", "a", 0],
  // Brackets go whole, however deep.
  ["no && (echo a & echo b) & echo c", "c", 2],
  ["ok && (echo a & echo b) && echo c", "a|b|c", 0],
  ["no && (echo a) && (echo b & echo c) || (echo d & echo e)", "d|e", 2],
  ["ok && (echo a) && (echo b & echo c) || (echo d & echo e)", "a|b|c", 0],
  ["no && ((echo a & echo b) & echo c) & echo d", "d", 2],
  ["(no && echo a) || echo b", "b", 2],
  ["(ok && echo a) || echo b", "a", 0],
  ["(no || echo a) && echo b", "a|b", 2],
  ["no || ((no && (echo a & echo b)) || (echo c)) && echo d", "c|d", 2],
  // if and for go with all their parts, and have such lists in them.
  ["no && if exist f (echo a & echo b) else (echo c)", "", 2],
  ["ok && if exist f (echo a) else (echo b)", "a", 0],
  ["no || if exist f echo a", "a", 2],
  ["if exist f (no && echo a) else (echo b)", "", 2],
  ["if not exist f (echo a) else (ok && echo b)", "b", 0],
  ["if exist f no && echo a", "", 2],
  ["no && for %%i in (1 2) do echo %%i", "", 2],
  ["ok && for %%i in (1 2) do echo %%i", "1|2", 0],
  ["for %%i in (2 0) do cmd /c exit %%i && echo %%i", "0", 0],
  ["for %%i in (2 0) do (cmd /c exit %%i || echo %%i)", "2", 0],
  ["no || for %%i in (1 2) do (ok && echo %%i)", "1|2", 0],
  // Commands inside of cmd, those too that leave errorlevel alone.
  ["cd nosuch && echo a", "", 1],
  ["mkdir d && cd d && echo a", "a", 0],
  ["type nosuch && echo a", "", 1],
  ["no & cd . && echo a", "a", behindSuccess],
  ["no & set X=1 && echo a", "a", behindSuccess],
  ["nosuchprogram && echo a", "", notFound],
  ["nosuchprogram || echo a", "a", 9009],
  ["echo a| findstr b && echo c", "", 1],
  ["echo a| findstr a && echo c", "a|c", 0],
  ["cmd /c exit -1073741515 && echo a", "", -1073741515],
  ["no || exit /b 7", "", 7],
  ["call :s && echo a\nexit /b 4\n:s\nexit /b 5", "", 4],
];

withWine("what follows && and || runs as on Windows", async (t) => {
  t.timeout(120_000);
  const home = mkdtempSync(join(tmpdir(), "wbuild-chain-"));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  const lines = cases.map(([line]) =>
    line.replace(/\bok\b/g, "cmd /c exit 0").replace(/\bno\b(?!such)/g, "cmd /c exit 2"),
  );
  const { rows } = await runBatch(t, await ensurePersonality(home), lines, { f: "" });
  for (const [index, [line, printed, exit]] of cases.entries()) {
    const row = rows[index];
    const said = (row?.stdout ?? "").split("\n").map((text) => text.trim());
    t.deepEqual([said.filter((text) => text !== "").join("|"), row?.exit], [printed, exit], line);
  }
});

const withFiles = testUnless(hasFiles ? undefined : "no wine64, or chain.S is not compiled");
const withKnown = testUnless(hasFiles && hasOldCmd ? undefined : "no cmd as Wine 8 has it, or chain.S is not compiled");

withKnown("only two places of cmd and the end of its code change", (t) => {
  const [cmd, chain] = [readFileSync(place ?? ""), readFileSync(code)];
  const patched = chainCommands(cmd, chain);
  t.is(patched.length, cmd.length);
  const text = readPe(cmd).sections[0];
  if (!text) return t.fail();
  const changed = [...patched.keys()].filter((at) => patched[at] !== cmd[at]);
  const inside = changed.filter((at) => at >= text.file && at < text.file + text.virtualSize);
  const header = changed.filter((at) => at < text.file);
  t.true(inside.length <= 11, "a call of 5 bytes, and one with a byte behind it");
  t.true(
    header.every((at) => at >= text.header + 8 && at < text.header + 12),
    "the size of the section",
  );
  t.true(
    changed.every((at) => at < text.file + text.fileSize),
    "nothing else",
  );
  t.throws(() => chainCommands(patched, chain), { code: "WIN_PATCH" }, "not twice");
});

withFiles("a cmd that looks different is left alone", (t) => {
  const [cmd, chain] = [readFileSync(place ?? ""), readFileSync(code)];
  const header = readPe(cmd).header;
  const changes: readonly (readonly [what: string, at: number, value: number])[] = [
    ["no symbols", header + 12, 0],
    ["symbols behind the end", header + 12, cmd.length],
    ["too many of them", header + 16, 0xffff_ffff],
    ["code without end", (readPe(cmd).sections[0]?.header ?? 0) + 8, 0xffff_fff8],
  ];
  for (const [what, at, value] of changes) {
    const other = Buffer.from(cmd);
    other.writeUInt32LE(value, at);
    const error = t.throws(() => chainCommands(other, chain), undefined, what);
    t.true(isWbuildError(error, "WIN_PATCH"), what);
  }
});
