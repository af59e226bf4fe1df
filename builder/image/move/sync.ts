/** Many images from registries to one place, after a list: what `sync` does. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Platform } from "../../../layerfs/store/descriptor.ts";
import { isDigest } from "../../../layerfs/store/digest.ts";
import { WbuildError } from "../../../native/error.ts";
import type { RegistryClient, RegistryOptions } from "../../../registry/client.ts";
import { formatName, formatReference, type Reference } from "../../../registry/reference.ts";
import type { SyncRegistry } from "../../../registry/sync/file.ts";
import type { Report } from "../../progress/events.ts";
import { copyPlaces } from "./copy.ts";
import { formatPlace, type Place, type PlaceWorld, parsePlace } from "./copy-place.ts";

export interface SyncStep {
  readonly client: RegistryClient;
  readonly from: Reference;
  readonly to: Place;
}

export interface SyncOptions extends Pick<RegistryOptions, "userAgent" | "warn" | "signal"> {
  /** With registry and whole path of the source below the destination; else the last part of the name alone. */
  readonly scoped: boolean;
  readonly plainHttp: readonly string[];
  readonly insecure: readonly string[];
  /** Called for what failed, which then does not end the rest; absent: the first failure does. */
  readonly onFailure?: (what: string, error: unknown) => void;
}

/**
 * What has to be copied where; asks registries for their tags. `clients` takes what has to be closed.
 * Throws REG_SYNC_FILE when two images would get one name, and what listing tags throws.
 */
export async function planSync(
  list: readonly SyncRegistry[],
  destination: string,
  clients: RegistryClient[],
  options: SyncOptions,
): Promise<SyncStep[]> {
  const steps: SyncStep[] = [];
  const taken = new Map<string, string>();
  for (const one of list) {
    const client = await clientOf(one, options);
    clients.push(client);
    for (const image of one.images) {
      const name = { registry: one.registry, repository: image.repository };
      const tags = await tagsOf(client, name, image, options);
      for (const each of tags) {
        const from: Reference = { ...name, ...(isDigest(each) ? { digest: each } : { tag: each }) };
        const to = targetOf(destination, from, options.scoped);
        const [shown, source] = [formatPlace(to), formatReference(from)];
        const other = taken.get(shown);
        if (other === source) continue;
        if (other !== undefined)
          throw new WbuildError("REG_SYNC_FILE", `${other} and ${source} would both become ${shown}`, {
            facts: { images: [other, source], target: shown },
            hint: "--scoped keeps registry and path in the names",
          });
        taken.set(shown, source);
        steps.push({ client, from, to });
      }
    }
  }
  return steps;
}

async function tagsOf(
  client: RegistryClient,
  name: Pick<Reference, "registry" | "repository">,
  { wanted, rule }: SyncRegistry["images"][number],
  { onFailure }: SyncOptions,
): Promise<readonly string[]> {
  if (wanted.length > 0) return wanted;
  try {
    const all = await client.repository(name).tags();
    return rule ? all.filter(rule) : all;
  } catch (error) {
    if (!onFailure) throw error;
    onFailure(formatName(name), error);
    return [];
  }
}

/** Each registry of the list is asked as it says there; what it does not say is as everywhere. */
async function clientOf(one: SyncRegistry, options: SyncOptions): Promise<RegistryClient> {
  const { openRegistry } = await import("../../../registry/client.ts");
  const { registry, credentials, tlsVerify, certDir } = one;
  const { userAgent, warn, signal, plainHttp, insecure } = options;
  const ca = certDir === undefined ? undefined : await authoritiesIn(certDir);
  return openRegistry({
    userAgent,
    warn,
    ...(signal ? { signal } : {}),
    plainHttp,
    insecure: tlsVerify ? insecure : [registry],
    ...(credentials ? { credentials: { find: async (host) => (host === registry ? credentials : undefined) } } : {}),
    ...(ca === undefined ? {} : { ca }),
  });
}

async function authoritiesIn(folder: string): Promise<string> {
  try {
    const names = (await readdir(folder)).filter((name) => name.endsWith(".crt"));
    return (await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")))).join("\n");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new WbuildError("REG_SYNC_FILE", `cert-dir ${folder.slice(0, 200)} cannot be read: ${code ?? "unknown"}`, {
      cause: error,
    });
  }
}

/** As skopeo names them: the source's name, or its last part, below the destination. */
function targetOf(destination: string, from: Reference, scoped: boolean): Place {
  const { registry, repository, tag, digest } = from;
  const path = scoped ? `${registry}/${repository}` : (repository.split("/").at(-1) ?? repository);
  const suffix = tag === undefined ? `@${digest}` : `:${tag}`;
  const [, kind, folder] = /^(oci|dir):(.+)$/s.exec(destination) ?? [];
  if (kind === "dir" && folder !== undefined) return { kind, path: join(folder, `${path}${suffix}`) };
  if (kind === "oci" && folder !== undefined)
    return { kind, path: folder.replace(/:$/, ""), image: `${path}${suffix}` };
  const base = destination.replace(/^docker:\/\//, "").replace(/\/+$/, "");
  // A port is no part that a reference could have further down its path.
  const below = scoped ? path.replace(/:(\d+)\//, "/") : path;
  return parsePlace(`docker://${base}/${below}${suffix}`);
}

export interface SyncRun {
  readonly report: Report;
  readonly platform?: Platform;
  readonly includeReferrers: boolean;
  /** Told of each image that is there. */
  readonly onDone: (to: string, digest: string) => void;
  readonly onFailure?: (what: string, error: unknown) => void;
}

/** One image after the other; the blobs of each go side by side. Throws the first failure, unless `onFailure` takes it. */
export async function runSync(steps: readonly SyncStep[], world: PlaceWorld, run: SyncRun): Promise<void> {
  for (const { client, from, to } of steps) {
    world.signal.throwIfAborted();
    try {
      const place: Place = { kind: "registry", reference: from };
      const { descriptor } = await copyPlaces(place, to, world, {
        report: run.report,
        sourceClient: client,
        ...(run.platform ? { platform: run.platform } : {}),
        includeReferrers: run.includeReferrers,
      });
      run.onDone(formatPlace(to), descriptor.digest);
    } catch (error) {
      if (!run.onFailure || world.signal.aborted) throw error;
      run.onFailure(formatReference(from), error);
    }
  }
}
