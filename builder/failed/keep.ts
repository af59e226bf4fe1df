/** The files of a failed step as an image of the store: with its variables, user and folder, for `wbuild run`. */
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import type { ContainerConfig } from "../../registry/oci/image.ts";
import { formatReference, parseReference } from "../../registry/reference.ts";
import { platformBelow } from "../graph/bottom.ts";
import { writeImage } from "../image/output/write-image.ts";
import { hostPlatform } from "../image/platform.ts";
import type { StackLayer } from "../steps/stack.ts";
import type { FailedStep } from "../steps/step.ts";

export interface KeptImage {
  /** Digest of its configuration. */
  readonly id: Digest;
  /** As people write it. */
  readonly name: string;
}

/** Throws REG_NAME for a name that is none, and what fetching layers throws. */
export async function keepImage(failed: FailedStep, name: string, store: Store): Promise<KeptImage> {
  const parsed = parseReference(name);
  const { stack } = failed;
  await stack.folders();
  for (const layer of stack.layers) await keepBlob(layer, store);
  const layers: Layer[] = await Promise.all(stack.layers.map(({ committed }) => committed));
  const { os: _, ...platform } = platformBelow(failed.node) ?? hostPlatform();
  const written = await writeImage(store.blobs, {
    config: {
      os: stack.os,
      ...platform,
      created: new Date().toISOString(),
      config: configOf(failed),
    },
    layers,
  });
  store.refs.set(formatReference(parsed), written.descriptor, written.keeps);
  return { id: written.manifest.config.digest, name: formatReference(parsed, { familiar: true }) };
}

/** A layer that was unpacked before, from another compression of it, needed no blob for that: an image does. */
async function keepBlob({ remote, committed }: StackLayer, store: Store): Promise<void> {
  const { blob } = await committed;
  if (remote === undefined || (await store.blobs.has(blob.digest)) === blob.size) return;
  const source = await remote.lasting?.();
  if (source === undefined) await remote.fetch();
  else store.sources.note(blob.digest, source);
}

/** Attack: the values of secrets and proxies, which the step may have had as variables, would stay in the image. */
function configOf({ node, stack }: FailedStep): ContainerConfig {
  const shell = stack.os === "windows" ? ["cmd"] : ["/bin/sh"];
  if (node.op.kind !== "run") return { Cmd: shell };
  const { env, cwd, user } = node.op;
  return { Env: env, WorkingDir: cwd, ...(user === "" ? {} : { User: user }), Cmd: shell };
}
