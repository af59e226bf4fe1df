/** One stage while it is read: its variables, its image config, its history and the node its files come from. */
import type { Platform } from "../../layerfs/store/descriptor.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { ContainerConfig } from "../../registry/oci/image.ts";
import { dockerfileError } from "../dockerfile/errors.ts";
import { expandInstruction } from "../dockerfile/expand.ts";
import type { Copy, From, Instruction, Run, Stage, Workdir } from "../dockerfile/instruction.ts";
import { parseTrigger } from "../dockerfile/parse.ts";
import { StageScope } from "../dockerfile/scope.ts";
import { type Origin, originOfCopy } from "../dockerfile/stages.ts";
import { applyInstruction, argvOf, baseConfig, inheritConfig } from "../image/config.ts";
import { type CreatedByOptions, createdBy, historyComment } from "../image/created-by.ts";
import type { Node, Op, PlannedHistory, Target } from "./graph.ts";
import { nodeId } from "./key.ts";
import { parseMode, targetPath } from "./paths.ts";
import type { PlannedStage, PlanWorld, Start } from "./plan-world.ts";
import { networkOf, proxyEnvOf } from "./run-surroundings.ts";

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
    this.#scope = new StageScope(world.global, start.config.Env ?? [], start.scope);
    this.#total = 1 + stage.instructions.filter(makesLayer).length;
  }

  /** Reads FROM, and carries out the ONBUILD triggers of what it names. */
  static async begin(world: PlanWorld, stage: Stage, origin: Origin, image: string, platform: Platform) {
    const start =
      origin.kind === "stage"
        ? (await world.stageOf(origin.stage)).asStart()
        : await fromImage(world, stage, image, platform);
    const { config, triggers } = inheritConfig(start.config, start.platform.os);
    const plan = new StagePlan(world, stage, { ...start, config });
    const steps = triggers.map((text) => parseTrigger(text, { name: `ONBUILD of ${image}`, text }) as Step);
    plan.#total += steps.filter(makesLayer).length;
    plan.#node =
      origin.kind === "stage"
        ? start.node
        : { ...start.node, title: plan.#title(`FROM ${image}`), span: stage.from.span };
    for (const step of steps) await plan.add({ ...step, span: stage.from.span });
    return plan;
  }

  get node(): Node {
    return this.#node;
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
    switch (step.kind) {
      case "ARG": {
        this.#note(step, { declared: this.#scope.declare(step) });
        return;
      }
      case "RUN":
        return this.#run(step);
      case "COPY":
      case "ADD":
        return this.#copy(step);
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
    this.#config = applyInstruction(this.#config, step, { os, cmdSet: this.#cmdSet, source: this.#world.source });
    if (step.kind === "CMD") this.#cmdSet = true;
  }

  #run(step: Run): void {
    const { options } = this.#world;
    const config = this.#config;
    const keyEnv = this.#scope.keyEnv();
    const proxyEnv = proxyEnvOf(this.#scope.runEnv(), keyEnv);
    const network = networkOf(step, options.network, this.#world.source);
    this.#layer(step, {
      kind: "run",
      argv: argvOf(step.command, config, this.#start.platform.os),
      env: Object.entries(keyEnv).map(([name, value]) => `${name}=${value}`),
      proxyEnv,
      cwd: config.WorkingDir || "/",
      user: config.User ?? "",
      network,
      extraHosts: options.extraHosts,
      security: "default",
    });
  }

  async #copy(step: Copy): Promise<void> {
    if (step.kind === "ADD") refuseRemote(step, this.#world);
    const from = step.from ? await this.#fromNode(step) : undefined;
    const op: Op = {
      kind: step.kind === "ADD" ? "add" : "copy",
      from: from ? "node" : "context",
      sources: step.sources.map((word) => word.text),
      target: targetPath(this.#config.WorkingDir, step.target.text),
      ...(step.chown === undefined ? {} : { chown: step.chown.text }),
      ...(step.chmod === undefined ? {} : { chmod: parseMode(step.chmod, this.#world.source) }),
    };
    this.#layer(step, op, from ? [from] : []);
  }

  async #fromNode(step: Copy & { readonly from?: NonNullable<Copy["from"]> }): Promise<Node> {
    const { dockerfile, source, options } = this.#world;
    const word = step.from as NonNullable<Copy["from"]>;
    const origin = originOfCopy(dockerfile, word);
    if (origin.kind !== "stage") {
      const image = origin.kind === "image" ? origin.name : "scratch";
      return (await this.#world.sourceOf(image, options.targetPlatform)).node;
    }
    if (origin.stage === this.#stage) {
      throw dockerfileError("DF_STAGE_CYCLE", "COPY --from names its own stage", { span: word.span, source });
    }
    return (await this.#world.stageOf(origin.stage)).node;
  }

  #workdir(step: Workdir): void {
    this.#apply(step);
    const path = this.#config.WorkingDir ?? "/";
    const user = this.#config.User;
    if (path === "/") this.#note(step);
    else this.#layer(step, { kind: "mkdir", path, ...(user ? { user } : {}) });
  }

  /** A node on top of the stage, and its line of history. */
  #layer(step: Run | Copy | Workdir, op: Op, more: readonly Node[] = []): void {
    const inputs = [this.#node, ...more];
    this.#count++;
    const { name, index } = this.#stage;
    const stage = name === undefined ? [String(index)] : [name, String(index)];
    const title = this.#title(oneLine(step.text));
    const node: Node = { id: nodeId(op, inputs), op, inputs, span: step.span, stage, title };
    this.#node = node;
    this.#note(step, { args: this.#scope.historyArgs() }, node);
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

  /** `[build 2/5] RUN make`; a file of one unnamed stage leaves the name out. */
  #title(text: string): string {
    const { name, index } = this.#stage;
    const only = this.#world.dockerfile.stages.length === 1 && name === undefined;
    const stage = only ? "" : `${name ?? `stage-${index}`} `;
    return `[${stage}${this.#count}/${this.#total}] ${text}`;
  }
}

function makesLayer(step: Step): boolean {
  return step.kind === "RUN" || step.kind === "COPY" || step.kind === "ADD" || step.kind === "WORKDIR";
}

async function fromImage(world: PlanWorld, stage: Stage, image: string, platform: Platform): Promise<Start> {
  const { node, base } = await world.sourceOf(image, platform).catch((error: unknown) => {
    throw atFrom(error, stage, world);
  });
  if (!base) {
    return { node, config: baseConfig(platform.os), baseHistory: [], history: [], platform };
  }
  const { config, author, created, history, os, architecture, variant } = base.config;
  const version = base.config["os.version"];
  const features = base.config["os.features"];
  return {
    node,
    config: config ?? {},
    ...(author === undefined ? {} : { author }),
    baseHistory: history ?? [],
    ...(created === undefined ? {} : { baseCreated: created }),
    history: [],
    platform: {
      os,
      architecture,
      ...(variant === undefined ? {} : { variant }),
      ...(version === undefined ? {} : { "os.version": version }),
      ...(features === undefined ? {} : { "os.features": features }),
    },
  };
}

/** Docker fetches these; to look for a file of that name instead would be a riddle. */
function refuseRemote(step: Copy, world: PlanWorld): void {
  for (const { text, span } of step.sources) {
    if (!/^(https?:\/\/|git:\/\/|git@|ssh:\/\/)/.test(text)) continue;
    throw dockerfileError(
      "DF_UNSUPPORTED_URL",
      "ADD does not fetch URLs or git repositories yet",
      { span, source: world.source },
      { facts: { source: text }, hint: "fetch it in a RUN, or before the build, and COPY it" },
    );
  }
}

/** An image that cannot be had is blamed on the FROM that names it. */
function atFrom(error: unknown, stage: Stage, world: PlanWorld): unknown {
  if (!isWbuildError(error) || error.facts.span !== undefined) return error;
  return new WbuildError(error.code, error.message, {
    facts: { ...error.facts, file: world.source.name, span: stage.from.image.span },
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
