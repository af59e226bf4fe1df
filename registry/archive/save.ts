/** Images from a store to an archive: an OCI layout, or the same with what `docker load` wants; as tar or as folder. */

import { join } from "node:path";
import type { Writable } from "node:stream";
import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import { isForeign, type Manifest, mediaTypes } from "../oci/image.ts";
import { isIndexType, isManifestType, maxManifestBytes, parseIndex, parseManifest } from "../oci/schema.ts";
import type { Choose } from "../pull.ts";
import { type ImageParts, writeDockerManifest, writeRepositories } from "./docker-archive.ts";
import { blobPath, layoutContent, layoutFile, type NamedImage, writeLayoutIndex } from "./layout.ts";
import { fileBytes } from "./members.ts";
import { folderSink, type Sink, tarFileSink, tarStreamSink } from "./sink.ts";

export interface SaveTarget {
  /** A file for a tar, a folder otherwise; or a stream for a tar, which stays open. */
  readonly to: { readonly path: string } | { readonly stream: Writable };
  readonly format: "oci" | "docker";
  readonly tar: boolean;
}

export interface SaveOptions {
  /**
   * Makes a layer that docker archives can hold (gzip) from one that they cannot (zstd). Needed for those only.
   * The bytes are read once, and must be what the descriptor says.
   */
  readonly transcodeLayer?: (
    layer: Descriptor,
  ) => Promise<{ descriptor: Descriptor; bytes: AsyncIterable<Uint8Array> }>;
  /** Picks one image of an index for docker archives, which hold one platform. */
  readonly choose?: Choose;
}

/** Throws REG_ARCHIVE_TARGET (cannot write there), REG_ARCHIVE_FORMAT (the format cannot hold it), REG_INCOMPLETE. */
export async function saveImages(
  images: readonly NamedImage[],
  from: BlobStore,
  target: SaveTarget,
  options: SaveOptions = {},
): Promise<void> {
  const { to, format, tar } = target;
  const folder = "path" in to && !tar ? to.path : undefined;
  if ("stream" in to && !tar) throw new TypeError("a folder needs a path");
  const sink = "stream" in to ? await tarStreamSink(to.stream) : await (tar ? tarFileSink : folderSink)(to.path);
  try {
    const work = new Saving(sink, from, format, options);
    await sink.add(layoutFile, layoutContent.length, Buffer.from(layoutContent));
    const entries: NamedImage[] = [];
    for (const { descriptor, refs } of images)
      entries.push({ descriptor: await work.image(descriptor, refs, 0), refs });
    // In a folder the index comes after the blobs that it names, so that no reader ever finds less than it says.
    const others = folder === undefined ? [] : await entriesOf(folder);
    const files: [string, string][] = [["index.json", writeLayoutIndex(entries, others)]];
    if (format === "docker")
      files.push(["manifest.json", writeDockerManifest(work.parts)], ["repositories", writeRepositories(work.parts)]);
    for (const [name, text] of files) await sink.add(name, Buffer.byteLength(text), Buffer.from(text));
    await sink.finish();
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

class Saving {
  /** For manifest.json. */
  readonly parts: ImageParts[] = [];
  readonly #sink: Sink;
  readonly #from: BlobStore;
  readonly #format: "oci" | "docker";
  readonly #options: SaveOptions;
  readonly #written = new Set<string>();
  readonly #transcoded = new Map<string, Descriptor>();

  constructor(sink: Sink, from: BlobStore, format: "oci" | "docker", options: SaveOptions) {
    this.#sink = sink;
    this.#from = from;
    this.#format = format;
    this.#options = options;
  }

  /** Writes an image or index with all that it names; says what it is called in the archive. */
  async image(descriptor: Descriptor, refs: readonly string[], depth: number): Promise<Descriptor> {
    const bytes = await this.#read(descriptor);
    if (isIndexType(descriptor.mediaType) && depth < 3) {
      const { manifests } = parseIndex(bytes, descriptor.mediaType);
      if (this.#format === "docker") return this.image(this.#one(manifests), refs, depth + 1);
      for (const child of manifests) await this.image(child, [], depth + 1);
    } else if (isManifestType(descriptor.mediaType)) {
      return this.#manifest(descriptor, bytes, refs);
    } else {
      throw new WbuildError("REG_ARCHIVE_FORMAT", `cannot save a ${descriptor.mediaType.slice(0, 100)}`);
    }
    await this.#write(descriptor, bytes);
    return descriptor;
  }

  async #manifest(descriptor: Descriptor, bytes: Uint8Array, refs: readonly string[]): Promise<Descriptor> {
    const manifest = parseManifest(bytes, descriptor.mediaType);
    const layers: Descriptor[] = [];
    for (const layer of manifest.layers) layers.push(await this.#layer(layer));
    await this.#copy(manifest.config);
    this.parts.push({ config: manifest.config, layers, refs });
    const isChanged = layers.some(({ digest }, i) => digest !== manifest.layers[i]?.digest);
    const [named, content] = isChanged ? rewritten(manifest, layers, descriptor) : [descriptor, bytes];
    await this.#write(named, content);
    return named;
  }

  async #layer(layer: Descriptor): Promise<Descriptor> {
    const isZstd = layer.mediaType.endsWith("zstd");
    // A layout may do without a foreign layer's bytes: its descriptor says where they are.
    if (this.#format === "oci" && isForeign(layer) && (await this.#from.has(layer.digest)) === undefined) return layer;
    if (this.#format === "oci" || !isZstd) {
      await this.#copy(layer);
      return layer;
    }
    const known = this.#transcoded.get(layer.digest);
    if (known) return known;
    if (!this.#options.transcodeLayer)
      throw new WbuildError("REG_ARCHIVE_FORMAT", "docker archives cannot hold layers compressed with zstd", {
        facts: { digest: layer.digest },
        hint: "save as an OCI layout",
      });
    const { descriptor, bytes } = await this.#options.transcodeLayer(layer);
    await this.#write(descriptor, bytes);
    this.#transcoded.set(layer.digest, descriptor);
    return descriptor;
  }

  #one(manifests: readonly Descriptor[]): Descriptor {
    const choice = manifests.length === 1 ? manifests[0] : this.#options.choose?.(manifests);
    if (choice) return choice;
    throw new WbuildError("REG_ARCHIVE_FORMAT", "docker archives hold one platform, and the image has several", {
      hint: "choose one with --platform, or save as an OCI layout",
    });
  }

  async #copy(blob: Descriptor): Promise<void> {
    if (this.#written.has(blob.digest)) return;
    await this.#require(blob);
    await this.#write(blob, this.#from.open(blob));
  }

  async #write(blob: Descriptor, bytes: AsyncIterable<Uint8Array> | Uint8Array): Promise<void> {
    if (this.#written.has(blob.digest)) return;
    this.#written.add(blob.digest);
    await this.#sink.add(blobPath(blob), blob.size, bytes);
  }

  async #read(blob: Descriptor): Promise<Uint8Array> {
    await this.#require(blob);
    if (blob.size > maxManifestBytes) throw new WbuildError("REG_MANIFEST", `manifest ${blob.digest} is too large`);
    const parts: Uint8Array[] = [];
    for await (const part of this.#from.open(blob)) parts.push(part);
    return Buffer.concat(parts);
  }

  async #require({ digest }: Descriptor): Promise<void> {
    if ((await this.#from.has(digest)) !== undefined) return;
    throw new WbuildError("REG_INCOMPLETE", `blob ${digest} of the image is not in the store`, {
      facts: { digest },
      hint: "pull or build the image again",
    });
  }
}

/** The same image with other layers: its configuration, and so its id, stay. */
function rewritten(manifest: Manifest, layers: readonly Descriptor[], old: Descriptor): [Descriptor, Uint8Array] {
  const bytes = Buffer.from(JSON.stringify({ ...manifest, mediaType: mediaTypes.ociManifest, layers }));
  const { platform } = old;
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf(bytes), size: bytes.length };
  return [{ ...descriptor, ...(platform ? { platform } : {}) }, bytes];
}

/** What a layout folder already names. */
async function entriesOf(folder: string): Promise<readonly Descriptor[]> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of fileBytes(join(folder, "index.json"))) parts.push(part);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return parseIndex(Buffer.concat(parts), mediaTypes.ociIndex).manifests;
}
