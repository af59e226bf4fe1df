/** Here-documents in ops: the files that COPY and ADD bring, and the script that a RUN is. */
import { posix } from "node:path";
import type { ContainerConfig } from "../../registry/oci/image.ts";
import type { SourceText } from "../diagnose/source.ts";
import { dockerfileError, quoted } from "../dockerfile/errors.ts";
import { commandOf, scriptFolder, soleOpening, textOf } from "../dockerfile/here-document.ts";
import type { Command, Copy, HereDocument, Run } from "../dockerfile/instruction.ts";
import { shellOf } from "../image/config/config.ts";
import type { CopyOp, RunOp } from "./graph.ts";

/** Of documents with one name the last one is the file. Throws DF_HEREDOC_NAME. */
export function copyDocuments(step: Copy, os: string, source: SourceText): Pick<CopyOp, "documents"> {
  if (step.documents === undefined) return {};
  const named = step.documents.map((each) => [fileName(each, os, source), textOf(each)] as const);
  return { documents: [...new Map(named)].map(([name, text]) => ({ name, text })) };
}

/**
 * Attack: `COPY <<../../etc/passwd /x`, or a script of that name. A document is a file of its own, in no other folder.
 * BuildKit takes an absolute name and leaves the slash out.
 */
function fileName(document: HereDocument, os: string, source: SourceText): string {
  const name = document.name.replace(/^\/+/, "");
  const isWindows = os === "windows";
  const forbidden = isWindows ? /[/\\:*?"<>|\0]/ : /[/\0]/;
  if (name !== "" && name !== "." && name !== ".." && !forbidden.test(name)) return name;
  throw dockerfileError(
    "DF_HEREDOC_NAME",
    `${quoted(document.name)} cannot be the name of a file`,
    { span: document.span, source },
    { facts: { name: document.name }, hint: "name the here-document without slashes; the target says where it goes" },
  );
}

/** Emptied after each step, as every folder of temporary files is. */
const batchFile = { path: String.raw`C:\Windows\Temp\run.cmd`, target: "/Windows/Temp/run.cmd" };

/**
 * What a RUN runs, and the file that this needs. BuildKit gives Windows' cmd all lines of a here-document as one argument,
 * of which cmd runs the first alone; here they are a batch file. Throws DF_HEREDOC_NAME.
 */
export function runScript(
  step: Run,
  config: ContainerConfig,
  os: string,
  source: SourceText,
): { command: Command; files: Pick<RunOp, "files"> } {
  const { command, file } = commandOf(step, os);
  if (file !== undefined) {
    const target = posix.join(scriptFolder, fileName(file, os, source));
    return { command, files: { files: [{ target, text: file.text, mode: 0o755 }] } };
  }
  const isScript = os === "windows" && step.command.form === "shell" && soleOpening(step.command.line) !== undefined;
  if (!isScript || command.form === "exec" || !isCmd(config)) return { command, files: {} };
  const lines = command.line.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length <= 1) return { command: { ...command, line: lines[0] ?? "" }, files: {} };
  // Without the first line cmd would tell every command before it runs it.
  const text = `@echo off\r\n${command.line.replace(/\r?\n/g, "\r\n")}`;
  const { path, target } = batchFile;
  return { command: { ...command, line: path }, files: { files: [{ target, text, mode: 0o755 }] } };
}

/** What a script's shell will stumble over, as a warning. */
export function doubtfulText({ documents = [] }: Run, { files }: Pick<RunOp, "files">, os: string): string | undefined {
  const ends = os === "windows" ? undefined : documents.find(({ text }) => text.includes("\r\n"));
  if (ends !== undefined) {
    return `the lines of <<${ends.name} end with carriage returns, which a Linux shell takes for part of its words: save the Dockerfile with LF`;
  }
  // Windows' cmd reads batch files in DOS' code page, and no chcp changes that where there is no console.
  const batch = files?.find(({ target }) => target === batchFile.target);
  const [character] = batch?.text.match(/[^\p{ASCII}]/u) ?? [];
  return (
    character &&
    `cmd cannot read ${quoted(character)} in a script of several lines: give it to a RUN of one line, or COPY a file`
  );
}

/** The shell takes one command line behind /C, as Windows' own does. */
function isCmd(config: ContainerConfig): boolean {
  const shell = shellOf(config, "windows");
  return /(^|[\\/])cmd(\.exe)?$/i.test(shell[0] ?? "") && /^\/[ck]$/i.test(shell.at(-1) ?? "");
}
