/** `wbuild base linux`: an offline base image from this host's busybox. Same ingredients, same bytes. */
import { readFile } from "node:fs/promises";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { hostPlatform } from "../image/platform.ts";
import { findBusybox } from "./busybox.ts";
import { skeleton } from "./skeleton.ts";

export const linuxBaseName = "wbuild.local/linux:latest";

export interface LinuxBaseOptions {
  /** Full name that will point at the image; linuxBaseName when absent. */
  readonly name?: string;
  /** Seconds since 1970 for every file and for the image; 0 when absent. */
  readonly epochSeconds?: number;
  /** Where to look for a static busybox, and for the authorities' certificates. */
  readonly busybox?: readonly string[];
  readonly certificates?: string;
}

/**
 * Makes the image, stores it and points the name at it. Throws IMG_NO_BUSYBOX, and what the store throws.
 * Everything is the host's own and root's in the image; no name, id or time of the host gets in.
 */
export async function makeLinuxBase(store: Store, options: LinuxBaseOptions = {}): Promise<Descriptor> {
  const epochSeconds = options.epochSeconds ?? 0;
  const busybox = await findBusybox(options.busybox);
  const certificates = await readFile(options.certificates ?? "/etc/ssl/certs/ca-certificates.crt").catch(
    () => undefined,
  );
  const changes = skeleton({
    busybox: busybox.bytes,
    version: busybox.version,
    applets: busybox.applets,
    ...(certificates ? { certificates } : {}),
    epochSeconds,
  });
  const [{ writeLayer }, { writeImage }] = await Promise.all([
    import("../../layerfs/layer/write.ts"),
    import("../image/write-image.ts"),
  ]);
  using _lease = store.lease();
  const written = await writeLayer(changes, store.blobs, {
    compression: "zstd",
    mediaTypes: "oci",
    fileDigests: false,
  });
  store.layers.record(written.layer, { uncompressedSize: written.uncompressedSize, index: written.index });
  const created = new Date(epochSeconds * 1000).toISOString();
  const image = await writeImage(store.blobs, {
    config: {
      created,
      ...hostPlatform(),
      config: {
        Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        Cmd: ["sh"],
      },
      history: [{ created, created_by: "wbuild base linux", comment: busybox.version }],
    },
    layers: [written.layer],
  });
  store.refs.set(options.name ?? linuxBaseName, image.descriptor, image.keeps);
  return image.descriptor;
}
