/** Layers that are sent while they are written, over connections that break. */
import { randomBytes } from "node:crypto";
import test from "ava";
import { earlyPush } from "../../../builder/deliver/early-push.ts";
import type { Node } from "../../../builder/graph/graph.ts";
import type { Layer } from "../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";
import { type Rule, startFaultProxy } from "../../doubles/fault-proxy.ts";
import { anonymousClient } from "../../doubles/registry-client.ts";
import { startSpecRegistry } from "../../doubles/spec-registry.ts";

const size = 8_000_000;
const node = { id: "n", inputs: [], op: { kind: "copy" } } as unknown as Node;

const cases: [title: string, rules: Rule[], outcome: { isThere: boolean; most: number; opened: number }][] = [
  ["nothing breaks", [], { isThere: true, most: size, opened: 0 }],
  [
    "it breaks in the middle",
    [{ on: "PATCH /up/", fault: { kind: "cut request", at: 5_000_000 } }],
    { isThere: true, most: 1.2 * size, opened: 1 },
  ],
  [
    "it breaks, and what goes on breaks, too",
    [
      { on: "PATCH /up/", fault: { kind: "cut request", at: 5_000_000 } },
      { on: "PATCH /up/", fault: { kind: "cut request", at: 2_000_000 } },
    ],
    { isThere: true, most: 1.4 * size, opened: 2 },
  ],
  [
    "the registry refuses it",
    [{ on: "PATCH /up/", fault: { kind: "answer", status: 403 } }],
    { isThere: false, most: size, opened: 0 },
  ],
];
for (const [title, rules, { isThere, most, opened }] of cases)
  test(`${title}: ${isThere ? "it is there when the layer is" : "it is left to the push itself"}`, async (t) => {
    await using registry = await startSpecRegistry();
    await using proxy = await startFaultProxy(registry.host);
    proxy.rules.push(...rules);
    await using client = anonymousClient({ retry: { attempts: 3, baseMs: 1, capMs: 1 } });
    const content = randomBytes(size);
    const blob = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(content), size };
    const starts: number[] = [];
    async function* bytes(from = 0) {
      for (let at = from; at < size; at += 100_000) yield content.subarray(at, at + 100_000);
    }
    const blobs = {
      open(_blob: unknown, { from = 0 } = {}) {
        starts.push(from);
        return bytes(from);
      },
    };
    const name = `${proxy.host}/team/app`;
    const works: Promise<unknown>[] = [];
    const tail = earlyPush(
      name,
      [node],
      async () => client,
      blobs,
      (work) => void works.push(work),
    );
    const layer: Layer = { blob, diffId: blob.digest };
    tail(node, bytes(), Promise.resolve(layer));
    t.is(works.length, 1);
    await Promise.all(works);
    t.is(registry.blobs.has(blob.digest), isThere);
    t.is(registry.uploads.size, 0);
    t.true(proxy.sent <= most, `${proxy.sent} bytes were sent`);
    t.is(starts.length, opened);
    t.true(starts.every((start) => start > 0));
  });

test("a node that is not in the image is not sent", (t) => {
  const works: unknown[] = [];
  const registryOf = () => Promise.reject(new Error("nobody is asked"));
  const tail = earlyPush("r.test/x", [node], registryOf, { open: () => [] as never }, (work) => void works.push(work));
  tail({ ...node, id: digestOf("other") }, [] as never, Promise.reject(new Error("unused")).catch(() => ({})) as never);
  t.deepEqual(works, []);
});
