/** The registry of an image: its base hives under all its layers' deltas, and the profile of the account that a step has. */
import { existsSync, lstatSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Hive } from "../../../../layerfs/hive/key.ts";
import { mergeHives } from "../../../../layerfs/hive/merge.ts";
import { readHive } from "../../../../layerfs/hive/regf/read.ts";
import { upcase } from "../../../../layerfs/hive/upcase.ts";
import { type DeltaName, deltaNames, deltaPath } from "../../../../layerfs/windows/deltas.ts";
import { isWbuildError, WbuildError } from "../../../../native/error.ts";
import type { Account } from "../account.ts";
import { fileIn, readBytes, topmost } from "../layer-files.ts";

/** The five machine hives: as the base layer has them, and what their deltas are called (hcsshim's pairs). */
const machineHives: Readonly<Record<DeltaName, string>> = {
  System: "SYSTEM",
  Software: "SOFTWARE",
  Sam: "SAM",
  Security: "SECURITY",
  DefaultUser: "DEFAULT",
};

export interface ImageRegistry {
  /** Plain views; undefined where the image has no such hive. */
  readonly machine: ReadonlyMap<DeltaName, Hive>;
  /** The layers' own hives, lowest first. */
  readonly deltas: ReadonlyMap<DeltaName, readonly Hive[]>;
  readonly profile: Profile;
}

/** HKCU of the account. */
export interface Profile {
  /** Its folder below C:, with slashes. */
  readonly folder: string;
  /** NTUSER.DAT of the account, else that of Users/Default: what Windows copies at the first logon. */
  readonly user: Hive | undefined;
  /** UsrClass.dat: HKCU\Software\Classes. */
  readonly classes: Hive | undefined;
}

const config = "Files/Windows/System32/config";
export const classesPath = "AppData/Local/Microsoft/Windows/UsrClass.dat";

interface HiveFile {
  /** On this host. */
  readonly path: string;
  /** As people know it. */
  readonly shown: string;
}

/** Where an image's registry lies: paths of unpacked layers' files. */
export interface RegistryFiles {
  /** Base first, then deltas. */
  readonly machine: ReadonlyMap<DeltaName, readonly HiveFile[]>;
  readonly folder: string;
  readonly user: HiveFile | undefined;
  readonly classes: HiveFile | undefined;
}

/** Looks the hives up. Folders are unpacked layers, bottom first. */
export function registryFiles(folders: readonly string[], account: Account): RegistryFiles {
  const machine = new Map<DeltaName, HiveFile[]>();
  for (const name of deltaNames) {
    const stack: HiveFile[] = [];
    const add = (folder: string, shown: string) => {
      const found = fileIn(folder, shown);
      if (typeof found === "object") stack.push({ path: found.path, shown });
    };
    for (const folder of folders) {
      if (stack.length === 0) add(folder, `${config}/${machineHives[name]}`);
      add(folder, deltaPath(name));
    }
    if (stack.length > 0) machine.set(name, stack);
  }
  const folder = `Users/${account.name}`;
  const find = (shown: string): HiveFile | undefined => {
    const path = topmost(folders, `Files/${shown}`);
    return path === undefined ? undefined : { path, shown };
  };
  return {
    machine,
    folder,
    user: find(`${folder}/NTUSER.DAT`) ?? find("Users/Default/NTUSER.DAT"),
    classes: find(`${folder}/${classesPath}`),
  };
}

/**
 * Opens the hives. What is dirty is recovered from its logs, what is damaged told through `warn`.
 * Throws HIVE_* for a file that is no hive at all, WIN_HIVE_SIZE.
 */
export function openRegistry(files: RegistryFiles, warn: (text: string) => void): ImageRegistry {
  const open = (file: HiveFile | undefined) => (file === undefined ? undefined : openHive(file.path, file.shown, warn));
  const machine = new Map<DeltaName, Hive>();
  const deltas = new Map<DeltaName, readonly Hive[]>();
  for (const [name, paths] of files.machine) {
    const stack = paths.map((file) => openHive(file.path, file.shown, warn));
    machine.set(name, mergeHives(stack));
    deltas.set(
      name,
      stack.filter((hive) => hive.differencing),
    );
  }
  return { machine, deltas, profile: { folder: files.folder, user: open(files.user), classes: open(files.classes) } };
}

/** Changes whenever one of the files does. */
export function registryStamp(files: RegistryFiles): string {
  const all = [...[...files.machine.values()].flat(), files.user, files.classes];
  return all
    .map((file) => {
      if (file === undefined) return "-";
      const { dev, ino, size, mtimeNs, ctimeNs } = lstatSync(file.path, { bigint: true });
      return [dev, ino, size, mtimeNs, ctimeNs].join(".");
    })
    .join(" ");
}

/** `shown` is the path as people know it, for messages. */
function openHive(file: string, shown: string, warn: (text: string) => void): Hive {
  const bytes = readBytes(file) ?? new Uint8Array(0);
  try {
    let damaged = 0;
    const hive = readHive(bytes, {
      logs: logsOf(file),
      onDamage: (damage) => {
        if (damaged++ === 0)
          warn(`the registry hive ${shown} of the image is damaged: ${damage.what} at ${damage.offset}`);
      },
    });
    if (hive.recovered) warn(`the registry hive ${shown} of the image was not shut down cleanly: its logs are applied`);
    return hive;
  } catch (error) {
    if (!isWbuildError(error)) throw error;
    throw new WbuildError(error.code, `${shown} of the image: ${error.message}`, {
      facts: { ...error.facts, hive: shown },
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

/** Transaction logs lie beside their hive. */
function logsOf(file: string): Uint8Array[] {
  const folder = dirname(file);
  const name = upcase(basename(file));
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((each) => [`${name}.LOG`, `${name}.LOG1`, `${name}.LOG2`].includes(upcase(each)))
    .sort()
    .flatMap((each) => readBytes(join(folder, each)) ?? []);
}
