/** What `--cache-from` and `--cache-to` ask for, as plain data: where results of other machines are, where ours go. */
import type { Compression } from "../../layerfs/layer/compression.ts";
import type { Digest } from "../../layerfs/store/digest.ts";

/** The cache service of GitHub Actions, or one that speaks its protocol. */
export interface GhaService {
  /** The protocol: 1 is REST below `url`, 2 is Twirp below `urlV2`. */
  readonly version: 1 | 2;
  readonly url?: string;
  readonly urlV2?: string;
  /** A secret. */
  readonly token: string;
  /** Caches of different images must not replace each other: each gets a scope of its own. */
  readonly scope: string;
  readonly timeoutMs: number;
}

export type CacheSource =
  | { readonly type: "registry"; readonly ref: string }
  /** An OCI layout folder; `digest` goes before `tag`. */
  | { readonly type: "local"; readonly src: string; readonly tag: string; readonly digest?: Digest }
  | ({ readonly type: "gha" } & GhaService);

/** How a cache becomes a document of a registry or a layout. */
export interface CacheForm {
  /** An image manifest whose configuration is the cache's; else an index, which not every registry takes. */
  readonly imageManifest: boolean;
  /** False: Docker's media type for that index. */
  readonly ociMediaTypes: boolean;
}

export type CacheTarget = {
  /** min: only results that are in the image. max: those of every step. */
  readonly mode: "min" | "max";
  /** A failure is a warning. */
  readonly ignoreError: boolean;
  /** Layers are sent in this compression; absent: as they are. */
  readonly compression?: Compression;
  readonly compressionLevel?: number;
} & (
  | ({ readonly type: "registry"; readonly ref: string } & CacheForm)
  | ({ readonly type: "local"; readonly dest: string; readonly tag: string } & CacheForm)
  | { readonly type: "inline" }
  | ({ readonly type: "gha" } & GhaService)
);
