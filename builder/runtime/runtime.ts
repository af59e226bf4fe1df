/** RuntimeCore: runs one process on a stack of unpacked layers, and tells afterwards what it changed. Knows no Dockerfile. */
import type { Change } from "../../layerfs/layer/entry.ts";
import type { UpperSweep } from "../../layerfs/layer/overlay.ts";
import type { Exit, Mount, OutputChunk, SandboxLimits, SandboxProcess } from "../../native/core/spec.ts";

export type NetworkMode = "default" | "none" | "host";

export interface StepProcess extends Omit<SandboxProcess, "uid" | "gid" | "groups"> {
  /** As in the image config: "", "name", "uid", "name:group" …; resolved from the image's own passwd and group files. */
  readonly user: string;
}

export interface StepHost {
  readonly network: NetworkMode;
  readonly hostname: string;
  readonly extraHosts: readonly (readonly [name: string, address: string])[];
  readonly limits: SandboxLimits;
  readonly security: "default" | "insecure";
  readonly mounts: readonly Mount[];
  /** The image's files cannot be changed; mounts can. */
  readonly readonlyRoot?: boolean;
}

/** Unpacked layers, bottom first: absolute folders in overlayfs form (0/0 character devices are whiteouts). */
export interface LayerFolders {
  readonly folders: readonly string[];
}

export interface Execution extends AsyncDisposable {
  readonly output: AsyncIterable<OutputChunk>;
  readonly exited: Promise<Exit>;
  signal(name: NodeJS.Signals): void;
  /** After `exited`: what the process changed, parents first, siblings in byte order; `content` points into `folder`. */
  changes(): Promise<Iterable<Change>>;
  /** The same, in one piece for the layer writer; `changes` of it is a list for others, made when it is asked for. */
  sweep(): Promise<UpperSweep>;
  /** The upper folder: an unpacked layer of its own once the process has ended. The caller gave it and keeps it. */
  readonly folder: string;
}

export interface RuntimeCore {
  readonly kind: "linux" | "wine";
  /**
   * `upper` is an empty folder on the store's file system that becomes the new layer's unpacked form.
   * `scratch` is an empty folder beside it for what the runtime needs meanwhile.
   * Warnings (no network helper, single-id map …) are told once each through `warn`.
   * Throws BOX_* when the container cannot be made, STEP_USER when the user is not in the image.
   */
  start(
    on: LayerFolders,
    upper: string,
    scratch: string,
    process: StepProcess,
    host: StepHost,
    warn: (text: string) => void,
  ): Promise<Execution>;
}
