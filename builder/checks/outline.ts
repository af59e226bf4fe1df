/** `--call=outline`: what can be given to a build of one target: arguments, secrets, ssh agents. */
import { posix } from "node:path";
import { harmless } from "../diagnose/render.ts";
import type { Span } from "../diagnose/source.ts";
import type { Arg, Dockerfile, Stage, Word } from "../dockerfile/instruction.ts";
import { GlobalScope, type ScopeOptions } from "../dockerfile/scope.ts";
import { commentsAbove, descriptionOf } from "./lines.ts";
import { columns, dataOf, type Location, locationOf } from "./location.ts";
import { walkStage } from "./walk.ts";

interface OutlinedArg {
  readonly name: string;
  readonly description?: string;
  /** Given, or its default; absent: none. */
  readonly value?: string;
  readonly location: Location;
}

interface OutlinedMount {
  readonly name: string;
  readonly required?: true;
  readonly location: Location;
}

/** As BuildKit answers `frontend.outline`. */
export interface Outline {
  readonly name?: string;
  readonly description?: string;
  readonly args?: readonly OutlinedArg[];
  readonly secrets?: readonly OutlinedMount[];
  readonly ssh?: readonly OutlinedMount[];
  readonly sources: readonly string[];
}

/** `stages` are those that the target needs, itself included, in the order of the file. Throws DF_EXPANSION. */
export function outlineOf(
  dockerfile: Dockerfile,
  target: Stage,
  stages: readonly Stage[],
  scope: ScopeOptions,
): Outline {
  const above = commentsAbove(dockerfile);
  const description = target.from.as === undefined ? undefined : descriptionOf(above(target.from), target.from.as);
  const args = argumentsOf(dockerfile, stages, scope);
  const mounts = stages.flatMap((stage) => mountsOf(stage));
  const secrets = mounts.filter(({ type }) => type === "secret").map(({ mount }) => mount);
  const ssh = mounts.filter(({ type }) => type === "ssh").map(({ mount }) => mount);
  return {
    ...(target.from.as === undefined ? {} : { name: target.from.as }),
    ...(description === undefined ? {} : { description }),
    ...(args.length === 0 ? {} : { args }),
    ...(secrets.length === 0 ? {} : { secrets: firstOf(secrets) }),
    ...(ssh.length === 0 ? {} : { ssh: firstOf(ssh) }),
    sources: [dataOf(dockerfile.source)],
  };
}

/** Those that the stages declare, the global ones that these or FROM use, and what those in turn are made of. */
function argumentsOf(dockerfile: Dockerfile, stages: readonly Stage[], options: ScopeOptions): OutlinedArg[] {
  const global = new GlobalScope(dockerfile, options);
  const above = commentsAbove(dockerfile);
  const outlined = (arg: Arg, name: string, value: string | undefined): OutlinedArg => {
    const description = descriptionOf(above(arg), name);
    return {
      name,
      ...(description === undefined ? {} : { description }),
      ...(value === undefined ? {} : { value }),
      location: locationOf(arg.span),
    };
  };
  const globals = new Map<string, { arg: Arg; value: Word | undefined }>();
  for (const arg of dockerfile.globalArgs) for (const { name, value } of arg.args) globals.set(name, { arg, value });
  const found = new Map<string, OutlinedArg>();
  const useGlobal = (name: string): void => {
    const known = globals.get(name);
    if (known === undefined || found.has(name)) return;
    found.set(name, outlined(known.arg, name, global.lookup(name)));
    if (known.value !== undefined && options.buildArgs?.[name] === undefined)
      namesIn(known.value, global).forEach(useGlobal);
  };
  for (const stage of stages) {
    for (const word of [stage.from.image, stage.from.platform])
      if (word !== undefined) namesIn(word, global).forEach(useGlobal);
    for (const { arg, name, value } of declaredIn(dockerfile, global, stage, options)) {
      const isInherited =
        arg.args.some((each) => each.name === name && each.value === undefined) &&
        options.buildArgs?.[name] === undefined &&
        global.lookup(name) !== undefined;
      if (isInherited) useGlobal(name);
      else if (!found.has(name)) found.set(name, outlined(arg, name, value));
    }
  }
  return [...found.values()].sort((a, b) => lineOf(a.location) - lineOf(b.location));
}

function lineOf({ ranges }: Location): number {
  return ranges[0]?.start.line ?? 0;
}

function namesIn(word: Word, global: GlobalScope): string[] {
  const names: string[] = [];
  global.expand(word, (name) => {
    names.push(name);
    return global.lookup(name);
  });
  return names;
}

/** The ARGs of a stage with what they come to. What its base sets is not known here, and seldom part of a default. */
function declaredIn(dockerfile: Dockerfile, global: GlobalScope, stage: Stage, options: ScopeOptions) {
  const { moments } = walkStage(dockerfile, global, stage, undefined, options.targetPlatform);
  return moments.flatMap(({ raw, declared }) =>
    raw.kind === "ARG"
      ? raw.args.map(({ name }) => ({ arg: raw, name, value: declared.find((each) => each.name === name)?.value }))
      : [],
  );
}

interface FoundMount {
  readonly type: string | undefined;
  readonly mount: OutlinedMount;
}

function mountsOf(stage: Stage): FoundMount[] {
  return stage.instructions.flatMap((instruction) =>
    instruction.kind === "RUN" ? (instruction.mounts ?? []).map((word) => readMount(word, instruction.span)) : [],
  );
}

/** Only what the outline tells: kind, name, and whether it must be given. */
function readMount({ text }: Word, span: Span): FoundMount {
  const fields = new Map(
    text.split(",").map((field) => {
      const [key = "", ...rest] = field.split("=");
      return [key.trim().toLowerCase(), rest.join("=")];
    }),
  );
  const type = fields.get("type");
  const target = fields.get("target") ?? fields.get("dst") ?? fields.get("destination");
  const fallback = type === "ssh" ? "default" : posix.basename(target ?? "");
  const required = fields.get("required");
  const mount = {
    name: fields.get("id") ?? fields.get("source") ?? fields.get("src") ?? fallback,
    ...(required === "" || required?.toLowerCase() === "true" ? { required: true as const } : {}),
    location: locationOf(span),
  };
  return { type, mount };
}

/** One for each name. */
function firstOf(mounts: readonly OutlinedMount[]): OutlinedMount[] {
  return [...new Map(mounts.toReversed().map((mount) => [mount.name, mount])).values()].toReversed();
}

export function printOutline({ name, description, args = [], secrets = [], ssh = [] }: Outline): string {
  const head = [
    ...(name === undefined ? [] : [["TARGET:", name]]),
    ...(description === undefined ? [] : [["DESCRIPTION:", harmless(description)]]),
  ];
  const mounts = (title: string, all: readonly OutlinedMount[]) => [
    [title, "REQUIRED"],
    ...all.map((mount) => [harmless(mount.name), mount.required ? "true" : ""]),
  ];
  return [
    ...(head.length === 0 ? [] : [columns(head, 1)]),
    ...(args.length === 0
      ? []
      : [
          columns(
            [
              ["BUILD ARG", "VALUE", "DESCRIPTION"],
              ...args.map((arg) => [harmless(arg.name), harmless(arg.value ?? ""), harmless(arg.description ?? "")]),
            ],
            3,
          ),
        ]),
    ...(secrets.length === 0 ? [] : [columns(mounts("SECRET", secrets), 3)]),
    ...(ssh.length === 0 ? [] : [columns(mounts("SSH", ssh), 3)]),
  ]
    .map((block) => `${block}\n`)
    .join("");
}
