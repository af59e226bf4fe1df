/** Builds cases with wbuild, in this process, and says what came out. */
import { createReadStream } from "node:fs";
import { chmod, link, lutimes, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { linuxBaseName, makeLinuxBase } from "../../builder/base/linux.ts";
import { readConfig, readManifest } from "../../builder/image/stored/stored-image.ts";
import type { BuildEvent } from "../../builder/progress/events.ts";
import { openStore, type Store } from "../../layerfs/store/store.ts";
import { isWbuildError } from "../../native/error.ts";
import type { ContainerConfig } from "../../registry/oci/image.ts";
import { runBuild, usualRequest, warningsIn } from "../doubles/builds.ts";
import { type Case, type FileSpec, standardContext } from "./case.ts";
import { changesBetween, type Listing, listTar } from "./tree.ts";

export interface Outcome {
  readonly tree?: readonly string[];
  readonly config?: ContainerConfig;
  readonly history?: readonly string[];
  /** Files that have the time of the context's. */
  readonly oldFiles?: readonly string[];
  readonly warnings: readonly string[];
  /** Its code, and what it says. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** When every file of a context was changed. */
const contextTime = new Date("2020-01-01T00:00:00Z");

/** A store with the offline base, and a folder in which contexts and results are put. */
export class CaseBuilder implements AsyncDisposable {
  readonly folder: string;
  readonly store: Store;
  readonly #contexts = new Map<object, Promise<string>>();
  #base: Promise<Listing> | undefined;
  #made: Promise<unknown> | undefined;
  #count = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.store = openStore(join(folder, "home"));
  }

  static async open(): Promise<CaseBuilder> {
    return new CaseBuilder(await mkdtemp(join(tmpdir(), "wbuild-conformance-")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.store[Symbol.dispose]();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The folder of a case's context, written once for all who share it. */
  contextOf({ context = standardContext }: Case): Promise<string> {
    const known = this.#contexts.get(context) ?? this.#write(context);
    this.#contexts.set(context, known);
    return known;
  }

  async #write(context: Readonly<Record<string, FileSpec>>): Promise<string> {
    const folder = join(this.folder, `context-${this.#count++}`);
    await mkdir(folder);
    await writeContext(folder, context);
    return folder;
  }

  async build(one: Case): Promise<Outcome> {
    const context = await this.contextOf(one);
    const own = join(this.folder, `case-${this.#count++}`);
    await mkdir(own);
    const dockerfile = join(own, "Dockerfile");
    await writeFile(dockerfile, `${one.file.join("\n")}\n`);
    const isOnBase = one.file.some((line) => line.includes("wbuild.local/linux"));
    if (isOnBase) await this.makeBase();
    const tar = join(own, "tree.tar");
    const events: BuildEvent[] = [];
    try {
      const request = {
        ...usualRequest,
        ...one.request,
        context,
        dockerfile,
        outputs: [
          { type: "tar", dest: tar },
          { type: "image", names: [], push: false },
        ],
      } as const;
      const result = await runBuild(this.store, request, events);
      const manifest = await readManifest(this.store, result.manifest);
      const { config = {}, history = [] } = await readConfig(this.store, manifest.config);
      const base = isOnBase && isFromBase(one) ? await this.baseListing() : new Map();
      const { listing, oldFiles } = await listResult(tar);
      return {
        tree: changesBetween(base, listing),
        oldFiles,
        config,
        history: history.map((line) => line.created_by ?? "").filter((text) => text !== "wbuild base linux"),
        warnings: warningsIn(events),
      };
    } catch (error) {
      if (!isWbuildError(error)) throw error;
      return { error: { code: error.code, message: error.message }, warnings: warningsIn(events) };
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  }

  /** The base as an archive that `docker load` takes. */
  async baseArchive(): Promise<string> {
    await this.makeBase();
    const dest = join(this.folder, "base-image.tar");
    const file = await this.#onlyFrom();
    await runBuild(this.store, { ...file, outputs: [{ type: "docker", names: [linuxBaseName], dest, folder: false }] });
    return dest;
  }

  makeBase(): Promise<unknown> {
    this.#made ??= makeLinuxBase(this.store);
    return this.#made;
  }

  baseListing(): Promise<Listing> {
    this.#base ??= (async () => {
      const dest = join(this.folder, "base.tar");
      await runBuild(this.store, { ...(await this.#onlyFrom()), outputs: [{ type: "tar", dest }] });
      return listTar(createReadStream(dest));
    })();
    return this.#base;
  }

  /** A build of the base and nothing else. */
  async #onlyFrom() {
    const context = join(this.folder, `empty-${this.#count++}`);
    await mkdir(context);
    const dockerfile = join(context, "Dockerfile");
    await writeFile(dockerfile, `FROM ${linuxBaseName}\n`);
    return { ...usualRequest, context, dockerfile };
  }
}

/** What a tar of a result holds. */
export async function listResult(tar: string): Promise<{ listing: Listing; oldFiles: string[] }> {
  const oldFiles: string[] = [];
  const time = BigInt(contextTime.getTime()) * 1_000_000n;
  const listing = await listTar(createReadStream(tar), (path, mtimeNs) => {
    if (mtimeNs === time) oldFiles.push(path);
  });
  return { listing, oldFiles: oldFiles.sort() };
}

/** The stage that is built stands on the base, be it by way of others; else all of its files count. */
export function isFromBase({ file, request }: Case): boolean {
  const froms = file.flatMap((line) => /^FROM (?:--\S+ )*(\S+)(?: AS (\S+))?/i.exec(line)?.slice(1) ?? []);
  const stages = new Map<string, string>();
  let last = "";
  for (let i = 0; i < froms.length; i += 2) {
    const image = froms[i] ?? "";
    last = stages.get(image.toLowerCase()) ?? image;
    stages.set(String(i / 2), last);
    if (froms[i + 1]) stages.set((froms[i + 1] ?? "").toLowerCase(), last);
  }
  const { target } = request ?? {};
  return (target === undefined ? last : (stages.get(target.toLowerCase()) ?? "")).startsWith("wbuild.local/linux");
}

/** Writes files as they are described, each with the time that all of them have. */
async function writeContext(folder: string, files: Readonly<Record<string, FileSpec>>): Promise<void> {
  const folders: [path: string, mode: number][] = [];
  for (const [name, spec] of Object.entries(files)) {
    const path = join(folder, name);
    const file = typeof spec === "string" ? { text: spec } : spec;
    await mkdir(file.folder ? path : dirname(path), { recursive: true });
    if (file.folder) folders.push([path, file.mode ?? 0o755]);
    else if (file.to !== undefined) await symlink(file.to, path);
    else if (file.same !== undefined) await link(join(folder, file.same), path);
    else {
      await writeFile(path, file.bytes ?? file.text ?? "");
      await chmod(path, file.mode ?? 0o644);
    }
    if (!file.folder) await lutimes(path, contextTime, contextTime);
  }
  const above = new Set(Object.keys(files).flatMap((name) => parentsOf(name)));
  for (const name of [...above].sort().reverse()) await chmod(join(folder, name), 0o755);
  for (const [path, mode] of folders) await chmod(path, mode);
  for (const name of [...above].sort().reverse()) await utimes(join(folder, name), contextTime, contextTime);
}

function parentsOf(name: string): string[] {
  const parts = name.replace(/\/$/, "").split("/");
  return parts.slice(0, -1).map((_, i) => parts.slice(0, i + 1).join("/"));
}
