/** One stage while it is read: its variables, its image config, its history and the node its files come from. */
import type { Platform } from "../../layerfs/store/descriptor.ts";
import type { ContainerConfig } from "../../registry/oci/image.ts";
import type { Span } from "../diagnose/source.ts";
import { withoutUrlSecrets } from "../diagnose/url-secrets.ts";
import { expandInstruction } from "../dockerfile/expand.ts";
import { titleOf } from "../dockerfile/here-document.ts";
import type { Copy, From, Instruction, Run, Stage, Workdir } from "../dockerfile/instruction.ts";
import { parseTrigger } from "../dockerfile/parse.ts";
import { StageScope } from "../dockerfile/scope.ts";
import type { Origin } from "../dockerfile/stages.ts";
import { applyInstruction, baseConfig, inheritConfig } from "../image/config/config.ts";
import { belowDrive } from "../image/config/windows-path.ts";
import { type CreatedByOptions, createdBy, historyComment } from "../image/history/created-by.ts";
import { formatPlatform, platformOf } from "../image/platform.ts";
import type { Node, PlannedHistory, Target } from "./graph.ts";
import { nodeId } from "./key.ts";
import { locatedAt } from "./located-at.ts";
import { swallowedPath } from "./paths.ts";
import { planCopy } from "./plan-copy.ts";
import { planRun } from "./plan-run.ts";
import {
  type PlannedOp,
  type PlannedStage,
  type PlanWorld,
  type StageView,
  type Start,
  systemOf,
} from "./plan-world.ts";

type Step = Exclude<Instruction, From>;

export class StagePlan implements PlannedStage {
  readonly #world: PlanWorld;
  readonly #stage: Stage;
  readonly #scope: StageScope;
  readonly #start: Start;
  #config: ContainerConfig;
  #cmdSet = false;
  readonly #history: PlannedHistory[] = [];
  #author: string | undefined;
  #node: Node;
  #count = 1;
  #total: number;

  private constructor(world: PlanWorld, stage: Stage, start: Start) {
    this.#world = world;
    this.#stage = stage;
    this.#start = start;
    this.#node = start.node;
    this.#author = start.author;
    this.#config = start.config;
    this.#scope = new StageScope(world.global, start.config.Env ?? [], start.scope, start.platform.os);
    this.#total = 1 + stage.instructions.filter(makesLayer).length;
  }

  /** Reads FROM, and carries out the ONBUILD triggers of what it names. */
  static async begin(world: PlanWorld, stage: Stage, origin: Origin, image: string, platform: Platform) {
    const start =
      origin.kind === "stage"
        ? (await world.stageOf(origin.stage, stage)).asStart()
        : await fromImage(world, stage, image, platform);
    const { config, triggers } = inheritConfig(start.config, start.platform.os);
    const plan = new StagePlan(world, stage, { ...start, config });
    const at = stage.from.span;
    const steps = triggers.map((text) => parseTrigger(text, { name: `ONBUILD of ${image}`, text }, at) as Step);
    plan.#total += steps.filter(makesLayer).length;
    plan.#node =
      origin.kind === "stage"
        ? start.node
        : { ...start.node, title: plan.#title(`FROM ${image}`), span: stage.from.span };
    for (const step of steps) await plan.add(step);
    return plan;
  }

  get node(): Node {
    return this.#node;
  }

  get platform(): Platform {
    return this.#start.platform;
  }

  get #isWindows(): boolean {
    return this.#start.platform.os === "windows";
  }

  finish(): Target {
    return {
      platform: this.#start.platform,
      node: this.#node,
      config: this.#config,
      ...(this.#author === undefined ? {} : { author: this.#author }),
      baseHistory: this.#start.baseHistory,
      ...(this.#start.baseCreated === undefined ? {} : { baseCreated: this.#start.baseCreated }),
      history: [...this.#start.history, ...this.#history],
      stage: this.#stage.name ?? String(this.#stage.index),
    };
  }

  asStart(): Start {
    const { stage: _stage, ...start } = this.finish();
    return { ...start, scope: this.#scope };
  }

  /** Takes the next instruction in. Throws DF_* with its place. */
  async add(raw: Step): Promise<void> {
    const { dockerfile, source } = this.#world;
    const step = expandInstruction(raw, this.#scope.lookup, { escape: dockerfile.escape, source });
    const swallowed = this.#isWindows && dockerfile.escape === "\\" ? swallowedPath(raw) : undefined;
    if (swallowed !== undefined) this.#world.options.warn(swallowed, raw.span.start.line);
    switch (step.kind) {
      case "ARG": {
        this.#note(step, { declared: this.#scope.declare(step) });
        return;
      }
      case "RUN":
        return this.#layer(step, await planRun(step, this.#view()));
      case "COPY":
      case "ADD":
        return this.#layer(step, await planCopy(step, this.#view()));
      case "WORKDIR":
        return this.#workdir(step);
      case "ENV":
        this.#scope.setEnv(step.pairs);
        break;
      case "MAINTAINER":
        this.#author = step.name.text;
        break;
    }
    this.#apply(step);
    this.#note(step);
  }

  #apply(step: Step): void {
    const { os } = this.#start.platform;
    const before = this.#config;
    this.#config = applyInstruction(before, step, { os, cmdSet: this.#cmdSet, source: this.#world.source });
    if (step.kind === "CMD") this.#cmdSet = true;
    // One mark for both: with it the first of all words is taken as it is, without it each is quoted.
    const isMixed = before.Entrypoint?.length && before.ArgsEscaped !== this.#config.ArgsEscaped;
    if (this.#isWindows && step.kind === "CMD" && isMixed) {
      const text = "a shell form and an exec form of ENTRYPOINT and CMD do not go together on Windows";
      this.#world.options.warn(text, step.span.start.line);
    }
  }

  #workdir(step: Workdir): void {
    this.#apply(step);
    const { WorkingDir: folder = "/", User: user } = this.#config;
    const path = this.#isWindows ? `/${belowDrive(folder)}` : folder;
    if (path === "/") {
      this.#note(step);
      return;
    }
    const owner = user && !this.#isWindows ? { user } : {};
    this.#layer(step, { op: { kind: "mkdir", ...systemOf(this.#view()), path, ...owner }, more: [] });
  }

  #view(): StageView {
    const { platform } = this.#start;
    return { world: this.#world, stage: this.#stage, platform, config: this.#config, scope: this.#scope };
  }

  /** A node on top of the stage, and its line of history. */
  #layer(step: Run | Copy | Workdir, { op, more, apart }: PlannedOp): void {
    const inputs = [apart ?? this.#node, ...more];
    this.#count++;
    const { name, index } = this.#stage;
    const stage = name === undefined ? [String(index)] : [name, String(index)];
    const title = this.#title(oneLine(step.kind === "RUN" ? titleOf(step) : step.text));
    const node: Node = { id: nodeId(op, inputs), op, inputs, span: linesOf(step), stage, title };
    this.#node = apart ? this.#merged(node, `LINK ${oneLine(step.text)}`) : node;
    this.#note(step, { args: this.#scope.historyArgs() }, node);
  }

  /** The stage's files with what was made apart from them on top. */
  #merged(node: Node, text: string): Node {
    const op = { kind: "merge" } as const;
    const inputs = [this.#node, node];
    return { ...node, id: nodeId(op, inputs), op, inputs, title: this.#title(text) };
  }

  /** The instruction's line of history, where it leaves one. */
  #note(step: Step, more: Pick<CreatedByOptions, "args" | "declared"> = {}, node?: Node): void {
    const text = createdBy(step, { config: this.#config, os: this.#start.platform.os, ...more });
    if (text === undefined) return;
    this.#history.push({
      createdBy: text,
      comment: historyComment,
      ...(this.#author === undefined ? {} : { author: this.#author }),
      ...(node === undefined ? {} : { node }),
    });
  }

  /**
   * `[build 2/5] RUN make`; a file of one unnamed stage leaves the name out. Where several platforms are built, the
   * stage's stands before it: `[linux/arm64 build 2/5]`, `[linux/amd64->arm64 build 2/5]` for a stage that cross builds.
   */
  #title(text: string): string {
    const { name, index } = this.#stage;
    const only = this.#world.dockerfile.stages.length === 1 && name === undefined;
    const stage = only ? "" : `${name ?? `stage-${index}`} `;
    return `[${this.#platformTold()}${stage}${this.#count}/${this.#total}] ${text}`;
  }

  #platformTold(): string {
    const { severalPlatforms = false, targetPlatform: target } = this.#world.options;
    if (!severalPlatforms) return "";
    const own = this.#start.platform;
    if (own.os !== target.os) return `${bare(own)}->${bare(target)} `;
    const isCross = bare(own) !== bare(target);
    return `${bare(own)}${isCross ? `->${bare(target).slice(target.os.length + 1)}` : ""} `;
  }
}

/** Without version and features: short enough for a title. */
function bare({ os, architecture, variant = "" }: Platform): string {
  return formatPlatform({ os, architecture, variant });
}

/** With the lines of its here-documents, the last delimiters included: what an error of the node shows. */
function linesOf(step: Run | Copy | Workdir): Span {
  const last = step.kind === "WORKDIR" ? undefined : step.documents?.at(-1);
  return last === undefined ? step.span : { start: step.span.start, end: last.textSpan.end };
}

function makesLayer(step: Step): boolean {
  return step.kind === "RUN" || step.kind === "COPY" || step.kind === "ADD" || step.kind === "WORKDIR";
}

async function fromImage(world: PlanWorld, stage: Stage, image: string, platform: Platform): Promise<Start> {
  const { node, base } = await world.sourceOf(image, platform).catch((error: unknown) => {
    throw locatedAt(error, stage.from.image, world);
  });
  if (!base) {
    return { node, config: baseConfig(platform.os), baseHistory: [], history: [], platform };
  }
  const { config, author, created, history } = base.config;
  return {
    node,
    config: config ?? {},
    ...(author === undefined ? {} : { author }),
    baseHistory: history ?? [],
    ...(created === undefined ? {} : { baseCreated: created }),
    history: [],
    platform: platformOf(base.config),
  };
}

function oneLine(text: string): string {
  return withoutUrlSecrets(text).replace(/\s+/g, " ").trim();
}
