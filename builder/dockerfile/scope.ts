/**
 * Which variables are visible where: global ARGs, a stage's ARGs, ENV, --build-arg, platform and proxy arguments
 * (Dockerfile reference, "ARG", "Scope", "Predefined ARGs" and "Automatic platform ARGs").
 */
import type { Platform } from "../../layerfs/store/descriptor.ts";
import type { Arg, Dockerfile } from "./instruction.ts";
import { expandWord, type Lookup } from "./words.ts";

/** Available to RUN without ARG, in no history and no cache key: they often hold a password. Both cases of letters. */
const proxyNames: ReadonlySet<string> = new Set(
  ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
);

/** Also in mixed case: on Windows `Http_Proxy` is the same variable, and its value as secret. */
export function isProxy(name: string): boolean {
  return proxyNames.has(name) || proxyNames.has(name.toUpperCase());
}

/** Build arguments that mean something to the build itself, and so are used without any ARG. */
function isBuilders(name: string): boolean {
  return name === "SOURCE_DATE_EPOCH" || name.startsWith("BUILDKIT_");
}

export interface ScopeOptions {
  /** --build-arg NAME=value. A bare `--build-arg NAME` takes the caller's environment before it comes here. */
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly buildPlatform: Platform;
  readonly targetPlatform: Platform;
  /** Name of the target stage; "default" when none was asked for. */
  readonly target?: string;
}

/** One ARG as it took effect; value undefined: declared, but nobody gave it one. */
export interface Argument {
  readonly name: string;
  readonly value?: string;
}

function platformArguments(options: ScopeOptions): [string, string][] {
  const of = (prefix: string, platform: Platform): [string, string][] => [
    [`${prefix}PLATFORM`, [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/")],
    [`${prefix}OS`, platform.os],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ""],
    [`${prefix}OSVERSION`, platform["os.version"] ?? ""],
  ];
  return [
    ...of("BUILD", options.buildPlatform),
    ...of("TARGET", options.targetPlatform),
    ["TARGETSTAGE", options.target ?? "default"],
  ];
}

/** What FROM sees, and what a stage's bare ARG falls back to. */
export class GlobalScope {
  readonly #values = new Map<string, string>();
  readonly #buildArgs: ReadonlyMap<string, string>;
  readonly #used = new Set<string>();
  readonly #dockerfile: Dockerfile;

  /** Evaluates the ARGs before the first FROM. Throws DF_EXPANSION. */
  constructor(dockerfile: Dockerfile, options: ScopeOptions) {
    this.#dockerfile = dockerfile;
    this.#buildArgs = new Map(Object.entries(options.buildArgs ?? {}));
    for (const [name, value] of platformArguments(options)) {
      this.#values.set(name, this.#buildArgs.get(name) ?? value);
      this.#used.add(name);
    }
    for (const arg of dockerfile.globalArgs) {
      for (const { name, value } of arg.args) {
        const given = this.buildArg(name);
        if (given !== undefined) this.#values.set(name, given);
        else if (value !== undefined) this.#values.set(name, this.expand(value, this.lookup));
      }
    }
  }

  /** For the words of FROM. */
  readonly lookup: Lookup = (name) => this.#values.get(name);

  /** Words of this Dockerfile against any lookup, with its escape character. */
  expand(word: Parameters<typeof expandWord>[0], scope: Lookup): string {
    return expandWord(word, scope, this.#dockerfile.escape, this.#dockerfile.source);
  }

  /** The value of --build-arg for a name that some ARG declares; remembers that it was wanted. */
  buildArg(name: string): string | undefined {
    const value = this.#buildArgs.get(name);
    if (value !== undefined) this.#used.add(name);
    return value;
  }

  /** Proxy settings among the build arguments: for the environment of RUN only. */
  proxies(): [string, string][] {
    return [...this.#buildArgs].filter(([name]) => proxyNames.has(name));
  }

  /** Names of --build-arg that no ARG has asked for, in the order given: worth a warning after all stages are read. */
  unused(): string[] {
    return [...this.#buildArgs.keys()].filter(
      (name) => !this.#used.has(name) && !proxyNames.has(name) && !isBuilders(name),
    );
  }
}

/** Variables in order of their first setting. Without letter case (Windows) the first spelling of a name stays. */
class Variables<T> {
  readonly #foldsCase: boolean;
  readonly #values = new Map<string, { readonly name: string; readonly value: T }>();

  constructor(foldsCase: boolean) {
    this.#foldsCase = foldsCase;
  }

  #key(name: string): string {
    return this.#foldsCase ? name.toUpperCase() : name;
  }

  get(name: string): T | undefined {
    return this.#values.get(this.#key(name))?.value;
  }

  has(name: string): boolean {
    return this.#values.has(this.#key(name));
  }

  set(name: string, value: T): void {
    const known = this.#values.get(this.#key(name));
    this.#values.set(this.#key(name), { name: known?.name ?? name, value });
  }

  delete(name: string): void {
    this.#values.delete(this.#key(name));
  }

  *[Symbol.iterator](): IterableIterator<[name: string, value: T]> {
    for (const { name, value } of this.#values.values()) yield [name, value];
  }
}

/** For the programs that look through what a build made, not for its steps. */
const notInEnvironment = new Set(["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"]);

/** The variables of one stage while its instructions are read in order. */
export class StageScope {
  readonly #global: GlobalScope;
  readonly #foldsCase: boolean;
  readonly #env: Variables<string>;
  readonly #args: Variables<string | undefined>;
  /** What counts: an ENV and an ARG with a value set the same variable, and the later one wins. */
  readonly #state: Variables<string>;
  /** Names of ARGs, as often as they were declared. */
  readonly #declared: string[] = [];

  /**
   * `env` is the base image's, as NAME=value. A stage built on another stage of the file passes that stage's scope:
   * its ARGs are inherited, as in BuildKit. `os` windows: names of variables have no letter case.
   */
  constructor(global: GlobalScope, env: readonly string[], base?: StageScope, os = "linux") {
    this.#global = global;
    this.#foldsCase = os === "windows";
    this.#env = new Variables(this.#foldsCase);
    this.#args = new Variables(this.#foldsCase);
    this.#state = new Variables(this.#foldsCase);
    if (base !== undefined) {
      this.#declared.push(...base.#declared);
      for (const [name, value] of base.#args) this.#setArg(name, value);
    }
    for (const each of env) {
      const equals = each.indexOf("=");
      if (equals < 0) this.#set(each, "");
      else this.#set(each.slice(0, equals), each.slice(equals + 1));
    }
  }

  #set(name: string, value: string): void {
    this.#env.set(name, value);
    this.#state.set(name, value);
  }

  #setArg(name: string, value: string | undefined): void {
    if (value !== undefined || !this.#args.has(name)) this.#args.set(name, value);
    if (value !== undefined && !notInEnvironment.has(name)) this.#state.set(name, value);
  }

  /** For the words of this stage's instructions. Proxies are not visible unless declared. */
  readonly lookup: Lookup = (name) => this.#state.get(name);

  /**
   * Applies an ARG and tells what it came to. Value: --build-arg, else the default (expanded with what is visible now),
   * else the global ARG or platform argument of that name, else what the variable had. Throws DF_EXPANSION.
   */
  declare(arg: Arg): Argument[] {
    return arg.args.map(({ name, value }) => {
      const effective =
        this.#global.buildArg(name) ??
        (value === undefined ? this.#global.lookup(name) : this.#global.expand(value, this.lookup));
      this.#declared.push(name);
      this.#setArg(name, effective);
      return effective === undefined ? { name } : { name, value: effective };
    });
  }

  /** Applies an ENV whose words are expanded already. */
  setEnv(
    pairs: readonly { readonly key: { readonly text: string }; readonly value: { readonly text: string } }[],
  ): void {
    for (const { key, value } of pairs) this.#set(key.text, value.text);
  }

  #runVariables(): Variables<string> {
    const found = new Variables<string>(this.#foldsCase);
    for (const [name, value] of this.#global.proxies()) found.set(name, value);
    // In this order, which is part of steps' keys.
    for (const [name] of [...this.#args, ...this.#env]) {
      const value = this.#state.get(name);
      if (value !== undefined) found.set(name, value);
    }
    return found;
  }

  /** What a RUN finds in its environment: proxies, ARGs that have a value, ENV. */
  runEnv(): Record<string, string> {
    return Object.fromEntries(this.#runVariables());
  }

  /** runEnv without undeclared proxies: what may decide a cache key. */
  keyEnv(): Record<string, string> {
    const found = this.#runVariables();
    for (const [name] of this.#global.proxies()) if (!this.#args.has(name) && !this.#env.has(name)) found.delete(name);
    return Object.fromEntries(found);
  }

  /**
   * `NAME=value` of each ARG declared so far, as the history of a RUN lists them (`RUN |1 A=b …`): the variable's value then,
   * whoever set it. Proxies are left out even when declared: their values may hold a password.
   */
  historyArgs(): string[] {
    return this.#declared
      .filter((name) => !isProxy(name))
      .map((name) => `${name}=${this.#state.get(name) ?? this.#args.get(name) ?? ""}`);
  }
}
