/** A target as the command line of one build: what `wbuild build` would have to be called with. */
import { isAbsolute, join } from "node:path";
import { isElsewhere } from "./elsewhere.ts";
import type { Target } from "./target.ts";
import { badValue } from "./value.ts";

export interface TargetArguments {
  readonly args: readonly string[];
  /** A Dockerfile that the bake file brings itself: `args` name it by `inlinePath`. */
  readonly inline?: string;
  /** `args` name standard input: what comes there is `inline`, or this file of the host. */
  readonly input?: { readonly path?: string };
}

/** A relative Dockerfile lies in the context. Throws BAKE_VALUE for standard input, which many targets cannot share. */
export function argumentsOf(target: Target, inlinePath: string): TargetArguments {
  const context = local(target.context ?? ".");
  const dockerfile = local(target.dockerfile ?? "Dockerfile");
  if (context === "-" || dockerfile === "-")
    throw badValue("a target cannot read its context or Dockerfile from standard input");
  const inline = target["dockerfile-inline"];
  const isOwn = target.dockerfile?.startsWith("cwd://") === true;
  const isRemote = isElsewhere(context);
  // A path would be one within the context.
  const isInput = isRemote && (inline !== undefined || isOwn);
  const isFixed = isAbsolute(dockerfile) || isOwn || isRemote;
  const file = isInput ? "-" : inline !== undefined ? inlinePath : isFixed ? dockerfile : join(context, dockerfile);
  const flags = [
    ...["-f", file],
    ...pairs("--build-arg", target.args),
    ...pairs("--build-context", mapValues(target.contexts, local)),
    ...pairs("--label", target.labels),
    ...pairs("--add-host", target["extra-hosts"]),
    ...each("-t", target.tags),
    ...each("--annotation", target.annotations),
    ...each("--attest", target.attest),
    ...each("--cache-from", target["cache-from"]),
    ...each("--cache-to", target["cache-to"]),
    ...each("--secret", target.secret),
    ...each("--ssh", target.ssh),
    ...each("--platform", target.platforms),
    ...each("--output", target.output),
    ...each("--no-cache-filter", target["no-cache-filter"]),
    ...each("--ulimit", target.ulimits),
    ...each("--allow", target.entitlements),
    ...one("--target", target.target),
    ...one("--network", target.network),
    ...one("--shm-size", target["shm-size"]),
    ...(target.call === undefined || target.call === "build" ? [] : [`--call=${target.call}`]),
    ...(target.pull ? ["--pull"] : []),
    ...(target["no-cache"] ? ["--no-cache"] : []),
  ];
  return {
    args: [...flags, "--", context],
    ...(inline === undefined ? {} : { inline }),
    ...(isInput ? { input: inline === undefined ? { path: dockerfile } : {} } : {}),
  };
}

/** `cwd://x` is a path of the caller's folder, also where the bake file came from elsewhere. */
function local(path: string): string {
  return path.startsWith("cwd://") ? join(".", path.slice("cwd://".length)) : path;
}

function mapValues(map: Readonly<Record<string, string>> | undefined, change: (value: string) => string) {
  return Object.fromEntries(Object.entries(map ?? {}).map(([name, value]) => [name, change(value)]));
}

function pairs(flag: string, map: Readonly<Record<string, string>> | undefined): string[] {
  return Object.entries(map ?? {}).map(([name, value]) => `${flag}=${name}=${value}`);
}

function each(flag: string, values: readonly string[] | undefined): string[] {
  return (values ?? []).flatMap((value) => (flag.startsWith("--") ? [`${flag}=${value}`] : [flag, value]));
}

function one(flag: string, value: string | undefined): string[] {
  return value === undefined || value === "" ? [] : [`${flag}=${value}`];
}
