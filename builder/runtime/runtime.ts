/** RuntimeCore: runs one process on a stack of unpacked layers, and tells afterwards what it changed. Knows no Dockerfile. */
import type { Change } from "../../layerfs/layer/entry.ts";
import type { LayerInput } from "../../layerfs/layer/write.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import type { Exit, Mount, OutputChunk, SandboxLimits, SandboxProcess } from "../../native/core/spec.ts";

export type NetworkMode = "default" | "none" | "host";

export interface StepProcess extends Omit<SandboxProcess, "uid" | "gid" | "groups"> {
  /** As in the image config: "", "name", "uid", "name:group" …; resolved from the image's own passwd and group files. */
  readonly user: string;
  /** Windows: the command line exactly as CreateProcess gets it; without it `argv` is quoted by the C rules. */
  readonly commandLine?: string;
}

export interface StepHost {
  readonly network: NetworkMode;
  readonly hostname: string;
  readonly extraHosts: readonly (readonly [name: string, address: string])[];
  readonly limits: SandboxLimits;
  readonly security: "default" | "insecure";
  readonly mounts: readonly Mount[];
  /** Groups that the process belongs to besides its user's. */
  readonly groups?: readonly number[];
  /** The image's files cannot be changed; mounts can. */
  readonly readonlyRoot?: boolean;
}

/** Unpacked layers, bottom first: absolute folders in overlayfs form (0/0 character devices are whiteouts). */
export interface LayerFolders {
  readonly folders: readonly string[];
  /** The same as a tree: for a runtime whose layers must repeat what lies below them (Windows). */
  readonly tree?: () => Promise<Tree>;
  /** Linux: what the image's programs are made for; absent: this host's. */
  readonly architecture?: string;
  /** Windows: the version that the image was made for, `10.0.20348.2700`. */
  readonly osVersion?: string;
}

/** What a step leaves behind, for the layer writer. Content may point into the upper folder. */
export interface StepLayer {
  readonly input: readonly LayerInput[];
  /**
   * Where the upper folder is this layer's unpacked form: the layer as a list, made when it is asked for. Undefined: the
   * folder holds more than the layer, which must be unpacked like any other.
   */
  readonly unpacked?: () => readonly Change[];
}

export interface LayerTimes {
  /** SOURCE_DATE_EPOCH, for times that the layer writer does not know (creation times of Windows). */
  readonly epochSeconds?: number;
}

export interface Execution extends AsyncDisposable {
  readonly output: AsyncIterable<OutputChunk>;
  readonly exited: Promise<Exit>;
  signal(name: NodeJS.Signals): void;
  /** After `exited`: what the process changed. */
  layer(how: LayerTimes): Promise<StepLayer>;
  /** The upper folder. The caller gave it and keeps it. */
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
