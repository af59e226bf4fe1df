/**
 * Paths as people write them for Windows: COPY destinations, WORKDIR. They become '/'-separated paths below C:, and back.
 * Whether anything is there, and how it is spelled, the tree knows.
 */
import { showName } from "../../native/addon/raw-bytes.ts";
import { WbuildError } from "../../native/error.ts";

export interface WindowsPath {
  /** Below C:, clean, '/'-separated, without drive; "" is C:\ itself. */
  readonly path: string;
  /** A separator (or a dot) stands at the end: a folder is meant. */
  readonly folder: boolean;
}

/**
 * `C:\x`, `C:/x`, `\x` and `/x` are one path; `x` and `C:x` lie in `workdir` (a path below C:); ".." stops at C:\. A path
 * of only separators is C:\. `\\?\C:\x` is C:\x. Throws WIN_PATH for another drive, a share, a device, or a NUL.
 * Names are not judged here: see checkWindowsPath.
 */
export function parseWindowsPath(text: string, workdir: string): WindowsPath {
  if (text.includes("\0")) throw refusal(text, "it has a NUL in it");
  let rest = text.replaceAll("/", "\\");
  const verbatim = /^\\\\[?.]\\(?=[A-Za-z]:\\)/.exec(rest);
  if (verbatim !== null) rest = rest.slice(verbatim[0].length);
  else if (/^\\\\[^\\]+\\+[^\\]/.test(rest)) throw refusal(text, "it names a share or a device, not a folder of C:");
  const drive = /^([^\\]?):/.exec(rest)?.[1];
  if (drive !== undefined) {
    if (drive.toUpperCase() !== "C") throw refusal(text, "an image has only the drive C:");
    rest = rest.slice(2);
  }
  const folder = /(?:^|\\)\.{0,2}$/.test(rest) && text !== "";
  const parts = rest.startsWith("\\") || workdir === "" ? [] : workdir.split("/");
  for (const part of rest.split("\\")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return { path: parts.join("/"), folder };
}

/** As parseWindowsPath, for WORKDIR: there `C:` and `C:.` say nothing and are refused, too. Throws WIN_PATH. */
export function parseWorkdir(text: string, workdir: string): string {
  if (text === "") throw refusal(text, "it is empty");
  if (/^[Cc]:\.?$/.test(text)) throw refusal(text, "a drive alone is no folder: write C:\\");
  return parseWindowsPath(text, workdir).path;
}

/** A path below C: for people and for image configs: `C:\app\x`; C:\ for "". */
export function showWindowsPath(path: string): string {
  return `C:\\${path.replaceAll("/", "\\")}`;
}

function refusal(text: string, why: string): WbuildError {
  return new WbuildError("WIN_PATH", `${JSON.stringify(showName(text))} is no path in a Windows image: ${why}`, {
    facts: { path: text.slice(0, 300), reason: why },
    hint: "write it as C:\\folder\\name or /folder/name",
  });
}
