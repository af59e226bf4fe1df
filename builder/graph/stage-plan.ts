/** One stage while it is read: its variables, its image config, its history and the node its files come from. */
import type { Platform } from "../../layerfs/store/descriptor.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { ContainerConfig } from "../../registry/oci/image.ts";
import { dockerfileError } from "../dockerfile/errors.ts";
import { expandInstruction } from "../dockerfile/expand.ts";
import type { Copy, From, Instruction, Run, Stage, Word, Workdir } from "../dockerfile/instruction.ts";
import { parseTrigger } from "../dockerfile/parse.ts";
import { StageScope } from "../dockerfile/scope.ts";
import { type Origin, originOfCopy } from "../dockerfile/stages.ts";
import { applyInstruction, argvOf, baseConfig, commandLineOf, inheritConfig } from "../image/config.ts";
import { type CreatedByOptions, createdBy, historyComment } from "../image/created-by.ts";
import { platformOf } from "../image/platform.ts";
import { belowDrive } from "../image/windows-path.ts";
import type { Node, Op, PlannedHistory, Target } from "./graph.ts";
import { nodeId } from "./key.ts";
import { copyPaths, parseMode, swallowedPath } from "./paths.ts";
import type { PlannedStage, PlanWorld, Start } from "./plan-world.ts";
import { networkOf, proxyEnvOf } from "./run-surroundings.ts";
import { checkWindowsFlags } from "./windows-flags.ts";

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

  #run(step: Run): void {
    const { options } = this.#world;
    const config = this.#config;
    const keyEnv = this.#scope.keyEnv();
    const { os, "os.version": osVersion } = this.#start.platform;
    const proxyEnv = proxyEnvOf(this.#scope.runEnv(), keyEnv, os);
    const commandLine = commandLineOf(step.command, config, os);
    const network = networkOf(step, options.network, this.#world.source);
    this.#layer(step, {
      kind: "run",
      ...this.#system(),
      argv: argvOf(step.command, config, os),
      ...(commandLine === undefined ? {} : { commandLine }),
      ...(this.#isWindows && osVersion !== undefined ? { osVersion } : {}),
      env: Object.entries(keyEnv).map(([name, value]) => `${name}=${value}`),
      proxyEnv,
      cwd: config.WorkingDir || (this.#isWindows ? "C:\\" : "/"),
      user: config.User ?? "",
      network,
      extraHosts: options.extraHosts,
      security: "default",
    });
  }

  /** What marks an op of a Windows image; nothing for Linux, whose ids are older than that mark. */
  #system(): { os?: "windows" } {
    return this.#isWindows ? { os: "windows" } : {};
  }

  async #copy(step: Copy): Promise<void> {
    const { source } = this.#world;
    if (step.kind === "ADD") refuseRemote(step, this.#world);
    if (this.#isWindows) checkWindowsFlags(step, source);
    const from = step.from ? await this.#fromNode(step, step.from) : undefined;
    const systems = { os: this.#start.platform.os, fromOs: from?.os };
    const op: Op = {
      kind: step.kind === "ADD" ? "add" : "copy",
      ...this.#system(),
      from: from ? "node" : "context",
      ...(from?.os === "windows" ? { fromOs: "windows" } : {}),
      ...copyPaths(step, this.#config.WorkingDir, systems, source),
      ...(step.chown === undefined ? {} : { chown: step.chown.text }),
      ...(step.chmod === undefined ? {} : { chmod: parseMode(step.chmod, source) }),
    };
    this.#layer(step, op, from ? [from.node] : []);
  }

  async #fromNode(step: Copy, word: Word): Promise<{ node: Node; os: string }> {
    const { dockerfile, source, options } = this.#world;
    const origin = originOfCopy(dockerfile, word);
    if (origin.kind !== "stage") {
      const image = origin.kind === "image" ? origin.name : "scratch";
      const { node, base } = await this.#world.sourceOf(image, options.targetPlatform);
      return { node, os: base?.config.os ?? options.targetPlatform.os };
    }
    if (origin.stage === this.#stage) {
      throw dockerfileError("DF_STAGE_CYCLE", `${step.kind} --from names its own stage`, { span: word.span, source });
    }
    const { node, platform } = await this.#world.stageOf(origin.stage);
    return { node, os: platform.os };
  }

  #workdir(step: Workdir): void {
    this.#apply(step);
    const { WorkingDir: folder = "/", User: user } = this.#config;
    const path = this.#isWindows ? `/${belowDrive(folder)}` : folder;
    if (path === "/") this.#note(step);
    else this.#layer(step, { kind: "mkdir", ...this.#system(), path, ...(user && !this.#isWindows ? { user } : {}) });
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
