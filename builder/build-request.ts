/**
 * BuildRequest: everything that a person can ask of one build, as plain data. The command line fills it in, programs
 * may do so too; build.ts reads it. No defaults are hidden here: what is absent was not asked for.
 */
import type { Descriptor, Platform } from "../layerfs/store/descriptor.ts";
import type { Digest } from "../layerfs/store/digest.ts";
import type { SandboxLimits } from "../native/core/spec.ts";
import type { CacheSource, CacheTarget } from "./cache/spec.ts";
import type { Annotation, Compression, OutputSpec } from "./image/output/output-spec.ts";
import type { Entitlements } from "./runtime/entitlements.ts";
import type { NetworkMode } from "./runtime/runtime.ts";
import type { AgentSource } from "./runtime/ssh/agent-source.ts";

/** What is said about an image beside it: what it holds, how it was made. Absent: nothing. */
export interface AttestRequest {
  readonly sbom?: boolean;
  readonly provenance?: {
    /** min leaves out what may be private: build arguments, labels, the Dockerfile, steps. */
    readonly mode: "min" | "max";
    readonly version: "v1" | "v0.2";
    readonly builderId: string;
    /** Somebody promises that the build gives the same bytes each time. */
    readonly reproducible: boolean;
    /** Only beside images, never as a file among an output's files. */
    readonly inlineOnly: boolean;
    /** Its name among an output's files. */
    readonly filename: string;
  };
}

/** Something under a name of the caller's choosing. */
export interface NamedContext {
  /** As FROM, COPY --from and mounts say it. */
  readonly name: string;
  /** A folder, the URL of a tar or git repository, `docker-image://REFERENCE`, `oci-layout://PATH[:TAG|@DIGEST]`. */
  readonly value: string;
}

export interface BuildRequest {
  /**
   * Folder on this host; URL of a tar, of a lone Dockerfile or of a git repository; or "-": a tar (or, without
   * `dockerfile`, a lone Dockerfile) on standard input.
   */
  readonly context: string;
  /**
   * Path of the Dockerfile on this host, or within a context that comes from elsewhere; "-" for standard input; absent:
   * `Dockerfile` in the context.
   */
  readonly dockerfile?: string;
  /** References as typed; checked before any work is done. */
  readonly tags: readonly string[];
  /** Stage name or index; absent: the last stage. */
  readonly target?: string;
  /** name → value, already looked up in the environment where `--build-arg NAME` had no value. */
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** What FROM, COPY --from and mounts find under a name instead of the stage or image that is called so. */
  readonly namedContexts?: readonly NamedContext[];
  /** One image each, in this order; absent or empty: this host's, or what the base is made for. */
  readonly platforms?: readonly Platform[];
  /** Ask the registry for each base image again, even when the store has one of that name. */
  readonly pull: boolean;
  /** true: use no cached result. A list: of these stages (names or indexes) only. Results are still stored. */
  readonly noCache: boolean | readonly string[];
  /** Where results of other machines are looked for, besides the store; the first one that has a result gives it. */
  readonly cacheFrom?: readonly CacheSource[];
  /** Where the results of this build go for other machines, when its image is made. */
  readonly cacheTo?: readonly CacheTarget[];
  /** Empty: the image goes into the store under `tags`. */
  readonly outputs: readonly OutputSpec[];
  /** For every image that the build makes. */
  readonly annotations?: readonly Annotation[];
  readonly attest?: AttestRequest;
  /** An image in the store may do without layers whose files no step reads: it is noted where they can be had. */
  readonly lazy?: boolean;
  /** Push every tag when the build is done. */
  readonly push: boolean;
  /** A push sends foreign layers (those with `urls`, which their maker alone may serve) too. */
  readonly allowNondistributable?: boolean;
  /** Files to write when the build is done: the image ID; a JSON object as `docker buildx build` writes it. */
  readonly iidfile?: string;
  readonly metadataFile?: string;
  /** What else the metadata file tells, as buildx is asked for it by its variables. */
  readonly metadata?: { readonly warnings: boolean; readonly provenance?: "min" | "max" };
  readonly compression?: Compression;
  readonly compressionLevel?: number;
  readonly network: NetworkMode;
  readonly addHosts: readonly (readonly [name: string, address: string])[];
  readonly limits: SandboxLimits;
  /** Values that steps may mount, by id: kept nowhere. */
  readonly secrets?: ReadonlyMap<string, Uint8Array>;
  /** Who answers `RUN --mount=type=ssh`, by id. */
  readonly ssh?: ReadonlyMap<string, AgentSource>;
  /** What RUN may ask for beyond the sandbox; absent: nothing. */
  readonly allow?: Entitlements;
  /** How many steps may run at the same time; absent: two for each CPU, at least eight. */
  readonly jobs?: number;
  /** Seconds since 1970 that no time in a layer or config may exceed. */
  readonly sourceDateEpoch?: number;
  /** Speak plain http to registries that are not on loopback, too. */
  readonly plainHttp: boolean;
  /** Check no registry's certificate, and speak http where there is no TLS. */
  readonly insecure?: boolean;
}

export interface BuildResult {
  /** Digest of the image's configuration: the image ID. Of an index, the index's own digest. */
  readonly imageId: Digest;
  /** The manifest in the store, or the index. */
  readonly manifest: Descriptor;
  /** Full names that now point at the image. */
  readonly tags: readonly string[];
}
