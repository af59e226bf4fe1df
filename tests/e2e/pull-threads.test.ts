/** Who does the work of a pull: threads beside the main one, for several layers at once. */
import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { makeImage, type SampleOptions } from "../doubles/images.ts";
import { onLoopback } from "../doubles/loopback.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { ok } from "./registry-shop.ts";
import { scene } from "./scene.ts";

/** Serves an image as `app:1`. `give` answers for a blob. */
async function serving(
  t: ExecutionContext,
  options: SampleOptions,
  give: (response: ServerResponse, bytes: Uint8Array, which: number) => unknown = (response, bytes) =>
    response.end(bytes),
) {
  const blobs = new MemoryBlobs();
  const { digest, mediaType } = await makeImage(blobs, options);
  const manifest: { layers: { digest: string }[] } = JSON.parse(String(blobs.content.get(digest)));
  const server = createServer(({ url: path = "", method }, response) => {
    const name = path.includes("/manifests/") ? digest : path.split("/").at(-1);
    const bytes = [...blobs.content].find(([known]) => known === name)?.[1];
    if (path === "/v2/" || !bytes) return void response.writeHead(path === "/v2/" ? 200 : 404).end();
    const type = name === digest ? mediaType : "application/octet-stream";
    response.writeHead(200, { "content-length": bytes.length, "content-type": type });
    if (method === "HEAD") response.end();
    else
      give(
        response,
        bytes,
        manifest.layers.findIndex((layer) => layer.digest === name),
      );
  });
  const loopback = await onLoopback(server);
  t.teardown(() => loopback[Symbol.asyncDispose]());
  return `${loopback.host}/app:1`;
}

/** Writes down a process' time on CPUs in user mode when it ends, in milliseconds: of the main thread, and of all the others. */
const hook = `process.on("exit", () => {
  const { appendFileSync, readFileSync } = require("node:fs");
  const main = 10 * readFileSync("/proc/self/task/" + process.pid + "/stat", "utf8").split(") ")[1].split(" ")[11];
  appendFileSync(process.env.TIMES, JSON.stringify({ main, others: process.cpuUsage().user / 1000 - main }) + "\\n");
});`;

/** In Node's threads as well as ours. */
async function timesOf(t: ExecutionContext, layers: SampleOptions) {
  const app = await serving(t, layers);
  const s = await scene(t, { base: false });
  const [script, times] = [join(s.folder, "hook.cjs"), join(s.folder, "times")];
  await writeFile(script, hook);
  const env = { TIMES: times, NODE_OPTIONS: `--require=${script}` };
  const { code, stderr } = await s.wbuildWith({ env }, "pull", "--unpack", app);
  t.is(code, 0, stderr);
  await rm(join(s.folder, "home"), { recursive: true });
  const lines = (await readFile(times, "utf8")).trim().split("\n");
  return JSON.parse(lines.at(-1) ?? "") as { main: number; others: number };
}

test.serial("layers are verified, decompressed and unpacked beside the main thread", async (t) => {
  const nothing = { layers: [{ name: "small", content: "x" }] };
  await timesOf(t, nothing);
  const start = await timesOf(t, nothing);
  // What is hashed twice, as it came and as what it is; and what comes fast, so that decompressing it is nearly all there is.
  const block = randomBytes(1024 * 1024);
  const content = Buffer.concat(Array.from({ length: 160 }, () => block));
  const text = Buffer.alloc(content.length, "text, ");
  for (const [compression, bytes] of [
    ["none", content],
    ["zstd", text],
    ["gzip", text],
  ] as const) {
    const shares: string[] = [];
    let isBeside = false;
    // Were one of these the main thread's work, it would have as much as all others together, however often one looks.
    while (!isBeside && shares.length < 3) {
      const { main, others } = await timesOf(t, { compression, layers: [{ name: "large", content: bytes }] });
      const [mine, theirs] = [main - start.main, Math.round(others - start.others)];
      shares.push(`${mine} ms of the main thread, ${theirs} ms of others`);
      isBeside = mine < 0.6 * theirs;
    }
    t.true(isBeside, `${compression}: ${shares.join("; ")}`);
  }
});

for (const flags of [[], ["--unpack"]])
  test(`several layers are on their way at once: pull ${flags}`, async (t) => {
    const layers = ["a", "b", "c"].map((name) => ({ name, content: randomBytes(3_000_000) }));
    let whole = 0;
    let last = () => {};
    const othersCame = new Promise<void>((resolve) => {
      last = resolve;
    });
    // The lowest layer, which all others stand on, keeps its last byte until they have gone.
    const app = await serving(t, { layers }, (response, bytes, which) => {
      if (which < 0) return response.end(bytes);
      if (which > 0)
        return response.end(bytes).once("finish", () => {
          if (++whole === layers.length - 1) last();
        });
      response.write(bytes.subarray(0, -1));
      return othersCame.then(() => response.end(bytes.subarray(-1)));
    });
    const s = await scene(t, { base: false });
    await ok(t, s, "pull", ...flags, app);
    t.is(whole, layers.length - 1);
  });
