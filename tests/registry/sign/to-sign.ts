/** What the tests of a file sign: images in a registry of their own, and the client that speaks to it. */
import test from "ava";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import type { RegistryClient } from "../../../registry/client.ts";
import { pushImage } from "../../../registry/push.ts";
import { parseReference } from "../../../registry/reference.ts";
import type { Repository } from "../../../registry/repository.ts";
import { type RunningRegistry, startRegistry } from "../../doubles/docker-registry.ts";
import { makeImage, makeIndex } from "../../doubles/images.ts";
import { MemoryBlobs } from "../../doubles/memory-blobs.ts";
import { anonymousClient } from "../../doubles/registry-client.ts";

export interface ToSign {
  /** Is there when the tests run. */
  readonly registry: Pick<RunningRegistry, "host">;
  readonly client: RegistryClient;
  /** `HOST/name:1`, which no other name has the content of; with architectures an index of images for them. */
  pushed(name: string, architectures?: readonly string[]): Promise<[Repository, Descriptor]>;
}

/** Begins before the first test: of a file whose tests are all skipped no hook runs, so nothing would end it. */
export function imagesToSign(): ToSign {
  let started: RunningRegistry | undefined;
  const client = anonymousClient();
  test.before(async () => {
    started = await startRegistry();
  });
  test.after.always(async () => {
    await client.close();
    await started?.close();
  });
  const registry = {
    get host() {
      if (started === undefined) throw new Error("the registry starts before the first test");
      return started.host;
    },
  };
  return {
    registry,
    client,
    async pushed(name, architectures) {
      const blobs = new MemoryBlobs();
      const image = architectures
        ? await makeIndex(blobs, architectures)
        : await makeImage(blobs, { layers: [{ name: "who", content: name }] });
      const reference = parseReference(`${registry.host}/${name}:1`);
      await pushImage(client, image, reference, blobs);
      return [client.repository(reference), image];
    },
  };
}
