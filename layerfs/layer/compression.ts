/** The compressions of layers: what they are called in media types (OCI image layer; Docker schema 2) and how hard they try. */
import { WbuildError } from "../../native/error.ts";

export type Compression = "zstd" | "gzip" | "none";
export type MediaTypes = "oci" | "docker";

const layerTypes: Record<MediaTypes, Partial<Record<Compression, string>>> = {
  oci: {
    none: "application/vnd.oci.image.layer.v1.tar",
    gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
    zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  },
  docker: {
    none: "application/vnd.docker.image.rootfs.diff.tar",
    gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  },
};

/** Lowest, default and highest level of each. How the defaults were chosen: docs/formats/layer.md, "Levels". */
const levels = {
  zstd: { lowest: 1, usual: 2, highest: 19 },
  gzip: { lowest: 1, usual: 4, highest: 12 },
  none: { lowest: 0, usual: 0, highest: 0 },
} as const;

/** The media type of a layer. Throws LAYER_COMPRESSION: Docker's types know no zstd. */
export function layerMediaType(compression: Compression, flavour: MediaTypes): string {
  const type = layerTypes[flavour][compression];
  if (type !== undefined) return type;
  throw new WbuildError("LAYER_COMPRESSION", `${flavour} images have no media type for ${compression} layers`, {
    hint: "choose --compression gzip, or an OCI output",
  });
}

/** The compression that a layer's media type tells, or undefined for what is no layer known here. */
export function compressionOf(mediaType: string): Compression | undefined {
  const plain = mediaType.replace(".layer.nondistributable.", ".layer.").replace(".rootfs.foreign.", ".rootfs.");
  for (const types of Object.values(layerTypes)) {
    for (const [compression, type] of Object.entries(types)) if (type === plain) return compression as Compression;
  }
  return undefined;
}

/** The level to use. Throws LAYER_COMPRESSION for one that the compression does not have. */
export function checkLevel(compression: Compression, level: number | undefined): number {
  const { lowest, usual, highest } = levels[compression];
  if (level === undefined) return usual;
  if (Number.isInteger(level) && level >= lowest && level <= highest) return level;
  throw new WbuildError(
    "LAYER_COMPRESSION",
    compression === "none"
      ? "a layer without compression has no level"
      : `${compression} has no level ${level}; it has ${lowest} to ${highest}`,
  );
}
