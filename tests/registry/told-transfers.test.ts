/** What transfers tell of blobs whose bytes need not move. */
import test from "ava";
import { copyImage } from "../../registry/copy/copy.ts";
import { remoteSource, remoteTarget } from "../../registry/copy/remote.ts";
import { pullImage } from "../../registry/pull.ts";
import { pushImage } from "../../registry/push.ts";
import { parseReference } from "../../registry/reference.ts";
import type { TransferProgress } from "../../registry/side-by-side.ts";
import { makeImage } from "../doubles/images.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { clientFor } from "../doubles/registry-client.ts";
import { registryPair } from "../doubles/registry-pair.ts";

const { near } = await registryPair();

function listener() {
  const told = new Map<string, string | undefined>();
  return { told, onProgress: ({ label, note }: TransferProgress) => void told.set(label, note) };
}

test("a push, a copy and a pull say of each blob whether it was sent, mounted and from where, or already there", async (t) => {
  const client = clientFor(t);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const at = (name: string) => parseReference(`${near.host}/${name}:1`);
  const notes = async (work: (onProgress: (event: TransferProgress) => void) => Promise<unknown>) => {
    const { told, onProgress } = listener();
    await work(onProgress);
    t.is(told.size, 2, "the layer and the configuration");
    return [...new Set(told.values())];
  };
  const push = (name: string, mountFrom: string[] = []) =>
    notes((onProgress) => pushImage(client, image, at(name), ours, { mountFrom: () => mountFrom, onProgress }));
  t.deepEqual(await push("told/one"), [undefined]);
  t.deepEqual(await push("told/one"), ["already there"]);
  t.deepEqual(await push("told/two", ["told/nobody", "told/one"]), ["mounted from told/one"]);
  const copied = await notes((onProgress) =>
    copyImage(remoteSource(client, at("told/two")), remoteTarget(client, at("told/three")), { onProgress }),
  );
  t.deepEqual(copied, ["mounted from told/two"]);
  const { told, onProgress } = listener();
  await pullImage(client, at("told/one"), ours, { choose: () => undefined, onProgress });
  t.deepEqual([...told.values()], ["already there"]);
});
