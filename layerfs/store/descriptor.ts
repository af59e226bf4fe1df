/** Descriptor: how anything that is stored is named (OCI image specification, "Descriptors"). */
import type { Digest } from "./digest.ts";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly urls?: readonly string[];
  readonly platform?: Platform;
  readonly artifactType?: string;
}

/** Platform of an image (OCI image index specification, "platform"). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
}

/** A layer: its stored blob and the digest of the uncompressed tar (OCI image configuration, "rootfs.diff_ids"). */
export interface Layer {
  readonly blob: Descriptor;
  readonly diffId: Digest;
}
