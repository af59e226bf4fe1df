/**
 * An image → a Dockerfile that says what its history and config say. Each line is read back as it is written, so the
 * result always parses; what the history does not tell comes from the config, and what neither tells is a comment.
 */

import { isWbuildError } from "../../../native/error.ts";
import type { ContainerConfig, Image } from "../../../registry/oci/image.ts";
import { scriptFolder } from "../../dockerfile/here-document.ts";
import { applyInstruction, baseConfig, inheritConfig, shellOf } from "../config/config.ts";
import { normalizeFolder } from "../config/windows-path.ts";
import {
  type HistoryStep,
  readArgv,
  readHealthcheck,
  readPaths,
  readPorts,
  readRun,
  readShell,
  readStep,
  splitPairs,
} from "./created-by-parse.ts";
import {
  commandLine,
  commentLine,
  type Escape,
  escapeWord,
  execForm,
  healthcheckLine,
  isOneLine,
  jsonWords,
  pairText,
  quoteWord,
} from "./dockerfile-text.ts";
import { readBack, scriptText } from "./read-back.ts";

export interface BaseHint {
  /** For FROM. */
  readonly name: string;
  /** How many of the oldest history entries are the base's. */
  readonly entries: number;
  readonly config?: ContainerConfig;
}

/** History entries that are read; a longer history is foreign nonsense. */
const mostEntries = 5000;

/** Ends with a newline. Without a hint the base's own steps are written too, on FROM scratch. */
export function historyToDockerfile(image: Image, baseHint?: BaseHint): string {
  const os = image.config.os;
  const wanted = image.config.config ?? {};
  const start =
    baseHint === undefined ? baseConfig(os) : baseHint.config ? inheritConfig(baseHint.config, os).config : {};
  const writer = new Writer(os, wanted, start);
  // Directives count at the very top only.
  if (os === "windows") writer.line("# escape=`");
  writer.comment("Written back by wbuild from the image's history and configuration.");
  writer.comment("It tells how the image was made; the files that COPY and ADD took are not in it.");
  writer.line(`FROM ${baseHint?.name ?? "scratch"}`);
  const entries = (image.config.history ?? []).slice(baseHint?.entries ?? 0, mostEntries);
  for (const entry of entries) writer.step(readStep(entry.created_by ?? "", entry.empty_layer !== true), entry.comment);
  writer.settle(image.config.author);
  return `${writer.lines.join("\n")}\n`;
}

class Writer {
  readonly lines: string[] = [];
  readonly #os: string;
  readonly #escape: Escape;
  readonly #wanted: ContainerConfig;
  #config: ContainerConfig;
  #cmdSet = false;
  #author: string | undefined;
  readonly #declared = new Map<string, string | undefined>();

  constructor(os: string, wanted: ContainerConfig, start: ContainerConfig) {
    this.#os = os;
    this.#escape = os === "windows" ? "`" : "\\";
    this.#wanted = wanted;
    this.#config = start;
  }

  line(text: string): void {
    this.lines.push(text);
  }

  comment(text: string): void {
    this.lines.push(commentLine(text));
  }

  /** A comment that is said only the first time. */
  #note(text: string): void {
    if (!this.lines.includes(commentLine(text))) this.comment(text);
  }

  /** Adds an instruction if it reads back; else its text becomes a comment. */
  #add(text: string | undefined, original: string): void {
    const instruction = text === undefined ? undefined : readBack(text, this.#escape);
    if (text === undefined || instruction === undefined) {
      this.comment(`not written as an instruction: ${original}`);
      return;
    }
    try {
      this.#config = applyInstruction(this.#config, instruction, {
        os: this.#os,
        cmdSet: this.#cmdSet,
        source: { name: "Dockerfile", text },
      });
    } catch (error) {
      if (!isWbuildError(error)) throw error;
      this.comment(`not written as an instruction: ${original}`);
      return;
    }
    if (instruction.kind === "CMD") this.#cmdSet = true;
    if (instruction.kind === "MAINTAINER") this.#author = instruction.name.text;
    this.line(text);
  }

  step(step: HistoryStep, note: string | undefined): void {
    const { keyword, rest } = step;
    const original = `${keyword ?? ""} ${rest}`.trim();
    const env = variables(this.#wanted.Env ?? []);
    switch (keyword) {
      case undefined:
        this.comment(rest === "" ? `a step that its builder did not describe${note ? ` (${note})` : ""}` : rest);
        break;
      case "RUN":
        this.#run(rest);
        break;
      case "COPY":
      case "ADD":
        this.#copy(keyword, rest);
        break;
      case "ENV":
      case "LABEL": {
        const known = keyword === "ENV" ? env : (this.#wanted.Labels ?? {});
        this.#pairs(keyword, splitPairs(rest, undefined, known), original);
        break;
      }
      case "ARG":
        this.#arg(rest);
        break;
      case "CMD":
      case "ENTRYPOINT": {
        const argv = readArgv(rest);
        this.#add(argv === undefined ? `${keyword} ${rest}` : this.#command(keyword, argv), original);
        break;
      }
      case "EXPOSE":
        this.#add(`EXPOSE ${readPorts(rest).join(" ")}`, original);
        break;
      case "VOLUME":
        this.#add(
          `VOLUME ${jsonWords(readPaths(rest, Object.keys(this.#wanted.Volumes ?? {})), this.#escape)}`,
          original,
        );
        break;
      case "SHELL":
        this.#add(`SHELL ${execForm(readShell(rest, this.#wanted.Shell))}`, original);
        break;
      case "HEALTHCHECK": {
        const health = readHealthcheck(rest);
        this.#add(health === undefined ? undefined : healthcheckLine(health, this.#escape), original);
        break;
      }
      case "WORKDIR":
      case "USER":
      case "STOPSIGNAL":
        this.#add(`${keyword} ${quoteWord(rest, this.#escape)}`, original);
        break;
      case "MAINTAINER":
        this.#add(`${keyword} ${rest}`, original);
        break;
      // Triggers are not inherited: those that count are in the config, and settle() writes them.
      case "ONBUILD":
        break;
      case "FROM":
        this.comment(original);
        break;
    }
  }

  /**
   * CMD or ENTRYPOINT. Windows: one string that begins with the shell is its shell form, if the image marks it as a command
   * line; several strings are kept as such, which is how BuildKit writes shell forms.
   */
  #command(keyword: "CMD" | "ENTRYPOINT", argv: readonly string[]): string {
    const shell = this.#shell();
    if (this.#os !== "windows") return commandLine(keyword, argv, shell, this.#escape);
    const [line = ""] = argv;
    const prefix = `${shell.join(" ")} `;
    const isLine = argv.length === 1 && this.#wanted.ArgsEscaped === true && line.startsWith(prefix);
    if (!isLine) return `${keyword} ${execForm(argv)}`;
    return commandLine(keyword, [...shell, line.slice(prefix.length)], shell, this.#escape);
  }

  #shell(): readonly string[] {
    return shellOf(this.#config, this.#os);
  }

  #run(rest: string): void {
    const run = readRun(rest, this.#shell());
    for (const arg of run.args) {
      const equals = arg.indexOf("=");
      const [name, value] = [arg.slice(0, equals), arg.slice(equals + 1)];
      const isNew = !this.#declared.has(name);
      if (isNew) this.#arg(value === "" ? name : arg);
      else if (value !== "" && this.#declared.get(name) !== value) this.comment(`the next step was built with ${arg}`);
    }
    if (run.isGuessed) this.comment("an exec form: the history does not tell its arguments apart");
    if (run.argv.at(-1)?.startsWith(scriptFolder)) this.#note(`the text of ${scriptFolder}… is not in the history`);
    const text =
      scriptText(run.argv, this.#config, this.#os, this.#escape) ??
      commandLine("RUN", run.argv, this.#shell(), this.#escape);
    this.#add(run.argv.length === 0 ? undefined : text, `RUN ${rest}`);
  }

  #arg(rest: string): void {
    const isPlain = !rest.includes("=");
    const pairs = isPlain ? rest.split(" ").map((name) => [name] as const) : splitPairs(rest);
    const words = pairs.map(([name, value]) => {
      this.#declared.set(name, value);
      return value === undefined ? name : pairText(name, value, this.#escape);
    });
    this.#add(words.includes(undefined) ? undefined : `ARG ${words.join(" ")}`, `ARG ${rest}`);
  }

  #pairs(keyword: string, pairs: readonly (readonly [string, string])[], original: string): void {
    const words = pairs.map(([name, value]) => pairText(name, value, this.#escape));
    const isSayable = words.length > 0 && !words.includes(undefined);
    this.#add(isSayable ? `${keyword} ${words.join(" ")}` : undefined, original);
  }

  /** BuildKit: `COPY --chown=a b c`. Classic: `COPY file:DIGEST in /c`, where only the digest of the source is known. */
  #copy(keyword: "COPY" | "ADD", rest: string): void {
    const classic = /^((?:--\S+ )*)((?:file|dir|multi):[0-9a-f]+) in (.*)$/s.exec(rest);
    if (classic !== null) {
      this.#note("file:, dir: and multi: stand for sources of which the history has only a digest");
      const target = (classic[3] ?? "").trim();
      const flags = classic[1] ?? "";
      const words = [classic[2] ?? "", target];
      const paths = /\s/.test(target)
        ? jsonWords(words, this.#escape)
        : words.map((word) => this.#word(word)).join(" ");
      this.#add(`${keyword} ${flags}${paths}`, `${keyword} ${rest}`);
      return;
    }
    this.#note("sources are from a build context, a stage or an image that the history does not name");
    const words = rest.split(" ").filter((word) => word !== "");
    if (words.some((word) => word.startsWith("<<")))
      this.#note("<< is a here-document: its text is in the layer, not in the history");
    const flags = words.filter(
      (word, index) => /^--(parents$|(chown|chmod)=)/.test(word) && words.slice(0, index).every(isFlag),
    );
    const listed = readArgv(words.slice(flags.length).join(" "));
    const paths = words.slice(words.findIndex((word) => !isFlag(word)));
    // A flag's backslash counts only doubled, whatever the escape character.
    const said = flags.map((flag) => flag.replaceAll("\\", "\\\\"));
    const list = listed ? [jsonWords(listed, this.#escape)] : paths.map((word) => this.#word(word.replace(/^<</, "")));
    this.#add([keyword, ...said, ...list].join(" "), `${keyword} ${rest}`);
  }

  #word(text: string): string {
    return escapeWord(text, this.#escape);
  }

  /** What the config has beyond the history, each as one more instruction; what it lacks, as a comment. */
  settle(author: string | undefined): void {
    const wanted = this.#wanted;
    const fold = (name: string) => (this.#os === "windows" ? name.toUpperCase() : name);
    const known = new Map(
      Object.entries(variables(this.#config.Env ?? [])).map(([name, value]) => [fold(name), value]),
    );
    const missing = Object.entries(variables(wanted.Env ?? [])).filter(
      ([name, value]) => known.get(fold(name)) !== value,
    );
    for (const pair of missing) this.#pairs("ENV", [pair], `ENV ${pair.join("=")}`);
    for (const [name, value] of Object.entries(wanted.Labels ?? {})) {
      if (this.#config.Labels?.[name] !== value) this.#pairs("LABEL", [[name, value]], `LABEL ${name}=${value}`);
    }
    const ports = Object.keys(wanted.ExposedPorts ?? {}).filter((port) => !this.#config.ExposedPorts?.[port]);
    if (ports.length > 0)
      this.#add(`EXPOSE ${ports.map((port) => this.#word(port)).join(" ")}`, `EXPOSE ${ports.join(" ")}`);
    const volumes = Object.keys(wanted.Volumes ?? {}).filter((path) => !this.#config.Volumes?.[path]);
    if (volumes.length > 0) this.#add(`VOLUME ${jsonWords(volumes, this.#escape)}`, `VOLUME ${volumes.join(" ")}`);
    const isWindows = this.#os === "windows";
    const folder = isWindows ? normalizeFolder(wanted.WorkingDir ?? "") : wanted.WorkingDir;
    this.#field("WORKDIR", folder, this.#config.WorkingDir, isWindows ? "C:\\" : "/");
    this.#field("USER", wanted.User, this.#config.User, "");
    this.#field("STOPSIGNAL", wanted.StopSignal, this.#config.StopSignal, "");
    this.#settleCommands(wanted);
    for (const trigger of wanted.OnBuild ?? []) {
      this.#add(`ONBUILD ${trigger}`, `ONBUILD ${trigger}`);
    }
    if (author && author !== this.#author)
      this.#add(isOneLine(author) ? `MAINTAINER ${quoteWord(author, this.#escape)}` : undefined, author);
    const has = new Set(Object.keys(variables(wanted.Env ?? [])).map(fold));
    for (const name of Object.keys(variables(this.#config.Env ?? []))) {
      if (!has.has(fold(name))) this.comment(`the image has no variable ${name}`);
    }
  }

  #field(keyword: string, wanted: string | undefined, found: string | undefined, nothing: string): void {
    if ((wanted || nothing) === (found || nothing)) return;
    if (wanted)
      this.#add(
        isOneLine(wanted) ? `${keyword} ${quoteWord(wanted, this.#escape)}` : undefined,
        `${keyword} ${wanted}`,
      );
    else this.comment(`the image has no ${keyword}`);
  }

  #settleCommands(wanted: ContainerConfig): void {
    if (!equal(wanted.Shell, this.#config.Shell) && wanted.Shell?.length) {
      this.#add(`SHELL ${execForm(wanted.Shell)}`, `SHELL ${wanted.Shell.join(" ")}`);
    }
    const { Healthcheck: health } = wanted;
    if (health?.Test?.length && !equal(health, this.#config.Healthcheck)) {
      this.#add(healthcheckLine(health, this.#escape), `HEALTHCHECK ${JSON.stringify(health)}`);
    }
    for (const [keyword, field] of [
      ["ENTRYPOINT", "Entrypoint"],
      ["CMD", "Cmd"],
    ] as const) {
      const argv = wanted[field] ?? [];
      if (!equal(argv, this.#config[field] ?? []))
        this.#add(
          this.#os === "windows" ? this.#command(keyword, argv) : `${keyword} ${execForm(argv)}`,
          `${keyword} ${argv.join(" ")}`,
        );
    }
  }
}

function isFlag(word: string): boolean {
  return word.startsWith("--");
}

function variables(env: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    env.map((each) => {
      const equals = each.indexOf("=");
      return equals < 0 ? [each, ""] : [each.slice(0, equals), each.slice(equals + 1)];
    }),
  );
}

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null, sorted) === JSON.stringify(b ?? null, sorted);
}

function sorted(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
