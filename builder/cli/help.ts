/** Help pages: the overview of all commands, and the page of one. Pure text; the golden files hold them. */
import type { Option, Command as Parser } from "commander";
import type { Command, CommandRow } from "./command.ts";
import { commands, groups } from "./commands.ts";

const globalFlags: readonly (readonly [string, string])[] = [
  ["--home FOLDER", "keep the store here (else $WBUILD_HOME, else the XDG data folder)"],
  ["--debug", "show stacks with errors"],
  ["-h, --help", "show this help"],
];

const variables: readonly (readonly [string, string])[] = [
  ["WBUILD_HOME", "folder of the store"],
  [
    "WBUILD_PROGRESS",
    "how a build shows its progress: auto, tty, plain, json, rawjson or quiet (BUILDKIT_PROGRESS counts, too)",
  ],
  ["WBUILD_CI_FOLDING", "0: no folds nor notes at lines in the logs of GitHub Actions and GitLab"],
  ["SOURCE_DATE_EPOCH", "seconds since 1970 that no time in an image exceeds"],
  ["DOCKER_CONFIG", "folder of config.json, where the credentials for registries are"],
  ["NO_COLOR", "any value: no colours (FORCE_COLOR: colours also where there is no terminal)"],
];

/** Two columns; the right one is wrapped at the width. */
function columns(rows: readonly (readonly [string, string])[], width: number, left: number): string {
  return rows
    .map(([name, text]) => {
      const lines = wrap(text, Math.max(30, width - left - 4));
      const head = name.length > left ? `  ${name}\n${" ".repeat(left + 4)}` : `  ${name.padEnd(left)}  `;
      return head + lines.join(`\n${" ".repeat(left + 4)}`);
    })
    .join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** `wbuild --help`. */
export function overview(version: string, width: number): string {
  const names = Object.keys(commands);
  const left = Math.max(...names.map((name) => name.length));
  const sections = (Object.keys(groups) as CommandRow["group"][]).map((group) => {
    const rows = Object.entries(commands)
      .filter(([, row]) => row.group === group)
      .map(([name, row]) => [name, row.summary] as const);
    return `${groups[group]}:\n${columns(rows, width, left)}`;
  });
  const flags = [...globalFlags, ["-v, --version", "show the version"]] as const;
  return `${[
    `wbuild ${version}: builds container images from a Dockerfile, without a daemon.`,
    "Usage: wbuild [build] [flags] CONTEXT\n       wbuild COMMAND [flags] …",
    ...sections,
    `Flags:\n${columns(flags, width, 17)}`,
    `Environment:\n${columns(variables, width, 17)}`,
    `Examples:\n${columns(
      [
        ["wbuild .", "build the Dockerfile of this folder"],
        ["wbuild -t app --push .", "build it, name it, push it"],
        ["wbuild run --rm app", "run it"],
        ["wbuild COMMAND --help", "all about one command"],
      ],
      width,
      24,
    )}`,
  ].join("\n\n")}\n`;
}

/** `wbuild NAME --help`. The parser must have been defined by the command. */
export function page(name: string, command: Command, parser: Parser, width: number): string {
  const rows = parser.options
    .filter((option) => !option.hidden && !isGlobal(option))
    .map((option) => [flagTerm(option), flagText(option)] as const);
  const left = Math.min(30, Math.max(14, ...rows.map(([term]) => term.length)));
  const flags = rows.length > 0 ? " [flags]" : "";
  const default_ = name === "build" ? "wbuild [build]" : `wbuild ${name}`;
  const sections = [
    `Usage: ${default_}${flags}${command.operands === "" ? "" : ` ${command.operands}`}`,
    command.about
      .trim()
      .split(/\n\s*\n/)
      .map((part) => wrap(part.replace(/\s+/g, " ").trim(), width).join("\n"))
      .join("\n\n"),
  ];
  if (rows.length > 0) sections.push(`Flags:\n${columns(rows, width, left)}`);
  sections.push(`Global flags:\n${columns(globalFlags, width, left)}`);
  sections.push(`Examples:\n${command.examples.map(([line, does]) => `  # ${does}\n  ${line}`).join("\n\n")}`);
  return `${sections.join("\n\n")}\n`;
}

function isGlobal(option: Option): boolean {
  return option.long === "--home" || option.long === "--debug" || option.long === "--help";
}

function flagTerm(option: Option): string {
  const term = option.flags.replace(/ <(.*)>$/, " $1").replace(/ (\[)(.*)\]$/, "$1=$2]");
  return /^-[^-]/.test(term) ? term : `    ${term}`;
}

function flagText(option: Option): string {
  const shown =
    typeof option.defaultValue === "string" && option.defaultValue !== "" ? ` (default ${option.defaultValue})` : "";
  return option.description + shown;
}
