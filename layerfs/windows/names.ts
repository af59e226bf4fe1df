/**
 * Names and paths that Windows allows, and when two of them are one (Win32, "Naming Files, Paths, and Namespaces").
 * Paths here are those of a Tree: '/'-separated, clean. Text of people is read in path.ts.
 */
import { showName } from "../../native/addon/raw-bytes.ts";
import { WbuildError } from "../../native/error.ts";
import { upcase } from "../hive/upcase.ts";

const maxName = 255;
const maxPath = 32_767;
const forbidden = /[<>:"|?*\\]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const control = /[\0-\x1f]/;
const loneSurrogate = /[\ud800-\udfff]/u;
/** Devices in every folder, whatever ending they are given; the superscript digits count too. */
const device = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[1-9\u00b9\u00b2\u00b3])[ ]*(?:\.|$)/i;

/** Equal for names and paths that Windows cannot tell apart. */
export function foldPath(path: string): string {
  return upcase(path);
}

/** Why no file of Windows can have this name (one component), in words that follow "its name"; undefined when one can. */
export function nameFault(name: string): string | undefined {
  if (name === "" || name === "." || name === "..") return "is empty or made of dots";
  const bad = forbidden.exec(name);
  if (bad !== null) return `has ${JSON.stringify(bad[0])} in it`;
  if (control.test(name)) return "has a control character in it";
  if (loneSurrogate.test(name)) return "is not UTF-8";
  if (name.endsWith(".") || name.endsWith(" ")) return "ends with a dot or a space";
  if (device.test(name)) return "is that of a device";
  if (name.length > maxName) return `is longer than ${maxName} UTF-16 units`;
  return undefined;
}

/** False for a path below C: that is too long as a whole. */
export function isShortEnough(path: string): boolean {
  return path.length + "C:\\".length <= maxPath;
}

/**
 * Refuses a path below C: that Windows cannot have. `shown` is what the message names: where the file came from, if that
 * says more. Throws WIN_NAME.
 */
export function checkWindowsPath(path: string, shown = path): void {
  if (path === "") return;
  let fault: string | undefined;
  for (const name of path.split("/")) fault ??= nameFault(name);
  // A sound file that is to get another name: nobody would find the fault in its own.
  const isOfTarget = fault !== undefined && !shown.split("/").some((name) => name !== "" && nameFault(name));
  if (fault === undefined && !isShortEnough(path)) {
    fault = `with all folders above it is longer than ${maxPath} UTF-16 units`;
  }
  if (fault === undefined) return;
  const from = JSON.stringify(showName(shown));
  const told = isOfTarget && shown !== path ? `${JSON.stringify(showName(path))} (a copy of ${from})` : from;
  throw new WbuildError("WIN_NAME", `Windows cannot have the file ${told}: its name ${fault}`, {
    facts: { path, reason: fault },
    hint: isOfTarget ? "choose another target" : "rename the file, or leave it out with .dockerignore",
  });
}
