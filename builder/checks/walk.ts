/**
 * A stage read for the checks: each instruction with its variables replaced, and what is known before it. Nothing is carried
 * out, and what cannot be expanded is left as it is: the plan of the build tells of it.
 */
import type { Platform } from "../../layerfs/store/descriptor.ts";
import { expandInstruction } from "../dockerfile/expand.ts";
import type { Arg, Dockerfile, From, Instruction, Stage } from "../dockerfile/instruction.ts";
import { parseTrigger } from "../dockerfile/parse.ts";
import { type Mount, readMounts } from "../dockerfile/read-mount.ts";
import { type Argument, type GlobalScope, StageScope } from "../dockerfile/scope.ts";
import type { Lookup } from "../dockerfile/words.ts";

type Step = Exclude<Instruction, From>;

/** What the checks ask of a base image. */
export interface BaseFacts {
  readonly platform: Platform;
  readonly env: readonly string[];
  readonly hasShell: boolean;
  /** Its ONBUILD instructions. */
  readonly triggers: readonly string[];
}

/** A stage between two of its instructions. */
export interface StageState {
  readonly platform: Platform;
  /** SHELL was given, here or by the base. */
  readonly hasShell: boolean;
  /** A WORKDIR was given in this file. */
  readonly hasWorkdir: boolean;
}

/** One instruction of a stage. */
export interface Moment {
  readonly raw: Step;
  /** Expanded as far as it can be. */
  readonly step: Step;
  /** Variables that it uses and nothing has set or declared. */
  readonly unset: readonly string[];
  /** Where something is unset: the names that are set. */
  readonly known: readonly string[];
  readonly before: StageState;
  /** Of an ARG: what its names came to. */
  readonly declared: readonly Argument[];
  /** Of a RUN: its mounts, expanded. */
  readonly mounts: readonly Mount[];
}

/** A stage that was read to its end, for those that begin with it. */
export interface WalkedStage {
  readonly moments: readonly Moment[];
  readonly end: Reader;
}

/** `start` is an earlier stage or an image; undefined for scratch and for images of which nothing is known. */
export function walkStage(
  dockerfile: Dockerfile,
  global: GlobalScope,
  stage: Stage,
  start: WalkedStage | BaseFacts | undefined,
  platform: Platform,
): WalkedStage {
  const reader = new Reader(dockerfile, global, start, platform);
  const moments = stage.instructions.map((raw) => reader.read(raw));
  return { moments, end: reader };
}

/** Instructions of a stage for whose unset names a set one is suggested. */
const mostSuggestions = 50;

class Reader {
  readonly platform: Platform;
  readonly scope: StageScope;
  readonly triggers: string[] = [];
  hasShell = false;
  hasWorkdir = false;
  readonly #dockerfile: Dockerfile;
  readonly #global: GlobalScope;
  /** NAME → value, for the stages that begin with this one. */
  readonly #env = new Map<string, string>();
  readonly #declared = new Set<string>();
  #asked = 0;

  constructor(
    dockerfile: Dockerfile,
    global: GlobalScope,
    start: WalkedStage | BaseFacts | undefined,
    platform: Platform,
  ) {
    this.#dockerfile = dockerfile;
    this.#global = global;
    const base = start !== undefined && "end" in start ? start.end : undefined;
    const image = start !== undefined && "env" in start ? start : undefined;
    this.platform = base?.platform ?? image?.platform ?? platform;
    const env = image?.env ?? [...(base === undefined ? [] : base.#env)].map(([name, value]) => `${name}=${value}`);
    for (const pair of env) this.#env.set(pair.split("=", 1)[0] ?? "", pair.slice(pair.indexOf("=") + 1));
    for (const name of base === undefined ? [] : base.#declared) this.#declared.add(name);
    this.hasShell = base?.hasShell ?? image?.hasShell ?? false;
    this.hasWorkdir = base?.hasWorkdir ?? false;
    this.scope = new StageScope(global, env, base?.scope, this.platform.os);
    for (const text of base?.triggers ?? image?.triggers ?? []) this.#trigger(text);
  }

  read(raw: Step): Moment {
    const { scope, platform, hasShell, hasWorkdir } = this;
    const unset = new Set<string>();
    const lookup: Lookup = (name) => {
      const value = scope.lookup(name);
      if (value === undefined && raw.kind !== "EXPOSE" && !this.#isKnown(name)) unset.add(name);
      return value;
    };
    const step = this.#expand(raw, lookup);
    const mounts = this.#mounts(raw, lookup);
    // Attack: a hundred thousand unset names in as many variables, each compared with all.
    const known = unset.size === 0 || ++this.#asked > mostSuggestions ? [] : Object.keys(scope.runEnv()).slice(0, 1000);
    const before = { platform, hasShell, hasWorkdir };
    const declared = this.#apply(step);
    return { raw, step, unset: [...unset], known, before, declared, mounts };
  }

  /** Every image has a PATH; special parameters such as $@ are never variables. */
  #isKnown(name: string): boolean {
    return name === "PATH" || this.#declared.has(name) || !/^[\p{L}_]/u.test(name);
  }

  #expand(raw: Step, lookup: Lookup): Step {
    const { escape: escapeChar, source } = this.#dockerfile;
    try {
      if (raw.kind !== "ARG") return expandInstruction(raw, lookup, { escape: escapeChar, source });
      for (const { name, value } of raw.args)
        if (value !== undefined && this.#global.buildArg(name) === undefined) this.#global.expand(value, lookup);
    } catch {
      // As it is written.
    }
    return raw;
  }

  #mounts(raw: Step, lookup: Lookup): Mount[] {
    const { escape: escapeChar, source } = this.#dockerfile;
    if (raw.kind !== "RUN" || raw.mounts === undefined) return [];
    try {
      return readMounts(raw.mounts, lookup, escapeChar, source, this.platform.os);
    } catch {
      return [];
    }
  }

  #apply(step: Step): Argument[] {
    if (step.kind === "ARG") return this.#declare(step);
    if (step.kind === "ENV") {
      this.scope.setEnv(step.pairs);
      for (const { key, value } of step.pairs) this.#env.set(key.text, value.text);
    }
    if (step.kind === "SHELL") this.hasShell = true;
    if (step.kind === "WORKDIR") this.hasWorkdir = true;
    if (step.kind === "ONBUILD") this.triggers.push(step.trigger);
    return [];
  }

  #declare(step: Arg): Argument[] {
    for (const { name } of step.args) this.#declared.add(name);
    try {
      return this.scope.declare(step);
    } catch {
      // Its default cannot be expanded: declared it is all the same.
      return [];
    }
  }

  /** What a trigger sets is set; nobody is blamed for what it says. */
  #trigger(text: string): void {
    try {
      const step = parseTrigger(text, { name: "ONBUILD", text });
      if (step.kind !== "FROM") this.#apply(this.#expand(step, this.scope.lookup));
    } catch {
      // The plan tells.
    }
  }
}
