import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { exercise } from "./tar-exercise.ts";

const top = fileURLToPath(new URL("../..", import.meta.url));

test("tar: hostile bytes end in an entry or in an error of ours, and never outside", async (t) => {
  await exercise(400);
  t.pass();
});

/** The addon with address and undefined-behaviour sanitizers, in a child: what they find ends the process. */
async function withSanitizers(
  t: { log(text: string): void },
  args: string[],
): Promise<{ status: number | null; text: string }> {
  const recipe: string = new URL("../../native/setup/build.mjs", import.meta.url).href;
  const { buildAddon } = (await import(recipe)) as { buildAddon(options: { sanitize: boolean }): Promise<void> };
  await buildAddon({ sanitize: true });
  const library = spawnSync("gcc", ["-print-file-name=libasan.so"], { encoding: "utf8" }).stdout.trim();
  const child = spawnSync(process.execPath, args, {
    cwd: top,
    encoding: "utf8",
    env: {
      ...process.env,
      LD_PRELOAD: library,
      ASAN_OPTIONS: "detect_leaks=0",
      WBUILD_ADDON: join(top, "dist/native-asan.node"),
    },
  });
  if (child.status !== 0) t.log(`${child.stdout}\n${child.stderr}`.slice(-4000));
  return { status: child.status, text: child.stdout + child.stderr };
}

test.serial("tar, with sanitizers: hostile bytes touch no memory that is not theirs", async (t) => {
  t.timeout(290_000);
  const seed = randomInt(2 ** 31);
  const { status, text } = await withSanitizers(t, ["--import=tsx", "tests/fuzz/tar-exercise.ts", "150", String(seed)]);
  t.is(status, 0, `seed ${seed}`);
  t.notRegex(text, /ERROR: AddressSanitizer|runtime error:/);
});

test.serial("native, with sanitizers: walk, locks, digests, writer and unpacker", async (t) => {
  t.timeout(290_000);
  const files = [
    "tests/native/addon/sha256.test.ts",
    "tests/native/addon/files.test.ts",
    "tests/layerfs/layer/write.test.ts",
    "tests/layerfs/layer/unpack.test.ts",
  ];
  const { status, text } = await withSanitizers(t, ["node_modules/ava/entrypoints/cli.mjs", "--timeout=4m", ...files]);
  t.notRegex(text, /ERROR: AddressSanitizer|runtime error:/);
  t.is(status, 0);
});
