/**
 * `wbuild base windows`: a base image of Windows' shape from this host's Wine. Wine's own programs are not in it: they
 * lie below every step anyhow, and belong to the host. Same Wine, same bytes.
 */
import { readdirSync, realpathSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { metadataPax } from "../../layerfs/windows/metadata.ts";
import { WbuildError } from "../../native/error.ts";
import { ensurePersonality } from "../runtime/wine/personality/personality.ts";
import { profileFolders, systemFolders } from "../runtime/wine/personality/system-tree.ts";
import { defaultOsVersion, parseOsVersion } from "../runtime/wine/personality/version.ts";
import { baseHives } from "./windows-hives.ts";

export const windowsBaseName = "wbuild.local/windows:latest";

export interface WindowsBaseOptions {
  /** Full name that will point at the image; windowsBaseName when absent. */
  readonly name?: string;
  /** Seconds since 1970 for every file, key and for the image; 0 when absent. */
  readonly epochSeconds?: number;
  /** Four numbers; defaultOsVersion when absent. */
  readonly osVersion?: string;
  /** Wine's own programs and DLLs, too: 690 MB that no build needs. */
  readonly full?: boolean;
  /** Where the personality is kept: $WBUILD_HOME. */
  readonly home: string;
  readonly onLine?: (line: string) => void;
}

/** Files that say something of Windows, not of Wine: code pages, settings, names of services. */
const data = /\.(fon|icm|inf|ini|nls|ttf)$|\/drivers\/etc\/[a-z]+$/i;
const winesOwn = /\/wine[^/]*$/i;

/** Win32 attributes of what Windows does not show to everybody; 16 is a folder, 32 a file, 2 hidden, 4 system. */
const hidden: Readonly<Record<string, number>> = {
  ProgramData: 18,
  "Users/Default": 18,
  "Users/Default/AppData": 18,
  "Users/Default/NTUSER.DAT": 38,
  "Windows/Installer": 22,
};

/**
 * Makes the image, stores it and points the name at it. Throws CLI_VALUE for what is no version, what ensurePersonality
 * and the store throw.
 */
export async function makeWindowsBase(store: Store, options: WindowsBaseOptions): Promise<Descriptor> {
  const { epochSeconds = 0, osVersion = defaultOsVersion, onLine } = options;
  const version = /^\d+(\.\d+){3}$/.test(osVersion) ? parseOsVersion(osVersion) : undefined;
  if (!version) {
    throw new WbuildError("CLI_VALUE", `not a version of Windows: ${JSON.stringify(osVersion.slice(0, 60))}`, {
      hint: "it has four numbers, as 10.0.20348.0",
    });
  }
  const personality = await ensurePersonality(options.home, onLine === undefined ? {} : { warn: onLine });
  const entries = new Map<string, Entry>();
  for (const path of [...systemFolders, ...defaultProfile()]) addFolders(entries, path);
  const isWanted = options.full
    ? (path: string) => !personality.added.includes(path.slice(path.lastIndexOf("/") + 1))
    : (path: string) => data.test(path) && !winesOwn.test(path);
  addFiles(entries, join(personality.root, "Files"), isWanted);
  for (const [path, bytes] of baseHives({ registry: personality.registry, version, epochSeconds })) {
    addFolders(entries, path.slice(0, path.lastIndexOf("/")));
    entries.set(path, { ...plain(path, "file"), size: bytes.length, content: { kind: "bytes", bytes } });
  }
  return await storeImage(store, [...entries.values()], {
    ...options,
    epochSeconds,
    osVersion,
    wine: personality.version,
  });
}

function defaultProfile(): string[] {
  return profileFolders.map((path) => `Users/Default/${path}`);
}

function plain(path: string, type: "file" | "directory"): Entry {
  const attributes = hidden[path];
  return {
    ...{ path, type, mode: type === "file" ? 0o644 : 0o755, uid: 0, gid: 0, size: 0, mtimeNs: 0n },
    ...(attributes === undefined ? {} : { pax: metadataPax({ attributes }) }),
  };
}

/** The folder and those above it. */
function addFolders(entries: Map<string, Entry>, path: string): void {
  for (let end = path.indexOf("/"); ; end = path.indexOf("/", end + 1)) {
    const at = end < 0 ? path : path.slice(0, end);
    if (!entries.has(at)) entries.set(at, plain(at, "directory"));
    if (end < 0) return;
  }
}

/** Of the personality's C:. Its links lead to the host's Wine. */
function addFiles(entries: Map<string, Entry>, top: string, isWanted: (path: string) => boolean): void {
  for (const found of readdirSync(top, { recursive: true, withFileTypes: true })) {
    if (!found.isFile() && !found.isSymbolicLink()) continue;
    const source = join(found.parentPath, found.name);
    const path = relative(top, source);
    if (!isWanted(path)) continue;
    addFolders(entries, path.slice(0, path.lastIndexOf("/")));
    const real = realpathSync(source);
    const { size } = statSync(real);
    entries.set(path, { ...plain(path, "file"), size, content: { kind: "file", path: real } });
  }
}

async function storeImage(
  store: Store,
  entries: readonly Entry[],
  about: WindowsBaseOptions & { epochSeconds: number; osVersion: string; wine: string },
): Promise<Descriptor> {
  const [{ writeLayer }, { writeImage }, { shapeLayer }, { stackTree }] = await Promise.all([
    import("../../layerfs/layer/write.ts"),
    import("../image/output/write-image.ts"),
    import("../../layerfs/windows/shape.ts"),
    import("../../layerfs/tree/stacked.ts"),
  ]);
  const madeNs = BigInt(about.epochSeconds) * 1_000_000_000n;
  const changes = await shapeLayer({
    changes: entries.map((entry): Change => ({ kind: "set", entry: { ...entry, mtimeNs: madeNs } })),
    below: await stackTree([], { names: "windows" }),
    origin: "base",
    madeNs,
  });
  using _lease = store.lease();
  const written = await writeLayer(changes, store.blobs, {
    compression: "gzip",
    mediaTypes: "oci",
    fileDigests: false,
  });
  store.layers.record(written.layer, { uncompressedSize: written.uncompressedSize, index: written.index });
  const created = new Date(about.epochSeconds * 1000).toISOString();
  const image = await writeImage(store.blobs, {
    config: {
      created,
      os: "windows",
      architecture: "amd64",
      "os.version": about.osVersion,
      config: { User: "ContainerAdministrator", Cmd: ["c:\\windows\\system32\\cmd.exe"] },
      history: [{ created, created_by: "wbuild base windows", comment: `Wine ${about.wine}` }],
    },
    layers: [written.layer],
  });
  store.refs.set(about.name ?? windowsBaseName, image.descriptor, image.keeps);
  return image.descriptor;
}
