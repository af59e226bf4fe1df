/**
 * The context that a build is asked for: a folder, a tar on standard input or behind a URL, a git repository. Whatever it
 * is, in the end it is a folder, or a lone Dockerfile without any.
 */
import { createReadStream, statSync } from "node:fs";
import { posix } from "node:path";
import { addAbortSignal, type Readable } from "node:stream";
import type { Store } from "../../layerfs/store/store.ts";
import { WbuildError } from "../../native/error.ts";
import { readSteeringStream } from "../dockerfile/steering-file.ts";
import { parseGitUrl } from "./git/url.ts";
import { contextLimit } from "./limit.ts";
import { parseHttpUrl, type RemoteSources } from "./remote-sources.ts";

export interface MainContext {
  /** Absent: a lone Dockerfile, nothing to copy from. */
  readonly folder?: string;
  /** What stood in the context's place, or where -f - says so; absent: it lies in the folder. */
  readonly dockerfile?: { readonly name: string; readonly bytes: Buffer };
  /** The folder came from elsewhere: -f is a path in it. */
  readonly isRemote: boolean;
}

export interface MainOptions {
  readonly context: string;
  /** -f as typed. */
  readonly dockerfile?: string;
  readonly buildArgs: Readonly<Record<string, string>>;
}

export interface MainWorld {
  readonly store: Store;
  readonly signal: AbortSignal;
  readonly stdin: () => Readable;
}

/** Throws CTX_* and what reading standard input throws (SteeringFileError for one that is too large). */
export async function openMain(options: MainOptions, world: MainWorld, remote: RemoteSources): Promise<MainContext> {
  const { context, dockerfile } = options;
  const fromStdin = async () => ({
    name: "-",
    bytes: await readSteeringStream(addAbortSignal(world.signal, world.stdin())),
  });
  const url = dockerfile === undefined || isThere(dockerfile) ? undefined : parseHttpUrl(dockerfile);
  const lone =
    dockerfile === "-" ? { dockerfile: await fromStdin() } : url ? { dockerfile: await fetchedText(url, remote) } : {};
  if (context === "-")
    return dockerfile === "-" ? { ...lone, isRemote: false } : { ...(await fromStream(options, world)), ...lone };
  const isLocal = isThere(context);
  const git = isLocal ? undefined : parseGitUrl(context, { bare: true });
  if (git) {
    const keepGitDir = git.keepGitDir ?? isTrue(options.buildArgs.BUILDKIT_CONTEXT_KEEP_GIT_DIR);
    return { ...lone, folder: await remote.gitFolder(git, { keepGitDir }), isRemote: true };
  }
  const tar = isLocal ? undefined : parseHttpUrl(context);
  if (!tar) return { ...lone, folder: context, isRemote: false };
  const arrived = await remote.file(tar);
  const { isTarFile, unpackedTar } = await import("./unpacked-tar.ts");
  if (await isTarFile(arrived.path)) {
    return { ...lone, folder: await unpackedTar(world.store, arrived, arrived.shown), isRemote: true };
  }
  if (dockerfile !== undefined) throw noTar(arrived.shown);
  const bytes = await readSteeringStream(createReadStream(arrived.path));
  return { dockerfile: { name: arrived.shown, bytes }, isRemote: true };
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** A Dockerfile behind a URL. */
async function fetchedText(url: URL, remote: RemoteSources) {
  const { path, shown } = await remote.file(url);
  return { name: shown, bytes: await readSteeringStream(createReadStream(path)) };
}

/** A tar, or without -f a Dockerfile: the bytes tell. They are kept first, so that a tar that was here before is known. */
async function fromStream(options: MainOptions, { store, signal, stdin }: MainWorld): Promise<MainContext> {
  const { arrive, isTarFile, unpackedTar } = await import("./unpacked-tar.ts");
  await using place = await store.snapshots.reserve();
  const stream = addAbortSignal(signal, stdin()) as AsyncIterable<Uint8Array>;
  const arrived = await arrive(stream, place.scratch, contextLimit());
  if (await isTarFile(arrived.path)) {
    return { folder: await unpackedTar(store, arrived, "standard input"), isRemote: true };
  }
  if (options.dockerfile !== undefined) throw noTar("standard input");
  const bytes = await readSteeringStream(createReadStream(arrived.path));
  return { dockerfile: { name: "-", bytes }, isRemote: false };
}

function noTar(from: string): WbuildError {
  return new WbuildError("CTX_TAR", `${from} is no tar, so -f has nothing to look into`, {
    facts: { from },
    hint: "without -f it is taken as a Dockerfile",
  });
}

/** Where -f leads in a context that came from elsewhere: `..` stops at its root. */
export function pathInside(dockerfile: string): string {
  return posix.resolve("/", dockerfile).slice(1);
}

function isTrue(text: string | undefined): boolean {
  return /^(1|t|true)$/i.test(text ?? "");
}
