/**
 * What viewers of CI logs understand beside plain lines: folds, and notes at lines of files. Pure text; which viewer it is,
 * the environment says, and WBUILD_CI_FOLDING=0 wants nothing of it.
 */
import { isAbsolute, relative, resolve } from "node:path";
import { harmless } from "./harmless.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Something to say of a line of a file. */
export interface Note {
  readonly kind: "error" | "warning";
  /** As the build calls it; a viewer shows it only where it finds such a file in the repository. */
  readonly file: string;
  readonly line: number;
  /** A check's or an error's name. */
  readonly title?: string;
  readonly text: string;
}

/** How one viewer wants its log. Every text ends with a newline, or is empty. */
export interface CiLog {
  /** Opens a fold, in the place of the line that is its title. `fold` counts all folds of the log. */
  begin(title: string, fold: number, at: number): string;
  end(fold: number, at: number): string;
  /** A line of ours or of a step, so that the viewer takes nothing in it for a command. */
  line(text: string): string;
  note(note: Note): string;
}

/** GitHub's and GitLab's, where they run us; undefined elsewhere, and when nobody wants it. */
export function ciLogOf(env: Environment, cwd: string): CiLog | undefined {
  if (/^(0|false|no|off)$/i.test(env.WBUILD_CI_FOLDING ?? "")) return undefined;
  if (env.GITHUB_ACTIONS === "true") return githubLog(env.GITHUB_WORKSPACE ?? cwd, cwd);
  return env.GITLAB_CI === "true" ? gitlabLog() : undefined;
}

/** Workflow commands. Notes name files as the repository does, so files outside of `workspace` get none. */
export function githubLog(workspace: string, cwd: string): CiLog {
  return {
    begin: (title) => `::group::${data(inert(title))}\n`,
    end: () => "::endgroup::\n",
    line: inert,
    note({ kind, file, line, title, text }) {
      const path = relative(workspace, resolve(cwd, file));
      if (path === "" || path === ".." || path.startsWith("../") || isAbsolute(path)) return "";
      const where = { file: path, line: String(line), ...(title === undefined ? {} : { title }) };
      const fields = Object.entries(where).map(([name, value]) => `${name}=${property(inert(harmless(value)))}`);
      return `::${kind} ${fields.join(",")}::${data(inert(harmless(text)))}\n`;
    },
  };
}

/** Collapsible sections; one that is opened again is another section, since their names must differ. */
export function gitlabLog(): CiLog {
  const mark = (what: string, fold: number, at: number, options = "") =>
    `\x1b[0Ksection_${what}:${Math.floor(at / 1000)}:wbuild_${fold}${options}\r\x1b[0K`;
  return {
    begin: (title, fold, at) => `${mark("start", fold, at, "[collapsed=true]")}${title}\n`,
    end: (fold, at) => `${mark("end", fold, at)}\n`,
    // Its marks need a carriage return and an escape, which no line of a step keeps.
    line: (text) => text,
    note: () => "",
  };
}

/**
 * Attack: a step prints a workflow command (`::add-mask::`, `::set-output …`, or the older `##[…]`, which is found anywhere in
 * a line), and the runner obeys what a Dockerfile's author, or a package's, wrote.
 */
function inert(text: string): string {
  return text.replace(/##\[/g, "## [").replace(/^(\s*):(?=:)/gm, "$1: ");
}

/** GitHub's escapes of a command's text. */
function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
