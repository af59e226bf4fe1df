/** Images of a docker archive that has no manifests of its own: from a configuration and layers to an OCI manifest. */
import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Descriptor, Layer } from "../../layerfs/store/descriptor.ts";
import { type Digest, digestOf } from "../../layerfs/store/digest.ts";
import { openDigester } from "../../layerfs/store/digester.ts";
import { WbuildError } from "../../native/error.ts";
import { mediaTypes } from "../oci/image.ts";
import { parseConfig } from "../oci/schema.ts";
import { sideBySide } from "../side-by-side.ts";
import type { ArchivedImage } from "./docker-archive.ts";
import { type Findings, followed, maxTextBytes, readBlob } from "./findings.ts";
import type { NamedImage } from "./layout.ts";
import { type Compression, compressionOf, type Decompress, damaged } from "./members.ts";

/** A stored layer → the same, compressed with gzip, in the same store. */
export type Compress = (layer: Layer) => Promise<Descriptor>;

interface DockerLoadOptions {
  readonly decompress?: Decompress;
  readonly compress?: Compress;
  readonly signal?: AbortSignal;
}

/** Makes the manifest that docker archives do not have. The configuration stays byte for byte: the image keeps its id. */
export async function fromDocker(
  image: ArchivedImage,
  found: Findings,
  into: BlobStore,
  options: DockerLoadOptions,
): Promise<NamedImage> {
  const configBytes = await configOf(image.config, found, into);
  const config = await into.put(configBytes, { mediaType: mediaTypes.ociConfig, digest: digestOf(configBytes) });
  const { diff_ids: diffIds } = parseConfig(configBytes).rootfs;
  if (diffIds.length !== image.layers.length)
    throw damaged(`its image has ${image.layers.length} layers, its configuration ${diffIds.length}`);
  const layers: Descriptor[] = [];
  // Codecs work on threads of their own.
  await sideBySide([...image.layers.entries()], 4, options.signal, async ([i, name]) => {
    const blob = found.blobs.get(followed(name, found));
    if (!blob) throw damaged(`it lacks the layer ${JSON.stringify(name.slice(0, 200))}`);
    layers[i] = await compressed({ blob, diffId: diffIds[i] as Digest }, into, options);
  });
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  const descriptor = await into.put(Buffer.from(JSON.stringify(manifest)), { mediaType: mediaTypes.ociManifest });
  return { descriptor, refs: image.refs };
}

async function configOf(name: string, found: Findings, into: BlobStore): Promise<Uint8Array> {
  const path = followed(name, found);
  const text = found.texts.get(path);
  const blob = found.blobs.get(path);
  if (!text && (!blob || blob.size > maxTextBytes))
    throw damaged(`it lacks the configuration ${JSON.stringify(name.slice(0, 200))}`);
  const bytes = text ?? (blob && (await readBlob(blob, into))) ?? new Uint8Array();
  const hex = /([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
  if (hex !== undefined && digestOf(bytes) !== `sha256:${hex}`)
    throw new WbuildError("REG_DIGEST_MISMATCH", `the archive's ${name.slice(0, 200)} is not what its name says`);
  return bytes;
}

async function compressed(layer: Layer, into: BlobStore, options: DockerLoadOptions): Promise<Descriptor> {
  const blob = await verified(layer.blob, layer.diffId, into, options.decompress);
  if (!options.compress || blob.mediaType !== mediaTypes.ociLayer) return blob;
  const { digest, size } = await options.compress({ ...layer, blob });
  return { mediaType: mediaTypes.ociLayerGzip, digest, size };
}

/** The layer with its media type, when its content is what the configuration says. */
async function verified(
  layer: Descriptor,
  diffId: Digest,
  into: BlobStore,
  decompress: Decompress | undefined,
): Promise<Descriptor> {
  const { digest, size } = layer;
  const compression = await sniffed(layer, into);
  if (compression === "xz" || compression === "bzip2")
    throw damaged(`its layer ${digest} is compressed with ${compression}`);
  const mediaType = { gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd, none: mediaTypes.ociLayer }[
    compression ?? "none"
  ];
  let content = digest;
  if (compression !== undefined) {
    if (!decompress) throw damaged(`its layers are compressed with ${compression}, which cannot be read here`);
    await using digester = openDigester(size);
    for await (const part of decompress(into.open(layer), compression)) await digester.update(part);
    content = await digester.digest();
  }
  if (content !== diffId)
    throw new WbuildError(
      "REG_DIGEST_MISMATCH",
      `the archive's layer ${digest} is not the one that its configuration names`,
      {
        facts: { expected: diffId, found: content },
        hint: "the archive is damaged; make it anew",
      },
    );
  return { mediaType, digest, size };
}

async function sniffed(blob: Descriptor, into: BlobStore): Promise<Compression | undefined> {
  const parts: Uint8Array[] = [];
  for await (const part of into.open(blob, { from: 0, to: Math.min(6, blob.size) })) parts.push(part);
  return compressionOf(Buffer.concat(parts));
}
