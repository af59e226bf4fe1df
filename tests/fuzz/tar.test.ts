import { spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { seedOf } from "../seed.ts";
import { exercise } from "./tar-exercise.ts";

const top = fileURLToPath(new URL("../..", import.meta.url));

test("tar: hostile bytes end in an entry or in an error of ours, and never outside", async (t) => {
  await t.notThrowsAsync(exercise(400));
});

let built: Promise<void> | undefined;

/** Once, for all tests that want it. */
async function buildWithSanitizers(): Promise<void> {
  const recipe: string = new URL("../../native/setup/build.mjs", import.meta.url).href;
  const { buildAddon } = (await import(recipe)) as { buildAddon(options: { sanitize: boolean }): Promise<void> };
  await buildAddon({ sanitize: true });
}

/** The addon with address and undefined-behaviour sanitizers, in a child: what they find ends the process. */
async function withSanitizers(t: ExecutionContext, args: string[]): Promise<{ status: number | null; text: string }> {
  built ??= buildWithSanitizers();
  await built;
  const library = spawnSync("gcc", ["-print-file-name=libasan.so"], { encoding: "utf8" }).stdout.trim();
  const child = spawn(process.execPath, args, {
    cwd: top,
    env: {
      ...process.env,
      LD_PRELOAD: library,
      ASAN_OPTIONS: "detect_leaks=0",
      WBUILD_ADDON: join(top, "dist/native-asan.node"),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.teardown(() => child.kill("SIGKILL"));
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => (text += part));
  const [status] = await once(child, "close");
  if (status !== 0) t.log(text.slice(-4000));
  return { status, text };
}

test("tar, with sanitizers: hostile bytes touch no memory that is not theirs", async (t) => {
  t.timeout(290_000);
  const seed = seedOf(() => randomInt(2 ** 31));
  const { status, text } = await withSanitizers(t, ["--import=tsx", "tests/fuzz/tar-exercise.ts", "150", String(seed)]);
  t.is(status, 0, `seed ${seed}`);
  t.notRegex(text, /ERROR: AddressSanitizer|runtime error:/);
});

test("native, with sanitizers: walk, locks, digests, writer and unpacker", async (t) => {
  t.timeout(290_000);
  const files = [
    "tests/native/addon/sha256.test.ts",
    "tests/native/addon/files.test.ts",
    "tests/native/addon/digest-stream.test.ts",
    "tests/layerfs/layer/write.test.ts",
    "tests/layerfs/layer/unpack.test.ts",
  ];
  const { status, text } = await withSanitizers(t, ["node_modules/ava/entrypoints/cli.mjs", "--timeout=4m", ...files]);
  t.notRegex(text, /ERROR: AddressSanitizer|runtime error:/);
  t.is(status, 0);
});
