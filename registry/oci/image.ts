/**
 * Shapes of the OCI image specification: manifest, index, configuration. Unknown fields survive a round trip:
 * bytes that were pulled are stored as they came, these types only look at them. Schemas are in schema.ts.
 */
import type { Descriptor, Platform } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";

export const mediaTypes = {
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerLayerZstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
} as const;

const foreignTypes = [
  "application/vnd.docker.image.rootfs.foreign.",
  "application/vnd.oci.image.layer.nondistributable.",
];

/** The media type of a layer that its maker alone may serve. */
export function isForeignType(mediaType: string): boolean {
  return foreignTypes.some((start) => mediaType.startsWith(start));
}

/** A layer that its maker alone may serve: pulled from its `urls` at need, and not pushed unless that is asked for. */
export function isForeign({ mediaType, urls }: Descriptor): boolean {
  return (urls?.length ?? 0) > 0 && isForeignType(mediaType);
}

/**
 * What a manifest holds when it is no image: its artifactType, else its configuration's type (artifacts of other kinds have
 * one of their own, or the empty one). Docker's first manifests gave their configurations no type.
 */
export function artifactTypeOf({ artifactType, config }: Manifest): string | undefined {
  const types: readonly string[] = [mediaTypes.ociConfig, mediaTypes.dockerConfig, "application/octet-stream"];
  return types.includes(config.mediaType) ? undefined : artifactType || config.mediaType;
}

export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Index {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface History {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** "config" of an image configuration, with Docker's additions. Durations are nanoseconds. */
export interface ContainerConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly ArgsEscaped?: boolean;
  readonly OnBuild?: readonly string[] | null;
  readonly Shell?: readonly string[];
  readonly Healthcheck?: {
    readonly Test?: readonly string[];
    readonly Interval?: number;
    readonly Timeout?: number;
    readonly StartPeriod?: number;
    readonly StartInterval?: number;
    readonly Retries?: number;
  };
}

export interface ImageConfig extends Platform {
  readonly created?: string;
  readonly author?: string;
  readonly config?: ContainerConfig;
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly Digest[] };
  readonly history?: readonly History[];
}

/** An image as it lies in a store or registry: the manifest's descriptor and what it says. */
export interface Image {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
}
