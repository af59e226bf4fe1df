/** What all stages of one plan share, and what one stage hands to another. */
import type { Platform } from "../../layerfs/store/descriptor.ts";
import type { ContainerConfig } from "../../registry/oci/image.ts";
import type { Named } from "../context/named-contexts.ts";
import type { RemoteSources } from "../context/remote-sources.ts";
import type { SourceText } from "../diagnose/source.ts";
import type { Dockerfile, Stage } from "../dockerfile/instruction.ts";
import type { GlobalScope, StageScope } from "../dockerfile/scope.ts";
import type { BaseImage } from "../image/stored/base-image.ts";
import type { Entitlements } from "../runtime/entitlements.ts";
import type { NetworkMode } from "../runtime/runtime.ts";
import type { Node, Op, Target } from "./graph.ts";

export interface PlanOptions {
  readonly target?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly buildPlatform: Platform;
  readonly targetPlatform: Platform;
  /** This is one of several plans, each for a platform: titles tell which. */
  readonly severalPlatforms?: boolean;
  readonly network: NetworkMode;
  /** What steps may ask for beyond the sandbox; absent: nothing. */
  readonly allow?: Entitlements;
  readonly extraHosts: readonly (readonly [name: string, address: string])[];
  /** What stands in the place of a stage or image of that name. */
  readonly named?: (name: string) => Named | undefined;
  /** Takes what an ADD fetches, and gives its label. */
  readonly remote?: Pick<RemoteSources, "git" | "http">;
  /** Finds a base image's config and layers by name. */
  readonly findBase: (name: string, platform: Platform) => Promise<BaseImage>;
  readonly warn: (text: string, line?: number) => void;
}

/** What all stages of one plan share. */
export interface PlanWorld {
  readonly dockerfile: Dockerfile;
  readonly source: SourceText;
  readonly options: PlanOptions;
  readonly global: GlobalScope;
  /** The plan of another stage of the file (`by`: the one that waits for it); the node of an image that COPY --from names. */
  readonly stageOf: (stage: Stage, by?: Stage) => Promise<PlannedStage>;
  readonly sourceOf: (image: string, platform: Platform) => Promise<{ node: Node; base: BaseImage | undefined }>;
}

/** A stage that was read to its end. */
export interface PlannedStage {
  readonly node: Node;
  readonly platform: Platform;
  finish(): Target;
  /** For a stage whose FROM names this one. */
  asStart(): Start;
}

/** What a stage begins with: another stage's end, or an image. */
export interface Start extends Omit<Target, "stage"> {
  readonly scope?: StageScope;
}

/** One stage as it stands before an instruction: what the planning of that instruction may look at. */
export interface StageView {
  readonly world: PlanWorld;
  readonly stage: Stage;
  readonly platform: Platform;
  readonly config: ContainerConfig;
  readonly scope: StageScope;
}

/** An op and the nodes it reads besides the stage's own files, which are always input 0. */
export interface PlannedOp {
  readonly op: Op;
  readonly more: readonly Node[];
  /** It stands on this instead, and is merged onto the stage's own files. */
  readonly apart?: Node;
}

/** What marks an op of a Windows image; nothing for Linux, whose ids are older than that mark. */
export function systemOf({ platform }: StageView): { os?: "windows" } {
  return platform.os === "windows" ? { os: "windows" } : {};
}
