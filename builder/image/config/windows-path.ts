/**
 * Paths of Windows images in instructions (`C:\app`, `c:/app`, `/app`, `app`): the rules are layerfs/windows/path.ts's, here
 * an error gets its place, and configs get dockerd's form.
 */
import { parseWindowsPath, parseWorkdir, showWindowsPath } from "../../../layerfs/windows/path.ts";
import { isWbuildError } from "../../../native/error.ts";
import type { SourceText } from "../../diagnose/source.ts";
import { dockerfileError } from "../../dockerfile/errors.ts";
import type { Word } from "../../dockerfile/instruction.ts";

/** Errors about a word's path, with the word's place. */
function at<T>(word: Word, source: SourceText, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!isWbuildError(error, "WIN_PATH")) throw error;
    const { message, facts, hint } = error;
    throw dockerfileError(
      "DF_WINDOWS_PATH",
      message,
      { span: word.span, source },
      { facts, ...(hint === undefined ? {} : { hint }) },
    );
  }
}

/** An image's WorkingDir, in whatever form, as a path below C:, "" for C:\. What lies on a foreign drive counts from C:\. */
export function belowDrive(folder: string | undefined): string {
  const text = folder ?? "";
  try {
    return parseWindowsPath(text, "").path;
  } catch (error) {
    if (!isWbuildError(error, "WIN_PATH")) throw error;
    return parseWindowsPath(text.replace(/^.*?:|^[\\/]+|\0/g, ""), "").path;
  }
}

/** A base's WorkingDir (`/app`, `\app`, `c:/app`) → dockerd's form, `C:\app`. */
export function normalizeFolder(folder: string): string {
  return folder === "" ? "" : showWindowsPath(belowDrive(folder));
}

/** WORKDIR → dockerd's form: `C:\app\x`; relative ones continue `current`. Throws DF_WINDOWS_PATH with the word's place. */
export function joinWindowsFolder(current: string | undefined, word: Word, source: SourceText): string {
  return at(word, source, () => showWindowsPath(parseWorkdir(word.text, belowDrive(current))));
}

/**
 * Where COPY and ADD put things: `/app/x` counted from C:, a trailing slash where the text means a folder.
 * Throws DF_WINDOWS_PATH with the word's place.
 */
export function windowsTarget(workdir: string | undefined, word: Word, source: SourceText): string {
  const { path, folder } = at(word, source, () => parseWindowsPath(word.text, belowDrive(workdir)));
  return folder && path !== "" ? `/${path}/` : `/${path}`;
}

/**
 * A source of COPY: separators become `/`, the drive falls away, `..` stops at the root. Backslashes escape no wildcard, as on
 * Windows. Throws DF_WINDOWS_PATH with the word's place.
 */
export function windowsSource(word: Word, source: SourceText): string {
  return at(word, source, () => parseWindowsPath(word.text, "")).path || ".";
}

/** True when the default escape character swallows a backslash that seems to mean a folder: `C:\app` comes out as `C:app`. */
export function swallowedBackslash(raw: string): boolean {
  return /\\[A-Za-z0-9_.-]/.test(raw.replace(/\\\\/g, ""));
}
