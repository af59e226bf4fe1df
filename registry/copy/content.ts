/** What a manifest names: other manifests, and blobs. Also of kinds that are no images, which are carried as they are. */
import * as v from "valibot";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { WbuildError } from "../../native/error.ts";
import {
  isIndexType,
  isManifestType,
  maxManifestBytes,
  parseDescriptor,
  parseIndex,
  parseJson,
  parseManifest,
} from "../oci/schema.ts";
import type { FetchedManifest } from "../repository.ts";

export interface Content {
  readonly manifests: readonly Descriptor[];
  readonly blobs: readonly Descriptor[];
}

const maxParts = 10_000;
const list = v.optional(v.pipe(v.array(v.unknown()), v.maxLength(maxParts)), []);
const loose = v.looseObject({ config: v.optional(v.unknown()), layers: list, blobs: list, manifests: list });

/** Throws REG_MANIFEST. */
export function contentOf({ bytes, mediaType }: Pick<FetchedManifest, "bytes" | "mediaType">): Content {
  if (isManifestType(mediaType)) {
    const { config, layers } = parseManifest(bytes, mediaType);
    return { manifests: [], blobs: [...layers, config] };
  }
  if (isIndexType(mediaType)) return sorted(parseIndex(bytes, mediaType).manifests);
  const json = parseJson(bytes, maxManifestBytes, "REG_MANIFEST", "manifest");
  const found = v.safeParse(loose, json, { abortEarly: true });
  if (!found.success) throw new WbuildError("REG_MANIFEST", `cannot tell what a ${mediaType.slice(0, 100)} is made of`);
  const { config, layers, blobs, manifests } = found.output;
  const all = [...layers, ...blobs, ...(config === undefined ? [] : [config])].map(parseDescriptor);
  return { manifests: sorted(manifests.map(parseDescriptor)).manifests, blobs: all };
}

/** An index of a build cache names layers and a configuration where others name images. */
function sorted(children: readonly Descriptor[]): Content {
  const isBlob = ({ mediaType }: Descriptor) =>
    /\.(?:layer|diff)\.|cacheconfig|container\.image\.v1\+json$|image\.config\.v1\+json$/.test(mediaType);
  return { manifests: children.filter((child) => !isBlob(child)), blobs: children.filter(isBlob) };
}
