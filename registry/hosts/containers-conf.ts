/**
 * registries.conf of podman, buildah and skopeo: prefixes with another location, mirrors, insecure and blocked registries.
 * containers-registries.conf(5); the drop-ins of registries.conf.d replace entries with the same prefix.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { directRoute, isHost, isPath, type Route, type Routes } from "./route.ts";
import { configError, parseToml, readConfig } from "./toml.ts";

const flag = v.optional(v.boolean(), false);
const use = v.picklist(["all", "digest-only", "tag-only"]);
const mirrorSchema = v.looseObject({
  location: v.string(),
  insecure: flag,
  "pull-from-mirror": v.exactOptional(use),
});
const registrySchema = v.looseObject({
  prefix: v.optional(v.string(), ""),
  location: v.optional(v.string(), ""),
  insecure: flag,
  blocked: flag,
  "mirror-by-digest-only": flag,
  mirror: v.optional(v.array(mirrorSchema), []),
});
const listSchema = v.optional(v.looseObject({ registries: v.optional(v.array(v.string()), []) }));
const fileSchema = v.looseObject({
  registry: v.optional(v.array(registrySchema), []),
  // The format before tables of registries: lists of names.
  registries: v.optional(v.looseObject({ insecure: listSchema, block: listSchema })),
});

interface Entry {
  readonly prefix: string;
  readonly location: string;
  readonly isInsecure: boolean;
  readonly isBlocked: boolean;
  readonly isByDigestOnly: boolean;
  readonly mirrors: readonly v.InferOutput<typeof mirrorSchema>[];
  readonly file: string;
}

/** Entries of all files, those of later files in the place of earlier ones. */
export type ContainersConf = readonly Entry[];

export interface ContainersPlaces {
  /** `$CONTAINERS_REGISTRIES_CONF`; else the user's file, else the host's. */
  readonly named: string | undefined;
  /** `~/.config/containers` */
  readonly user: string;
  /** `/etc/containers` */
  readonly host: string;
}

/** Reads the files that podman would read: a user's own registries.conf hides the host's with its drop-ins. Throws REG_HOSTS. */
export async function readContainersConf(places: ContainersPlaces): Promise<ContainersConf> {
  const { named, user, host } = places;
  const own = named === undefined ? await readConfig(join(user, "registries.conf")) : undefined;
  const main = named ?? join(own === undefined ? host : user, "registries.conf");
  const text = own ?? (await readConfig(main));
  if (named !== undefined && text === undefined) throw configError(named, "it is not there");
  const dropIns = [
    ...(own === undefined ? await dropInsOf(join(host, "registries.conf.d")) : []),
    ...(await dropInsOf(join(user, "registries.conf.d"))),
  ];
  const found = new Map<string, Entry>();
  for (const path of [main, ...dropIns]) {
    const entries = parseContainersConf(path, (path === main ? text : await readConfig(path)) ?? "");
    for (const entry of await entries) found.set(entry.prefix, entry);
  }
  return [...found.values()];
}

/** One file's entries. Throws REG_HOSTS. */
export async function parseContainersConf(file: string, text: string): Promise<ContainersConf> {
  // Most such files have only search registries and short names, neither of which is applied here.
  if (!/registr(y|ies)/.test(text.replace(/^\s*#.*$/gm, "").replaceAll("unqualified-search-registries", ""))) return [];
  const { registry, registries } = await parseToml(file, text, fileSchema);
  const old = [
    ...(registries?.insecure?.registries ?? []).map((name) => ({ name, insecure: true, blocked: false })),
    ...(registries?.block?.registries ?? []).map((name) => ({ name, insecure: false, blocked: true })),
  ];
  if (old.length > 0 && registry.length > 0) throw configError(file, "it mixes the formats 1 and 2");
  return [
    ...registry.map((one) => entryOf(one, file)),
    ...old.map(({ name, insecure, blocked }) =>
      entryOf(v.parse(registrySchema, { location: name, insecure, blocked }), file),
    ),
  ];
}

/** The routes of `host/repository` when an entry speaks of it; the longest prefix counts. Throws REG_HOSTS. */
export function containersRoutes(conf: ContainersConf, host: string, repository: string): Routes | undefined {
  const name = `${host}/${repository}`;
  const { entry, length } = entryFor(conf, name);
  if (!entry) return undefined;
  const at = (location: string, isInsecure: boolean) =>
    routeTo(location === "" ? name : location + name.slice(length), isInsecure, entry.file);
  const mirrors = entry.mirrors.map((mirror): Route => {
    const asked = mirror["pull-from-mirror"] ?? (entry.isByDigestOnly ? "digest-only" : "all");
    const serves = { tags: asked !== "digest-only", digests: asked !== "tag-only" };
    return { ...at(mirror.location, mirror.insecure), isMirror: true, serves };
  });
  const isBlocked = (route: Route) => entryFor(conf, `${route.host}/${route.repository}`).entry?.isBlocked === true;
  const itself = at(entry.location, entry.isInsecure);
  return {
    pull: [...mirrors.filter((route) => !isBlocked(route)), itself],
    // A push goes to the name that was given, as skopeo and podman have it: a location is for pulls.
    push: directRoute(host, repository, entry.isInsecure),
    file: entry.file,
    // A registry that leads to a blocked one is no way around that.
    isBlocked: entry.isBlocked || isBlocked(itself),
  };
}

/** The entry with the longest prefix that covers `host/repository`, and how much of it that is. */
function entryFor(conf: ContainersConf, name: string): { readonly entry: Entry | undefined; readonly length: number } {
  let best: { entry: Entry | undefined; length: number } = { entry: undefined, length: 0 };
  for (const entry of conf) {
    const length = matchedBy(entry.prefix, name);
    if (length > best.length) best = { entry, length };
  }
  return best;
}

function entryOf(one: v.InferOutput<typeof registrySchema>, file: string): Entry {
  const location = one.location.replace(/\/+$/, "");
  const prefix = one.prefix.replace(/\/+$/, "") || location;
  if (prefix === "") throw configError(file, "a registry has neither prefix nor location");
  if (location === "" && !prefix.startsWith("*."))
    throw configError(file, `the registry ${JSON.stringify(prefix)} has no location`);
  if (one["mirror-by-digest-only"] && one.mirror.some((mirror) => mirror["pull-from-mirror"] !== undefined))
    throw configError(file, `the registry ${JSON.stringify(prefix)} has mirror-by-digest-only and pull-from-mirror`);
  const mirrors = one.mirror.map((mirror) => ({ ...mirror, location: mirror.location.replace(/\/+$/, "") }));
  for (const text of [location, ...mirrors.map((mirror) => mirror.location)]) {
    if (text === "" && text === location) continue;
    const [host = "", ...path] = text.split("/");
    if (!isHost(host) || (path.length > 0 && !isPath(path.join("/"))))
      throw configError(file, `${JSON.stringify(text.slice(0, 200))} is no location: HOST[:PORT][/PATH] is expected`);
  }
  return {
    prefix,
    location,
    isInsecure: one.insecure,
    isBlocked: one.blocked,
    isByDigestOnly: one["mirror-by-digest-only"],
    mirrors,
    file,
  };
}

/**
 * How much of `host/repository` a prefix covers; 0 when it does not match. `*.HOST` stands for every host below. A prefix
 * without a port does not match a host with one (in podman it does, which its authors call unintended).
 */
function matchedBy(prefix: string, name: string): number {
  if (prefix.startsWith("*.")) {
    const host = name.slice(0, name.indexOf("/"));
    return host.endsWith(prefix.slice(1)) ? host.length : 0;
  }
  return name === prefix || name.startsWith(`${prefix}/`) ? prefix.length : 0;
}

function routeTo(name: string, isInsecure: boolean, file: string): Route {
  const slash = name.indexOf("/");
  const [host, repository] = [name.slice(0, slash), name.slice(slash + 1)];
  // Attack: a name that, put behind a location, leaves the place that the location names.
  if (!isHost(host) || !isPath(repository))
    throw configError(file, `it leads to ${JSON.stringify(name.slice(0, 200))}`);
  return directRoute(host, repository, isInsecure);
}

async function dropInsOf(folder: string): Promise<string[]> {
  try {
    const names = readdirSync(folder);
    return names
      .filter((name) => name.endsWith(".conf"))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw configError(folder, "it cannot be read", error);
  }
}
