/** Step: one kind of node, carried out. World: all that steps may touch; they know nothing of who runs when. */
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import type { SandboxLimits } from "../../native/core/spec.ts";
import type { BuildContext } from "../context/context.ts";
import type { Node, Op } from "../graph/graph.ts";
import type { Report } from "../progress/events.ts";
import type { LayerFolders, RuntimeCore, StepHost, StepProcess } from "../runtime/runtime.ts";
import type { AgentSource } from "../runtime/ssh/agent-source.ts";
import type { LayerStack, RemoteBlob, StackLayer } from "./stack.ts";

/** How layers of this build are written. */
export interface LayerStyle {
  /** Undefined when nobody chose one: zstd for Linux, gzip for Windows. */
  readonly compression: "zstd" | "gzip" | "none" | undefined;
  readonly level?: number;
  readonly epochSeconds?: number;
}

/** Follows a layer's blob while it is being written, so that it can be sent before it is finished. */
export type LayerTail = (node: Node, tail: AsyncIterable<Uint8Array>, layer: Promise<Layer>) => void;

export interface World {
  readonly store: Store;
  /** The runtime core for steps of images of this OS. */
  readonly runtime: (os: string) => Promise<RuntimeCore>;
  /** Undefined when no node reads the context. */
  readonly context: BuildContext | undefined;
  /** Contexts that ops name by their labels. */
  readonly remote?: { get(label: string): BuildContext };
  readonly style: LayerStyle;
  readonly limits: SandboxLimits;
  /** By their ids: values that steps may see and nothing may keep; agents for ssh. */
  readonly secrets?: ReadonlyMap<string, Uint8Array>;
  readonly ssh?: ReadonlyMap<string, AgentSource>;
  /** How the layer of a base, which has this name, comes into the store when it is not there. */
  readonly remoteLayer: (reference: string, layer: Layer) => RemoteBlob;
  readonly report: Report;
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
  readonly tail?: LayerTail;
  /** Work in the background that must end before the build does, whatever its outcome. */
  readonly background: (work: Promise<unknown>) => void;
  /** Things to dispose when the build has ended. */
  readonly keep: (resource: AsyncDisposable) => void;
  /** Somebody wants to look into the step that fails the build: the first is told of. */
  readonly onFailure?: (failed: FailedStep) => void;
}

/** A step that fails the build, for those who want to look into it once everything else has ended. */
export interface FailedStep {
  readonly node: Node;
  readonly error: unknown;
  /** Its files: of a RUN whose process ended by itself, as it left them; else those that it stood on. */
  readonly stack: LayerStack;
  /** Of a RUN: what ran, and around it. Its mounts last until the build ends. */
  readonly run?: {
    readonly on: Omit<LayerFolders, "folders" | "tree">;
    readonly process: StepProcess;
    readonly host: StepHost;
  };
}

export interface Performed {
  readonly layer: StackLayer;
  /** Resolves when the step is over as people see it (a RUN: the process ended; a COPY: the layer is stored). */
  readonly finished: Promise<unknown>;
  /** When the content key may be asked for without reading everything twice; absent: at once. */
  readonly content?: Promise<unknown>;
}

export interface Step<O extends Op> {
  /** Digest of what the inputs hold, for steps whose result depends on it and not on how it came to be. */
  contentKey?(op: O, inputs: readonly LayerStack[], world: World): Promise<Digest | undefined>;
  perform(node: Node & { readonly op: O }, inputs: readonly LayerStack[], world: World): Promise<Performed>;
}
