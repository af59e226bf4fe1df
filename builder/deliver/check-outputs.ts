/** What cannot be delivered, told before any step is carried out: outputs are written last, when all else was done. */
import { accessSync, constants, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { WbuildError } from "../../native/error.ts";
import type { BuildRequest } from "../build-request.ts";
import { checkAnnotations } from "../image/output/annotate.ts";
import type { OutputSpec } from "../image/output/output-spec.ts";
import { nameFor } from "../image/stored/local.ts";
import { isMultiPlatform } from "./deliver.ts";

/**
 * Throws REG_ARCHIVE_FORMAT: a docker archive holds one platform; REG_REFERENCE: a name that no image can have;
 * CLI_OUTPUT: a path that cannot be written, an index's annotation where there will be none.
 */
export function checkOutputs(request: BuildRequest, platforms: number): void {
  const { outputs } = request;
  if (platforms > 1 && outputs.some((output) => output.type === "docker"))
    throw new WbuildError(
      "REG_ARCHIVE_FORMAT",
      `a docker archive holds one platform, and the build is for ${platforms}: it has no place for an index`,
      { facts: { platforms }, hint: "write an OCI archive (type=oci), or build for one platform" },
    );
  for (const name of request.tags) nameFor(name);
  for (const output of outputs) {
    if ("names" in output) for (const name of output.names) nameFor(name);
    if ("dest" in output && output.dest !== "-") checkDestination(output);
  }
  checkFile("--iidfile", request.iidfile);
  checkFile("--metadata-file", request.metadataFile);
  const own = outputs.flatMap((output) => ("annotations" in output ? (output.annotations ?? []) : []));
  const hasIndex = platforms > 1 || isMultiPlatform(request) || request.attest !== undefined;
  checkAnnotations([...(request.annotations ?? []), ...own], hasIndex);
}

function checkFile(flag: string, path: string | undefined): void {
  if (path === undefined) return;
  const folder = dirname(resolve(path));
  const what = `${flag} ${path}`;
  if (!found(folder)?.isDirectory())
    throw refused(what, path, `there is no folder ${folder}`, "make it first, or give another path");
  checkPlace(what, path, false);
}

/** Folders above a destination are made when it is written. */
function checkDestination(output: Extract<OutputSpec, { dest: string }>): void {
  const { type, dest } = output;
  const isFolder = type === "local" || ("folder" in output && output.folder);
  checkPlace(`--output type=${type},dest=${dest}`, dest, isFolder);
}

/** The path itself where it is there, else the folder that it will be made in. */
function checkPlace(what: string, path: string, isFolder: boolean): void {
  const there = found(resolve(path));
  if (there && isFolder && !there.isDirectory())
    throw refused(what, path, "that is a file, where a folder is needed", "remove it, or give another path");
  if (there?.isDirectory() && !isFolder)
    throw refused(what, path, "that is a folder, where a file is needed", `give it a name: ${path}/NAME`);
  // A device or a pipe is written to.
  const isReplaced = there === undefined || there.isFile();
  let place = resolve(path);
  if (isReplaced)
    do place = dirname(place);
    while (!found(place));
  try {
    accessSync(place, constants.W_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "EROFS" ? `the file system of ${place} is read-only` : `you may not write in ${place}`;
    throw refused(what, path, why, "give another path", cause);
  }
  if (isReplaced && !found(place)?.isDirectory())
    throw refused(what, path, `${place} is no folder`, "give another path");
}

/** Nothing where the way there is a file's, or closed to us. */
function found(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function refused(what: string, path: string, why: string, hint: string, cause?: unknown): WbuildError {
  return new WbuildError("CLI_OUTPUT", `${what}: ${why}`, {
    facts: { path },
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}
