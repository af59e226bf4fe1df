/** `wbuild base linux`: a base image from a static busybox, this host's or a foreign one. Same ingredients, same bytes. */
import { readFile } from "node:fs/promises";
import type { Descriptor, Platform } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import type { WrittenImage } from "../image/output/write-image.ts";
import { formatPlatform, hostPlatform, normalizePlatform } from "../image/platform.ts";
import { type Busybox, findBusybox } from "./busybox.ts";
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
  /** For another architecture, and its busybox. */
  readonly foreign?: { readonly platform: Platform; readonly busybox: Busybox };
}

/**
 * Makes the image, stores it and points the name at it; images for other platforms under that name stay, in an index.
 * Throws IMG_NO_BUSYBOX, and what the store throws.
 * Everything is the host's own and root's in the image; no name, id or time of the host gets in.
 */
export async function makeLinuxBase(store: Store, options: LinuxBaseOptions = {}): Promise<Descriptor> {
  const epochSeconds = options.epochSeconds ?? 0;
  const busybox = options.foreign?.busybox ?? (await findBusybox(options.busybox));
  const platform = options.foreign?.platform ?? hostPlatform();
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
    import("../image/output/write-image.ts"),
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
      ...platform,
      config: {
        Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        Cmd: ["sh"],
      },
      history: [{ created, created_by: "wbuild base linux", comment: busybox.version }],
    },
    layers: [written.layer],
  });
  const name = options.name ?? linuxBaseName;
  const { descriptor, keeps } = await beside(store, name, image);
  store.refs.set(name, descriptor, keeps);
  return descriptor;
}

/** The image alone, or an index with those that the name has for other platforms. */
async function beside(store: Store, name: string, image: Pick<WrittenImage, "descriptor" | "keeps">) {
  const known = store.refs.get(name)?.descriptor;
  if (known === undefined) return image;
  const { imagesIn, keepsOf } = await import("../image/stored/stored-image.ts");
  const told = ({ platform }: Descriptor) => (platform ? formatPlatform(normalizePlatform(platform)) : "");
  const others = (await imagesIn(store, known).catch(() => [])).filter((one) => told(one) !== told(image.descriptor));
  if (others.length === 0) return image;
  const { writeIndex } = await import("../image/output/write-image.ts");
  // In one order, whichever was made first.
  const manifests = [...others, image.descriptor].sort((a, b) => (told(a) < told(b) ? -1 : 1));
  const descriptor = await writeIndex(store.blobs, { manifests });
  return { descriptor, keeps: [...(await keepsOf(store, descriptor)), ...image.keeps] };
}
