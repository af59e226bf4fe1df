/** Images between a registry and the store, under their names: what `pull` and `push` do. */
import type { Descriptor, Layer, Platform } from "../../../layerfs/store/descriptor.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import type { ConnectionException } from "../../../layerfs/store/sources.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import type { RegistryClient } from "../../../registry/client.ts";
import { formatReference, parseReference, type Reference } from "../../../registry/reference.ts";
import type { Report } from "../../progress/events.ts";
import { choosePlatform, chooseUsual, formatPlatform, hostPlatform, platformMatches, platformOf } from "../platform.ts";
import { repositoriesWith, sourceOf } from "../stored/left-layers.ts";
import { everyImage, findImage, type LocalImage } from "../stored/local.ts";
import { toldAsStep, warnLeftOut } from "../told-step.ts";
import { bringerOf } from "./bring-images.ts";

export interface TransferOptions {
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** An image's layers, bottom first, before they are here. */
export interface Coming {
  readonly os: string;
  readonly layers: readonly Layer[];
  /** Brings one into the store. Throws as fetchBlob. */
  readonly fetch: (blob: Descriptor, signal: AbortSignal) => Promise<void>;
}

export interface PullIntoOptions extends TransferOptions {
  readonly platform?: Platform;
  readonly lazy?: boolean;
  /** Has every layer fetched, and does more with them on their way. */
  readonly bring?: (coming: Coming) => Promise<void>;
  /** What the client was allowed of its connection, so that layers which stay there can be fetched later. */
  readonly exception?: ConnectionException | undefined;
}

/**
 * Fetches the image for a platform (else this host's, else Windows') and points its name at it. Content is stored byte for byte.
 * With `lazy` its layers stay where they are until somebody needs them. Throws REG_*.
 */
export async function pullInto(
  store: Store,
  client: RegistryClient,
  text: string,
  options: PullIntoOptions,
): Promise<LocalImage> {
  const reference = parseReference(text);
  const name = formatReference(reference);
  const platform = options.platform ?? hostPlatform();
  const { fetchBlob, pullImage } = await import("../../../registry/pull.ts");
  return toldAsStep(
    options.report,
    `pull ${formatReference(reference, { familiar: true })} (${formatPlatform(platform)})`,
    async (onProgress) => {
      const pulled = await pullImage(client, reference, store.blobs, {
        choose: (manifests) => (options.platform ? choosePlatform(manifests, platform) : chooseUsual(manifests)),
        signal: options.signal,
        onProgress,
        ...(options.lazy || options.bring ? { lazy: true } : {}),
      });
      const repository = client.repository(reference);
      const fetch = (blob: Descriptor, signal: AbortSignal) =>
        fetchBlob(repository, blob, store.blobs, { signal, onProgress });
      await options.bring?.({ layers: pulled.layers, os: pulled.config.os, fetch });
      const source = sourceOf(name, options.exception);
      for (const { blob } of options.lazy ? pulled.layers : [])
        if (source && (await store.blobs.has(blob.digest)) !== blob.size) store.sources.note(blob.digest, source);
      const keeps = [pulled.manifest.config.digest, ...pulled.layers.map((layer) => layer.blob.digest)];
      store.refs.set(name, pulled.descriptor, keeps);
      const image = await findImage(store, name);
      // Where the registry has one image and no index there is nothing to choose.
      if (options.platform && !platformMatches(platformOf(image.config), platform)) {
        const made = formatPlatform(platformOf(image.config));
        const text = `the registry has this image for ${made} alone, not for ${formatPlatform(platform)}`;
        options.report({ kind: "warning", text, at: Date.now() });
      }
      return image;
    },
  );
}

/** The same for all that a name means: an index with the images for all platforms, and what is said about them. Throws REG_*. */
export async function pullEvery(
  store: Store,
  client: RegistryClient,
  text: string,
  { report, signal }: TransferOptions,
): Promise<{ readonly name: string; readonly descriptor: Descriptor }> {
  const reference = parseReference(text);
  const [name, shown] = [formatReference(reference), formatReference(reference, { familiar: true })];
  const { copyImage } = await import("../../../registry/copy/copy.ts");
  const { remoteSource } = await import("../../../registry/copy/remote.ts");
  const { storeTarget } = await import("../../../registry/copy/stored.ts");
  return toldAsStep(report, `pull ${shown} (all platforms)`, async (onProgress) => {
    const target = storeTarget(store.blobs, name, (whole, keeps) => store.refs.set(name, whole, keeps));
    // Like every pull: what only its maker may serve is fetched from there.
    const options = { allowNondistributable: true, onProgress, signal };
    const { descriptor } = await copyImage(remoteSource(client, reference), target, options);
    return { name, descriptor };
  });
}

/**
 * Sends the image or index of this name, or of an index the one image for a platform, to its registry. Other repositories there that hold its layers serve as their source.
 * Foreign layers are left out, and that is told, unless `allowNondistributable` is set.
 */
export async function pushFrom(
  store: Store,
  client: RegistryClient,
  text: string,
  options: TransferOptions & { readonly allowNondistributable?: boolean; readonly platform?: Platform },
): Promise<LocalImage> {
  const image = await findImage(store, text, options.platform);
  const reference = parseReference(image.name ?? text);
  const { pushImage } = await import("../../../registry/push.ts");
  const { signal } = options;
  const bring = await bringerOf(await everyImage(store, image), { store, registry: async () => client, signal });
  const others = siblings(store, reference);
  return toldAsStep(options.report, `push ${formatReference(reference, { familiar: true })}`, async (onProgress) => {
    const result = await pushImage(client, image.whole, reference, store.blobs, {
      mountFrom: (digest) => [...new Set([...repositoriesWith(store, digest, reference.registry), ...others(digest)])],
      ...(bring === undefined ? {} : { bring }),
      allowNondistributable: options.allowNondistributable === true,
      signal: options.signal,
      onProgress,
    });
    warnLeftOut(options.report, result);
    return image;
  });
}

/** Repositories of the same registry whose images, as this store knows them, hold a blob. */
function siblings(store: Store, target: Reference): (digest: Digest) => readonly string[] {
  const holders = new Map<string, Set<string>>();
  for (const ref of store.refs.list()) {
    if (!ref.name.startsWith(`${target.registry}/`)) continue;
    const { repository } = parseReference(ref.name);
    if (repository === target.repository) continue;
    for (const digest of ref.keeps) holders.set(digest, (holders.get(digest) ?? new Set()).add(repository));
  }
  return (digest) => [...(holders.get(digest) ?? [])];
}
