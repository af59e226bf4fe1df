/** `wbuild pull` that is ended in the middle, in every way: the next one fetches only what is missing. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import type { Digest } from "../../layerfs/store/digest.ts";
import { openStore } from "../../layerfs/store/store.ts";
import { openRegistry } from "../../registry/client.ts";
import { pushImage } from "../../registry/push.ts";
import { parseReference } from "../../registry/reference.ts";
import { bundled, program, runCli } from "../doubles/cli.ts";
import { type RunningRegistry, startRegistry } from "../doubles/docker-registry.ts";
import { startFaultProxy } from "../doubles/fault-proxy.ts";
import { makeImage } from "../doubles/images.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";

const size = 2_000_000;
const half = 1_200_000;
let real: RunningRegistry;
let blobBytes = 0;
/** The only layer: stored as it is, so that its digest is the tar's. */
let layer: Digest;

test.before(async () => {
  await bundled();
  real = await startRegistry();
  const from = new MemoryBlobs();
  const image = await makeImage(from, {
    layers: [{ name: "a", content: Buffer.alloc(size, "a layer ") }],
    compression: "none",
  });
  layer = [...from.content].find(([, { length }]) => length > size)?.[0] as Digest;
  await using client = openRegistry({ userAgent: "wbuild-test/1", warn() {} });
  await pushImage(client, image, parseReference(`${real.host}/team/app:v1`), from);
  blobBytes = [...from.content].reduce((sum, [digest, { length }]) => sum + (digest === image.digest ? 0 : length), 0);
});
test.after.always(() => real?.close());

const ends: [title: string, signal: NodeJS.Signals, ...flags: string[]][] = [
  ["kill -9", "SIGKILL"],
  ["kill -9 while its layers were unpacked", "SIGKILL", "--unpack"],
  ["^C while its layers were unpacked", "SIGINT", "--unpack"],
  ["^C", "SIGINT"],
  ["a polite end", "SIGTERM"],
];
for (const [title, signal, ...flags] of ends)
  test(`a pull that was ended by ${title} goes on where it was`, async (t) => {
    const home = mkdtempSync(join(tmpdir(), "wbuild-killed-"));
    t.teardown(() => rmSync(home, { recursive: true, force: true }));
    const proxy = await startFaultProxy(real.host);
    t.teardown(() => proxy[Symbol.asyncDispose]());
    // The layer alone is larger than this; the configuration passes whole.
    proxy.rules.push({ on: "GET /blobs/", fault: { kind: "stall", at: half }, times: 2 });
    const env = { PATH: process.env.PATH ?? "", HOME: home, WBUILD_HOME: home };
    const pull = ["pull", ...flags, `${proxy.host}/team/app:v1`];
    const child = spawn(process.execPath, [program, ...pull], { env, stdio: "ignore" });
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    t.teardown(() => child.kill("SIGKILL"));
    await partOf(t, home, 1_000_000);
    child.kill(signal);
    await ended;
    proxy.rules.length = 0;
    const again = await runCli(pull, { env });
    t.is(again.code, 0, again.stderr);
    // The configuration is looked at before any layer, and so came twice.
    // What waited for a write of half a megabyte may be gone; a beginning anew would cost 1.2 MB.
    t.true(proxy.received < blobBytes + 524_288 + 10_000, `${proxy.received} of ${blobBytes}`);
    using store = openStore(home, { upkeep: false });
    t.deepEqual((await store.verify()).corrupt, []);
    t.deepEqual(await partsIn(home), []);
    const unpacked = store.snapshots.find(layer);
    t.is(unpacked !== undefined, flags.length > 0);
    if (unpacked) t.is((await stat(join(unpacked.folder, "a"))).size, size);
  });

const partsIn = async (home: string) => {
  const folder = join(home, "store-v1", "temp");
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith(".part")).map((name) => join(folder, name));
};

/** Waits for a kept part of so many bytes. */
async function partOf(t: ExecutionContext, home: string, bytes: number): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await pause(5)) {
    for (const path of await partsIn(home)) if (((await stat(path).catch(() => undefined))?.size ?? 0) >= bytes) return;
  }
  t.fail("no part of the layer arrived");
}
