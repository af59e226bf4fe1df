/** What may be in a Windows layer: names and kinds of files that are refused, and those that are left out. */
import { showName } from "../../native/addon/raw-bytes.ts";
import { WbuildError } from "../../native/error.ts";
import { upcase } from "../hive/upcase.ts";
import type { Change } from "../layer/entry.ts";
import { checkWindowsPath } from "./names.ts";
import { showWindowsPath } from "./path.ts";

/**
 * copy: files that somebody chose; what cannot be kept is refused. run: what a step left behind; some of it is dropped.
 * base: all files of a base image, whose registry lies among them.
 */
export type Origin = "copy" | "run" | "base";

/** Windows keeps these for itself; no exporter takes them along. */
const ownFolders = new Set(["SYSTEM VOLUME INFORMATION", "WCSANDBOXSTATE", "$RECYCLE.BIN"]);
const configFolder = "WINDOWS/SYSTEM32/CONFIG/";
const hiveFile = /^(?:SYSTEM|SOFTWARE|SAM|SECURITY|DEFAULT)$/;
const logEnding = /(?:\.LOG[0-9]?|\.BLF|\.REGTRANS-MS)$/;
const profileHive = /(?:^|\/)(?:NTUSER\.DAT|USRCLASS\.DAT)[^/]*$/;

/**
 * Undefined for a change that belongs into a layer (paths below C:), else the reason for which it is left out. Throws WIN_NAME for names
 * that Windows or a layer cannot have, WIN_TYPE for devices, pipes and sockets that somebody wants to copy.
 */
export function leftOut(change: Change, origin: Origin): string | undefined {
  const path = change.kind === "set" ? change.entry.path : change.path;
  const reason = leftOutByName(upcase(path), origin);
  if (reason !== undefined) return reason;
  if (change.kind !== "set") return isWhiteoutName(path) ? "no layer can have had it" : undefined;
  const { type } = change.entry;
  if (type === "fifo" || type === "character" || type === "block") {
    if (origin === "run") return "Windows has no such kind of file";
    throw new WbuildError("WIN_TYPE", `a Windows image cannot hold ${shown(path)}: it is a ${kindNames[type]}`, {
      facts: { path, type },
      hint: "leave it out with .dockerignore",
    });
  }
  checkWindowsPath(path, showWindowsPath(path));
  if (isWhiteoutName(path)) {
    throw new WbuildError(
      "WIN_NAME",
      `no layer can hold ${shown(path)}: names that begin with .wh. mean deletions there`,
      {
        facts: { path },
        hint: "rename the file, or leave it out with .dockerignore",
      },
    );
  }
  return undefined;
}

/** As `leftOut`, for what a name alone tells. `upper`: the path in capitals (upcase). */
export function leftOutByName(upper: string, origin: Origin): string | undefined {
  const [top = ""] = upper.split("/", 1);
  if (ownFolders.has(top)) return "Windows keeps this folder for itself";
  if (upper.endsWith(".$WCIDIRS$")) return "importers keep their own notes under such names";
  if (upper.startsWith(configFolder)) {
    const name = upper.slice(configFolder.length);
    if (hiveFile.test(name) && origin !== "base") return "changes of the registry are in the layer's hives";
    if (origin === "run" && logEnding.test(name)) return "logs of hives do not belong to an image";
  }
  if (origin === "run" && logEnding.test(upper) && profileHive.test(upper)) {
    return "logs of hives do not belong to an image";
  }
  return origin === "run" && upper.includes(":") ? "importers disagree about alternate streams" : undefined;
}

const kindNames = { fifo: "pipe", character: "device", block: "device" } as const;

export function isWhiteoutName(path: string): boolean {
  return /(?:^|\/)\.wh\./.test(path);
}

export function shown(path: string): string {
  return JSON.stringify(showName(showWindowsPath(path)));
}
