/** Packages of npm: what lies in node_modules; of an application without that folder, what its package-lock.json pins. */
import { mostPackages, type Package, plain, present, type Scene } from "../package.ts";

const largestManifest = 4 * 1024 * 1024;
const largestLock = 64 * 1024 * 1024;
const installed = /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@.][^/]*\/package\.json$/;
const lockFile = /(?:^|\/)package-lock\.json$/;

export async function scanNpm(scene: Scene): Promise<Package[]> {
  const found: Package[] = [];
  for (const [path, entry] of scene.entries) {
    if (entry.type !== "file") continue;
    if (installed.test(path)) {
      const one = readManifest((await scene.text(path, largestManifest)) ?? "", path);
      if (one) found.push(one);
    } else if (lockFile.test(path) && !path.includes("node_modules/")) {
      const folder = path.slice(0, -"package-lock.json".length);
      if (!scene.entries.has(`${folder}node_modules`))
        found.push(...readLock((await scene.text(path, largestLock)) ?? "", path));
    }
  }
  return found;
}

type Json = Readonly<Record<string, unknown>>;

function objectOf(text: string): Json | undefined {
  try {
    return record(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function record(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

const words = (value: unknown, most?: number) => (typeof value === "string" ? plain(value, most) : undefined);

/** One package.json; undefined when it names no package and version (as those inside of packages do). */
export function readManifest(text: string, foundIn: string): Package | undefined {
  const json = objectOf(text);
  const [name, version] = [words(json?.name, 300), words(json?.version, 200)];
  if (!json || !name || !version) return undefined;
  const person = record(json.author);
  const { license: licence } = json;
  return {
    ecosystem: "npm",
    name,
    version,
    foundIn,
    files: [foundIn],
    ...present({
      licence: words(licence) ?? words(record(licence)?.type),
      supplier: words(json.author, 300) ?? words(person?.name, 300),
      description: words(json.description),
      homepage: words(json.homepage),
    }),
  };
}

/** What a lock file pins, all versions of it; what is only for development is not there. */
export function readLock(text: string, foundIn: string): Package[] {
  const json = objectOf(text);
  const found = new Map<string, Package>();
  const add = (name: string | undefined, value: Json) => {
    const version = words(value.version, 200);
    if (!name || !version || value.dev === true || value.link === true || found.size === mostPackages) return;
    const licence = words(value.license);
    found.set(`${name}@${version}`, { ecosystem: "npm", name, version, foundIn, files: [], ...present({ licence }) });
  };
  // Version 2 and 3: by the place of each; version 1: a tree.
  for (const [place, value] of Object.entries(record(json?.packages) ?? {})) {
    const one = record(value);
    const name = words(one?.name, 300) ?? words(/(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(place)?.[1], 300);
    if (one && place !== "") add(name, one);
  }
  if (json && record(json.packages) === undefined) {
    const queue: Json[] = [json];
    // A list of what is left, no recursion: the attack is a tree of a million levels.
    for (let at = queue.pop(); at !== undefined; at = queue.pop())
      for (const [name, value] of Object.entries(record(at.dependencies) ?? {})) {
        const one = record(value);
        if (!one) continue;
        add(words(name, 300), one);
        queue.push(one);
      }
  }
  return [...found.values()];
}
