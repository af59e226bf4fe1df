/** OCI image layout: index.json and oci-layout, read and written (OCI image specification, "Image Layout"). */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { hexOf } from "../../layerfs/store/digest.ts";
import { mediaTypes } from "../oci/image.ts";
import { isIndexType, isManifestType, parseIndex } from "../oci/schema.ts";
import { formatReference, parseReference } from "../reference.ts";

/** The name that an entry of index.json has inside its layout: a tag, or any text. */
export const refNameKey = "org.opencontainers.image.ref.name";
/** The image's full reference, as containerd and docker write it. */
export const imageNameKey = "io.containerd.image.name";

export const layoutFile = "oci-layout";
export const layoutContent = '{"imageLayoutVersion":"1.0.0"}';

export interface NamedImage {
  readonly descriptor: Descriptor;
  /** Full references, in normal form. */
  readonly refs: readonly string[];
  /** The name inside the layout, when it is no reference by itself (`latest`). */
  readonly tag?: string;
}

interface Entry {
  readonly descriptor: Descriptor;
  readonly refs: Set<string>;
  tag?: string;
}

/** Where a blob lies in a layout. */
export function blobPath({ digest }: Pick<Descriptor, "digest">): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** index.json's images, those of one descriptor together. Entries that are no images are left out. Throws REG_MANIFEST. */
export function readLayoutIndex(bytes: Uint8Array): NamedImage[] {
  const images = new Map<string, Entry>();
  for (const entry of parseIndex(bytes, mediaTypes.ociIndex).manifests) {
    const { annotations = {}, ...descriptor } = entry;
    if (!isIndexType(descriptor.mediaType) && !isManifestType(descriptor.mediaType)) continue;
    const image: Entry = images.get(descriptor.digest) ?? { descriptor, refs: new Set() };
    images.set(descriptor.digest, image);
    const inner = annotations[refNameKey];
    const full =
      normal(annotations[imageNameKey]) ?? (inner?.includes("/") || inner?.includes(":") ? normal(inner) : undefined);
    if (full !== undefined) image.refs.add(full);
    else if (inner !== undefined) image.tag ??= inner;
  }
  return [...images.values()].map(({ refs, ...image }) => ({ ...image, refs: [...refs] }));
}

/**
 * index.json for these images. `others` are entries of an index.json that is there already; those whose name is taken
 * by a new image are left out.
 */
export function writeLayoutIndex(images: readonly NamedImage[], others: readonly Descriptor[] = []): string {
  const entries = images.flatMap(({ descriptor, refs }) => {
    const { mediaType, digest, size, platform, annotations } = descriptor;
    const plain: Descriptor = { mediaType, digest, size, ...(platform ? { platform } : {}) };
    const own = annotations ? { ...plain, annotations } : plain;
    if (refs.length === 0) return [own];
    return refs.map((ref) => ({ ...plain, annotations: { ...annotations, ...annotationsOf(ref) } }));
  });
  const taken = new Set(entries.flatMap((entry) => nameOf(entry) ?? []));
  const isKept = (other: Descriptor) => {
    const name = nameOf(other);
    return name === undefined ? !entries.some(({ digest }) => digest === other.digest) : !taken.has(name);
  };
  const manifests = [...others.filter(isKept), ...entries];
  return JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
}

function annotationsOf(ref: string): Record<string, string> {
  const { tag } = parseReference(ref);
  return { [imageNameKey]: ref, ...(tag === undefined ? {} : { [refNameKey]: tag }) };
}

/** Two entries with one name would be two images of that name. */
function nameOf({ annotations }: Descriptor): string | undefined {
  return annotations?.[imageNameKey] ?? annotations?.[refNameKey];
}

/** Foreign text to a reference in normal form; undefined when it is none. */
export function normal(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return formatReference(parseReference(text));
  } catch {
    return undefined;
  }
}
