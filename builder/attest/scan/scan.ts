/** A tree of files → the packages in it, with the files that belong to them and their sums. Mounts nothing, runs nothing. */
import { createHash } from "node:crypto";
import type { HiveKey } from "../../../layerfs/hive/key.ts";
import type { Entry } from "../../../layerfs/layer/entry.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { driveTree } from "../../../layerfs/windows/drive.ts";
import { isWbuildError } from "../../../native/error.ts";
import { mostFiles, mostPackages, type Package, plain, type Scene, type System } from "../package.ts";
import { scanApk } from "./apk.ts";
import { scanDeb } from "./deb.ts";
import { scanGo } from "./go.ts";
import { scanNpm } from "./npm.ts";
import { scanPython } from "./python.ts";
import { scanRpm } from "./rpm.ts";
import { scanPrograms, scanUninstall, windowsSystem } from "./windows.ts";

/** What is looked into. */
export interface ScanSubject {
  /** Of a Windows image the tree of its layers. */
  readonly tree: Tree;
  readonly os: string;
  readonly osVersion?: string;
  /** Windows: HKLM\SOFTWARE of the whole stack. `warn` hears of what cannot be read in it. */
  readonly software?: (warn: (text: string) => void) => Promise<HiveKey | undefined>;
}

export interface FoundFile {
  readonly path: string;
  /** Hexadecimal digits. */
  readonly sha1: string;
  readonly sha256: string;
}

export interface Scanned {
  readonly system: System | undefined;
  /** By ecosystem, name and version. */
  readonly packages: readonly Package[];
  /** Regular files that packages say are theirs and that are there: what a package wrote → the file. */
  readonly files: ReadonlyMap<string, FoundFile>;
  /** What could not be looked at. */
  readonly notes: readonly string[];
}

/** Text files and databases that a scanner asks for without a limit of its own. */
const usualLimit = 32 * 1024 * 1024;
const readers = 16;
/** Of all paths together; each is in a document three times. */
const mostCharacters = 64 * 1024 * 1024;

/** Throws what the tree throws, and the signal's reason. */
export async function scanTree(subject: ScanSubject, signal: AbortSignal): Promise<Scanned> {
  const isWindows = subject.os === "windows";
  const tree = isWindows ? driveTree(subject.tree) : subject.tree;
  const notes: string[] = [];
  const scene = await sceneOf(tree, notes, signal);
  const software = isWindows ? await softwareOf(subject, notes) : undefined;
  const ofSystem = isWindows
    ? [...(software ? scanUninstall(software) : []), ...(await scanPrograms(scene))]
    : [...(await scanDeb(scene)), ...(await scanApk(scene)), ...(await scanRpm(scene))];
  const packages = [
    ...ofSystem,
    ...(await scanNpm(scene)),
    ...(await scanPython(scene)),
    ...(await scanGo(scene, isWindows ? "windows" : "linux", ownedPaths(isWindows ? [] : ofSystem))),
  ].sort(byName);
  if (packages.length >= mostPackages) scene.note(`there are more than ${mostPackages} packages`);
  const system = isWindows ? windowsSystem(software, subject.osVersion) : await linuxSystem(scene);
  return { system, packages, files: await sumsOf(scene, packages, signal), notes: notes.sort() };
}

function ownedPaths(packages: readonly Package[]): Set<string> {
  return new Set(packages.flatMap(({ files }) => files));
}

/** Not by locale: the list is the same everywhere. */
function byName(a: Package, b: Package): number {
  const key = ({ ecosystem, name, version, architecture = "", foundIn }: Package) =>
    [ecosystem, name, version, architecture, foundIn].join("\0");
  const [left, right] = [key(a), key(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

async function softwareOf({ software }: ScanSubject, notes: string[]): Promise<HiveKey | undefined> {
  try {
    return await software?.((text) => notes.push(plain(text) ?? ""));
  } catch (error) {
    if (!isWbuildError(error) || !error.code.startsWith("HIVE_")) throw error;
    notes.push("the registry cannot be read: programs that only it names are not listed");
    return undefined;
  }
}

async function sceneOf(tree: Tree, notes: string[], signal: AbortSignal): Promise<Scene> {
  const entries = new Map<string, Entry>();
  for (const entry of await tree.walk("")) if (entry.path !== "") entries.set(entry.path, entry);
  const bytes: Scene["bytes"] = async (path, limit = usualLimit) => {
    signal.throwIfAborted();
    const entry = await fileAt(tree, entries, path);
    if (entry === undefined) return undefined;
    if (entry.size > limit) {
      notes.push(`${plain(path) ?? ""} is larger than ${limit} bytes and was not read`);
      return undefined;
    }
    const parts: Uint8Array[] = [];
    for await (const part of tree.read(entry)) parts.push(part);
    return Buffer.concat(parts);
  };
  const text: Scene["text"] = async (path, limit) => (await bytes(path, limit))?.toString("utf8");
  return { tree, entries, bytes, text, note: (what) => notes.push(what) };
}

/** A regular file by its path, links followed; they never lead out of the tree. */
async function fileAt(tree: Tree, entries: Scene["entries"], path: string): Promise<Entry | undefined> {
  const direct = entries.get(path);
  if (direct !== undefined && direct.type !== "symlink") return direct.type === "file" ? direct : undefined;
  try {
    const found = await tree.resolve(path, true);
    const entry = found === undefined ? undefined : entries.get(found);
    return entry?.type === "file" ? entry : undefined;
  } catch (error) {
    if (isWbuildError(error, "TREE_LOOP")) return undefined;
    throw error;
  }
}

async function linuxSystem(scene: Scene): Promise<System | undefined> {
  for (const path of ["etc/os-release", "usr/lib/os-release"]) {
    const text = await scene.text(path, 64 * 1024);
    const word = (name: string) =>
      plain(
        new RegExp(`^${name}=(?:"([^"\\n]*)"|'([^'\\n]*)'|([^\\n]*))$`, "m")
          .exec(text ?? "")
          ?.slice(1)
          .find(Boolean),
        200,
      );
    const id = word("ID")?.toLowerCase();
    if (id !== undefined) return { id, name: word("NAME") ?? id, version: word("VERSION_ID") ?? "", foundIn: path };
  }
  return undefined;
}

/** Each file is read once, however many names and owners it has. */
async function sumsOf(
  scene: Scene,
  packages: readonly Package[],
  signal: AbortSignal,
): Promise<Map<string, FoundFile>> {
  const wanted = new Set(packages.flatMap(({ files }) => files));
  const characters = [...wanted].reduce((sum, path) => sum + path.length, 0);
  // A document is one text, and no text can be longer than 512 MiB.
  if (wanted.size >= mostFiles || characters > mostCharacters) {
    scene.note("packages name more files than a document can hold: none is listed");
    return new Map();
  }
  const found = new Map<string, FoundFile>();
  const sums = new Map<string, Promise<FoundFile>>();
  const left = wanted.values();
  const work = async () => {
    for (const path of left) {
      signal.throwIfAborted();
      const entry = await ownFile(scene, path);
      if (entry === undefined) continue;
      const sum = sums.get(entry.path) ?? sumOf(scene.tree, entry);
      sums.set(entry.path, sum);
      found.set(path, await sum);
    }
  };
  await Promise.all(Array.from({ length: readers }, work));
  return found;
}

/** The last component's link is not followed: a package that owns a link does not own its target. */
async function ownFile({ tree, entries }: Scene, path: string): Promise<Entry | undefined> {
  const direct = entries.get(path);
  if (direct !== undefined) return direct.type === "file" ? direct : undefined;
  try {
    const entry = entries.get((await tree.resolve(path, false)) ?? "");
    return entry?.type === "file" ? entry : undefined;
  } catch (error) {
    if (isWbuildError(error, "TREE_LOOP")) return undefined;
    throw error;
  }
}

async function sumOf(tree: Tree, entry: Entry): Promise<FoundFile> {
  const [sha1, sha256] = [createHash("sha1"), createHash("sha256")];
  for await (const part of tree.read(entry)) {
    sha1.update(part);
    sha256.update(part);
  }
  return { path: entry.path, sha1: sha1.digest("hex"), sha256: sha256.digest("hex") };
}
