/** Where the Dockerfile of a build lies, its text, and what is told of one that cannot be read. */
import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { WbuildError } from "../../native/error.ts";
import { nearest } from "../diagnose/nearest.ts";
import type { SourceText } from "../diagnose/source.ts";
import { readSteeringFile, SteeringFileError } from "../dockerfile/steering-file.ts";
import { type MainContext, pathInside } from "./main-context.ts";

const usual = "Dockerfile";
const refused = new Map([
  ["EACCES", "you may not read it"],
  ["ELOOP", "its links lead in a circle"],
]);

/** The path that `-f` (as typed) leads to, or the usual one in the context's folder. */
export function dockerfilePath(dockerfile: string | undefined, { folder = "", isRemote }: MainContext): string {
  if (dockerfile === undefined) return join(folder, usual);
  return isRemote ? join(folder, pathInside(dockerfile)) : dockerfile;
}

/**
 * The Dockerfile's text. As with docker, `dockerfile` will do where there is no `Dockerfile`. Throws CTX_NO_DOCKERFILE,
 * CTX_NO_FOLDER, and what asks to stop (`signal`).
 */
export async function readDockerfile(
  dockerfile: string | undefined,
  main: MainContext,
  signal: AbortSignal,
): Promise<SourceText> {
  if (main.dockerfile) return { name: main.dockerfile.name, text: main.dockerfile.bytes.toString("utf8") };
  const { folder = "", isRemote } = main;
  const path = dockerfilePath(dockerfile, main);
  // Where the store keeps a context from elsewhere is nobody's business.
  const name = isRemote ? pathInside(dockerfile ?? usual) : path;
  const read = (one: string) => readSteeringFile({ path: one, folder, signal });
  try {
    return { name, text: (await read(path)).toString("utf8") };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT" && basename(path) === usual) {
      const other = await read(join(dirname(path), usual.toLowerCase())).catch(() => undefined);
      if (other) return { name: join(dirname(name), usual.toLowerCase()), text: other.toString("utf8") };
    }
    if (dockerfile === undefined && !isRemote) refuseNoFolder(folder);
    refuseDockerfile(name, cause, besides(path, name));
  }
}

/** Throws CTX_NO_DOCKERFILE for what reading it threw. `instead`: what may have been meant. */
export function refuseDockerfile(name: string, cause: unknown, instead?: string): never {
  const { code } = cause as NodeJS.ErrnoException;
  const isOurs = cause instanceof SteeringFileError;
  if (!isOurs && code === undefined) throw cause;
  const isMissing = code === "ENOENT" || code === "ENOTDIR";
  const why = isOurs ? cause.message : isMissing ? "it is not there" : (refused.get(code ?? "") ?? String(code));
  throw new WbuildError("CTX_NO_DOCKERFILE", `cannot read ${name}: ${why}`, {
    ...(isOurs || isMissing ? {} : { cause }),
    facts: { path: name },
    hint: isMissing
      ? instead === undefined
        ? "write one there, or name another with -f"
        : `did you mean -f ${instead}?`
      : isOurs
        ? "a Dockerfile is a text of the context, or named with -f; a link to it must stay in the context"
        : "look at its mode and owner with `ls -l`",
  });
}

/** A context that is missing, or that is the Dockerfile itself, is told as that. */
function refuseNoFolder(folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  throw new WbuildError("CTX_NO_FOLDER", `${folder} is ${found ? "no folder" : "not there"}: a build needs a context`, {
    facts: { path: folder },
    ...(found?.isFile() ? { hint: asFile(folder) } : {}),
  });
}

function asFile(path: string): string {
  return /\.(tar|tgz|tar\.[a-z0-9]+)$/i.test(path)
    ? `for a context in a tar: wbuild - < ${path}`
    : `for a Dockerfile of that name: wbuild -f ${path} ${dirname(path)}`;
}

/** A file beside the one that is missing that may have been meant: spelled nearly so, or podman's Containerfile. */
function besides(path: string, name: string): string | undefined {
  try {
    const files = readdirSync(dirname(path));
    const near = nearest(basename(path), files) ?? files.find((file) => file === "Containerfile");
    return near === undefined ? undefined : join(dirname(name), near);
  } catch {
    return undefined;
  }
}
