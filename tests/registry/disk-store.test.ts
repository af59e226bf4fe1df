/** The store on disk as source and target: what is pulled, pushed, saved and loaded is the same, and wrong content stays out. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { openStore } from "../../layerfs/store/store.ts";
import { loadArchive } from "../../registry/archive/load.ts";
import { saveImages } from "../../registry/archive/save.ts";
import { fetchBlob, pullImage } from "../../registry/pull.ts";
import { pushImage } from "../../registry/push.ts";
import { parseReference } from "../../registry/reference.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { startFake } from "../doubles/fake-registry.ts";
import { makeImage } from "../doubles/images.ts";
import { anonymousClient } from "../doubles/registry-client.ts";

test("through a registry and an archive from store to store: the same bytes; wrong bytes are not kept", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "wbuild-disk-"));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const stores = ["a", "b", "c"].map((name) => openStore(join(dir, name), { upkeep: false }));
  t.teardown(() => stores.forEach((store) => void store[Symbol.dispose]()));
  const [a, b, c] = stores.map((store) => store.blobs);
  if (!a || !b || !c) throw new Error("three stores");
  const layers = ["x", "y", "z"].map((name) => ({ name, content: name.repeat(700_000) }));
  const image = await makeImage(a, { layers });

  await using registry = await startRegistry();
  await using client = anonymousClient();
  const reference = parseReference(`${registry.host}/disk/app:1`);
  const events: string[] = [];
  await pushImage(client, image, reference, a);
  const pulled = await pullImage(client, reference, b, {
    choose: () => undefined,
    onProgress: ({ digest, done, total }) => done === total && events.push(digest),
  });
  t.is(pulled.descriptor.digest, image.digest);
  t.is(new Set(events).size, 3, "each layer's progress ends at its size");
  // What is there is not fetched again: the registry may even be gone.
  await registry.close();
  for (const { blob } of pulled.layers) await fetchBlob(client.repository(reference), blob, b);

  const path = join(dir, "image.tar");
  await saveImages([{ descriptor: image, refs: [] }], b, { to: { path }, format: "oci", tar: true });
  for (const round of [1, 2])
    t.is((await loadArchive({ path }, c))[0]?.descriptor.digest, image.digest, `round ${round}`);

  const [layer] = pulled.layers;
  if (!layer) throw new Error("a layer");
  await using liar = await startFake((_request, response) => void response.end(Buffer.alloc(layer.blob.size, 1)));
  const empty = openStore(join(dir, "d"), { upkeep: false });
  t.teardown(() => empty[Symbol.dispose]());
  const repository = client.repository(parseReference(`${liar.host}/lie`));
  await t.throwsAsync(fetchBlob(repository, layer.blob, empty.blobs), { code: "REG_DIGEST_MISMATCH" } as object);
  t.is(await empty.blobs.has(layer.blob.digest), undefined);
});
