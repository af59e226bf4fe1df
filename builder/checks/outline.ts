/** `--call=outline`: what can be given to a build of one target: arguments, secrets, ssh agents. */
import { harmless } from "../diagnose/render.ts";
import type { Span } from "../diagnose/source.ts";
import type { Arg, Dockerfile, Stage, Word } from "../dockerfile/instruction.ts";
import type { SecretMount, SshMount } from "../dockerfile/read-mount.ts";
import { GlobalScope, type ScopeOptions } from "../dockerfile/scope.ts";
import { commentsAbove, descriptionOf } from "./lines.ts";
import { columns, dataOf, type Location, locationOf } from "./location.ts";
import { type Moment, walkStage } from "./walk.ts";

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
  const global = new GlobalScope(dockerfile, scope);
  // What bases set is not known here, and seldom part of a default.
  const walks = stages.map((stage) => walkStage(dockerfile, global, stage, undefined, scope.targetPlatform).moments);
  const args = argumentsOf(dockerfile, global, stages, walks, scope);
  const mounts = walks.flat().flatMap(({ raw, mounts: all }) => all.map((mount) => ({ mount, span: raw.span })));
  const secrets = mounts.flatMap(({ mount, span }) => (mount.type === "secret" ? [outlinedMount(mount, span)] : []));
  const ssh = mounts.flatMap(({ mount, span }) => (mount.type === "ssh" ? [outlinedMount(mount, span)] : []));
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
function argumentsOf(
  dockerfile: Dockerfile,
  global: GlobalScope,
  stages: readonly Stage[],
  walks: readonly (readonly Moment[])[],
  options: ScopeOptions,
): OutlinedArg[] {
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
  stages.forEach((stage, index) => {
    for (const word of [stage.from.image, stage.from.platform])
      if (word !== undefined) namesIn(word, global).forEach(useGlobal);
    for (const { arg, name, value } of declaredIn(walks[index] ?? [])) {
      const isInherited =
        arg.args.some((each) => each.name === name && each.value === undefined) &&
        options.buildArgs?.[name] === undefined &&
        global.lookup(name) !== undefined;
      if (isInherited) useGlobal(name);
      else if (!found.has(name)) found.set(name, outlined(arg, name, value));
    }
  });
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

/** The ARGs of a stage with what they come to. */
function declaredIn(moments: readonly Moment[]) {
  return moments.flatMap(({ raw, declared }) =>
    raw.kind === "ARG"
      ? raw.args.map(({ name }) => ({ arg: raw, name, value: declared.find((each) => each.name === name)?.value }))
      : [],
  );
}

function outlinedMount({ id, required }: SecretMount | SshMount, span: Span): OutlinedMount {
  return { name: id, ...(required ? { required: true as const } : {}), location: locationOf(span) };
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
