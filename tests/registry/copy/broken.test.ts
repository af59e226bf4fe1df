/** Copies over connections that break on either side: they go on where they broke, and wrong bytes never arrive. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { isWbuildError } from "../../../native/error.ts";
import { tarFileSink } from "../../../registry/archive/sink.ts";
import { ociArchiveTarget } from "../../../registry/copy/archive.ts";
import { copyImage } from "../../../registry/copy/copy.ts";
import { remoteSource, remoteTarget } from "../../../registry/copy/remote.ts";
import { pushImage } from "../../../registry/push.ts";
import { parseReference } from "../../../registry/reference.ts";
import { type Rule, startFaultProxy } from "../../doubles/fault-proxy.ts";
import { makeImage } from "../../doubles/images.ts";
import { MemoryBlobs } from "../../doubles/memory-blobs.ts";
import { clientFor } from "../../doubles/registry-client.ts";
import { registryPair } from "../../doubles/registry-pair.ts";

const { near, far } = await registryPair();

/** One layer of some megabytes that nothing compresses, at `near`. */
async function scene(t: ExecutionContext, name: string) {
  const client = clientFor(t);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours, {
    compression: "none",
    layers: [{ name: "big", content: randomBytes(8_000_000) }],
  });
  await pushImage(client, image, parseReference(`${near.host}/${name}:1`), ours);
  const [source, target] = [await startFaultProxy(near.host), await startFaultProxy(far.host)];
  t.teardown(() => Promise.all([source, target].map((proxy) => proxy[Symbol.asyncDispose]())));
  const copy = () =>
    copyImage(
      remoteSource(client, parseReference(`${source.host}/${name}:1`)),
      remoteTarget(client, parseReference(`${target.host}/${name}:1`)),
    );
  return { client, image, source, target, copy };
}

const size = 8_000_000;
const faults: [what: string, side: "source" | "target", rule: Rule][] = [
  [
    "the source breaks off in the middle",
    "source",
    { on: "GET /blobs/", fault: { kind: "cut answer", at: 5_000_000 } },
  ],
  ["the source ends too early", "source", { on: "GET /blobs/", fault: { kind: "shorten", at: 3_000_000 } }],
  ["the source is overloaded", "source", { on: "GET /blobs/", fault: { kind: "answer", status: 503 }, times: 2 }],
  [
    "the target breaks off in the middle",
    "target",
    { on: "PUT /blobs/", fault: { kind: "cut request", at: 5_000_000 } },
  ],
  ["the target's answer is lost", "target", { on: "PUT /manifests/", fault: { kind: "cut answer", at: -1 } }],
  [
    "the target is overloaded",
    "target",
    { on: "POST /blobs/uploads", fault: { kind: "answer", status: 503 }, times: 2 },
  ],
];
for (const [what, side, rule] of faults)
  test(`${what}: the copy is whole`, async (t) => {
    const { client, image, copy, ...proxies } = await scene(
      t,
      `broken/${faults.findIndex(([other]) => other === what)}`,
    );
    proxies[side].rules.push({ ...rule });
    t.is((await copy()).descriptor.digest, image.digest);
    t.is(proxies[side].rules[0]?.times ?? 1, 0, "the fault has happened");
    // This registry forgets an upload that breaks, and how much had been read ahead by then depends on the machine.
    const most = side === "source" ? 1.8 : 2.1;
    t.true(proxies.source.received < size * most, `read ${proxies.source.received} bytes of ${size}`);
    const there = client.repository(
      parseReference(`${far.host}/broken/${faults.findIndex(([other]) => other === what)}`),
    );
    t.is((await there.resolve("1")).digest, image.digest);
  });

test("bytes that something changes on the way from the source are not stored at the target", async (t) => {
  const { source, copy, client, image } = await scene(t, "broken/changed");
  const change = (body: Buffer) => Buffer.from(body.map((byte) => byte ^ 1));
  source.rules.push({ on: "GET /blobs/", fault: { kind: "change", how: change }, times: 99 });
  const error = await t.throwsAsync(copy());
  t.true(isWbuildError(error, "REG_DIGEST_MISMATCH"), String(error));
  const there = client.repository(parseReference(`${far.host}/broken/changed`));
  await t.throwsAsync(there.resolve(image.digest), { code: "REG_NOT_FOUND" } as object);
});

const lasting: [what: string, side: "source" | "target", on: string, doing: string][] = [
  ["gives no blob", "source", "GET /blobs/", "fetch blob sha256:\\w+"],
  ["opens no upload", "target", "POST /blobs/uploads", "start an upload"],
  ["takes no blob", "target", "PUT /blobs/", "push blob sha256:\\w+"],
];
for (const [what, side, on, doing] of lasting)
  test(`the ${side} ${what}, for good: the error names it, and nothing has a name at the target`, async (t) => {
    const name = `broken/for-good-${what.replaceAll(" ", "-")}`;
    const { client, image, copy, ...proxies } = await scene(t, name);
    proxies[side].rules.push({ on, fault: { kind: "answer", status: 503 }, times: 999 });
    const error = await t.throwsAsync(copy(), { code: "REG_UNAVAILABLE" } as object);
    t.regex(String(error), new RegExp(`cannot ${doing} at ${proxies[side].host}/${name}: HTTP 503`));
    await t.throwsAsync(client.repository(parseReference(`${far.host}/${name}`)).resolve(image.digest), {
      code: "REG_NOT_FOUND",
    } as object);
    // Of the layer and the configuration each has as many attempts as everything else, and no more in any way.
    const [method, part = ""] = on.split(" ");
    const refused = proxies[side].requests.filter((one) => one.startsWith(`${method} `) && one.includes(part));
    t.true(refused.length >= 5 && refused.length <= 2 * 5, `${refused.length} requests`);
  });

test("a copy into an archive that is given up while its source stalls ends at once and leaves no file", async (t) => {
  const { source, client } = await scene(t, "broken/stalled");
  const folder = mkdtempSync(join(tmpdir(), "wbuild-copy-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const giveUp = new AbortController();
  const reached = () => giveUp.abort(new Error("enough"));
  // Only the layer is that long.
  source.rules.push({ on: "GET /blobs/", fault: { kind: "stall", at: 4_000_000, reached }, times: 2 });
  const path = join(folder, "x.tar");
  const copying = copyImage(
    remoteSource(client, parseReference(`${source.host}/broken/stalled:1`)),
    ociArchiveTarget(await tarFileSink(path), path),
    { signal: giveUp.signal },
  );
  await t.throwsAsync(copying, { message: "enough" });
  t.deepEqual(readdirSync(folder), []);
});
