/** Many processes on one store, and processes that die at any moment: the next one works without repair. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { openStore } from "../../../layerfs/store/store.ts";
import { gather } from "../../contracts/blob-store.ts";

const worker = fileURLToPath(new URL("./worker.ts", import.meta.url));

function start(home: string, seed: number, rounds: number): ChildProcess {
  return spawn(process.execPath, ["--import=tsx", worker, home, String(seed), String(rounds)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly lines: readonly string[];
  readonly stderr: string;
}

/** Waits for the end; `onLine` sees each line as it comes. */
function ended(child: ChildProcess, onLine: (count: number) => void = () => undefined): Promise<Ended> {
  return new Promise((resolve, reject) => {
    let stdout = "";
    let stderr = "";
    child.stdout?.on("data", (data) => {
      stdout += String(data);
      onLine(stdout.split("\n").length - 1);
    });
    child.stderr?.on("data", (data) => {
      stderr += String(data);
    });
    child.once("error", reject);
    child.once("close", (code, signal) =>
      resolve({ code, signal, lines: stdout.split("\n").filter((line) => line !== ""), stderr }),
    );
  });
}

/** Everything that can be found is whole, and a collection leaves nothing behind. */
async function checkSound(t: ExecutionContext, home: string): Promise<void> {
  using store = openStore(home);
  t.deepEqual((await store.verify()).corrupt, []);
  for (const ref of store.refs.list()) {
    for (const digest of ref.keeps) t.not(await store.blobs.has(digest), undefined, `${ref.name} lost ${digest}`);
    await gather(store.blobs.open(ref.descriptor));
  }
  for (let i = 0; i < 12; i++) {
    const row = store.cache.get(`content ${i}`);
    if (row === undefined) continue;
    const { blob } = JSON.parse(row.value);
    t.not(await store.blobs.has(blob), undefined);
    const { diffId } = store.layers.byBlob(blob)!;
    t.is(String(await store.layers.index(diffId)), `index of content ${i}`);
    const { folder } = store.snapshots.find(diffId)!;
    for (let n = 0; n < 5; n++) t.is(readFileSync(join(folder, `file${n}`), "utf8"), `content ${i}`);
  }
  await store.collect();
  const root = join(home, "store-v1");
  t.deepEqual([readdirSync(join(root, "temp")), readdirSync(join(root, "leases"))], [[], []]);
  const usage = await store.usage();
  t.is(readdirSync(join(root, "snapshots")).length, usage.snapshots.count);
  for (const ref of store.refs.list()) store.refs.delete(ref.name);
  await store.collect({ all: true });
  const empty = await store.usage();
  t.deepEqual([empty.layers.count, empty.snapshots.count, empty.cache.count, empty.temp.count], [0, 0, 0, 0]);
}

function makeFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "wbuild-processes-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

test.serial(
  "four processes put, name, cache and collect the same and different things at once, from nothing",
  async (t) => {
    using home = makeFolder();
    const all = await Promise.all([1, 2, 3, 4].map((seed) => ended(start(home.path, seed, 12))));
    for (const { code, stderr, lines } of all) t.deepEqual([code, stderr, lines.length], [0, "", 12]);
    await checkSound(t, home.path);
  },
);

const seed = Number(process.env.WBUILD_TEST_SEED ?? 20_260_101);
test.serial(`SIGKILL at any moment leaves a store that the next process uses (seed ${seed})`, async (t) => {
  using home = makeFolder();
  let random = seed;
  const next = (below: number) => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (random >>> 8) % below;
  };
  for (let kill = 0; kill < 8; kill++) {
    const children = [start(home.path, next(1e6), 0), start(home.path, next(1e6), 0)];
    const ends = children.map((child) => {
      const atLine = 1 + next(6);
      const spins = next(40);
      return ended(child, (lines) => {
        if (lines < atLine) return;
        // Somewhere in the middle of what comes after that line.
        const wait = (left: number) => (left === 0 ? child.kill("SIGKILL") : setImmediate(wait, left - 1));
        wait(spins);
      });
    });
    for (const { signal, stderr } of await Promise.all(ends)) t.deepEqual([signal, stderr], ["SIGKILL", ""]);
    const { code, stderr } = await ended(start(home.path, next(1e6), 2));
    t.deepEqual([code, stderr], [0, ""]);
  }
  t.true(existsSync(join(home.path, "store-v1/index.db")));
  await checkSound(t, home.path);
});
