/** OutputSpec: where a result goes besides the store, one `-o` each, with the attributes that buildx documents. */
import type { Platform } from "../../../layerfs/store/descriptor.ts";

export type Compression = "zstd" | "gzip" | "none";

/** Level is the compressor's own scale: zstd 1 … 22, gzip 1 … 9. */
export interface CompressionChoice {
  readonly compression?: Compression;
  readonly compressionLevel?: number;
}

/** A line about an image (OCI image specification, "Annotations"), and which document carries it. */
export interface Annotation {
  /** A manifest itself or its descriptor in the index; the index itself or its descriptor in a layout. */
  readonly on: "manifest" | "manifest-descriptor" | "index" | "index-descriptor";
  /** Of an index, only this platform's manifest. */
  readonly platform?: Platform;
  readonly key: string;
  readonly value: string;
}

/** What every output that writes images knows. */
export interface ImageAttributes extends CompressionChoice {
  /** References, beside the request's tags. */
  readonly names: readonly string[];
  /** false: layers of the base keep the compression that they have. Usual: true, as our own bases have zstd. */
  readonly forceCompression?: boolean;
  /** false: Docker's media types (schema 2) in manifests. Usual: true. */
  readonly ociMediaTypes?: boolean;
  /** Times in the build's layers are bounded also where a layer must be fetched for it. Needs SOURCE_DATE_EPOCH. */
  readonly rewriteTimestamp?: boolean;
  /** Statements about an image are written as OCI artifacts, with `subject` and `artifactType`. */
  readonly ociArtifact?: boolean;
  readonly annotations?: readonly Annotation[];
}

/** Where a push goes besides to the names. */
export interface PushAttributes {
  /** Pushed under its digest alone: names say the repository. */
  readonly pushByDigest?: boolean;
  /** The registry may speak plain http. */
  readonly insecure?: boolean;
}

/**
 * `dest` "-" is standard output (a tar always).
 * image: into the store (unless `store` is false), under `names` beside the request's tags. registry: pushed, under the
 * same names. oci, docker: an archive, or with `folder` a layout folder. tar, local: the last stage's files, as archive
 * or folder. cacheonly: nowhere.
 */
export type OutputSpec =
  | (ImageAttributes &
      PushAttributes & {
        readonly type: "image";
        readonly push: boolean;
        readonly store?: boolean;
        /** Unpacked at once, so that the first container starts without waiting for it. */
        readonly unpack?: boolean;
        /** An image without a name is called PREFIX@DIGEST. */
        readonly danglingNamePrefix?: string;
        /** Also under NAME@DIGEST. */
        readonly nameCanonical?: boolean;
      })
  | (ImageAttributes & PushAttributes & { readonly type: "registry" })
  | (ImageAttributes & { readonly type: "oci" | "docker"; readonly dest: string; readonly folder: boolean })
  | {
      readonly type: "tar" | "local";
      readonly dest: string;
      /** Each platform's files in a folder of their own (`linux_amd64/`); absent: where there are several. */
      readonly platformSplit?: boolean;
    }
  | { readonly type: "cacheonly" };

export type OutputOf<Type extends OutputSpec["type"]> = Extract<OutputSpec, { type: Type }>;
