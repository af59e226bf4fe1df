/** Completion scripts, made from the same tables as the help pages, so that they cannot go stale. */
import type { CommandTable } from "./command.ts";
import { defineParser } from "./parse.ts";

interface Completable {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly {
    readonly long: string;
    readonly short?: string;
    readonly about: string;
    readonly value: boolean;
  }[];
  /** What its operands are. */
  readonly operand: "image" | "folder" | "none";
}

async function completables(commands: CommandTable): Promise<Completable[]> {
  return Promise.all(
    Object.entries(commands).map(async ([name, row]) => {
      const command = await row.load();
      const flags = defineParser(name, command)
        .options.filter((option) => !option.hidden)
        .flatMap(({ long = "", short, description: about, required, optional }) => {
          const flag = { about, value: required || optional };
          // A flag with two long names has the second one where others have a letter.
          if (short?.startsWith("--")) return [long, short].map((each) => ({ ...flag, long: each }));
          return [{ ...flag, long, ...(short === undefined ? {} : { short }) }];
        });
      const operand = /IMAGE/.test(command.operands) ? "image" : /CONTEXT/.test(command.operands) ? "folder" : "none";
      return { name, summary: row.summary, flags, operand };
    }),
  );
}

export async function completionScript(shell: "bash" | "zsh" | "fish", commands: CommandTable): Promise<string> {
  const all = await completables(commands);
  return shell === "bash" ? bash(all) : shell === "zsh" ? zsh(all) : fish(all);
}

const listImages = `wbuild images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null`;

function bash(all: readonly Completable[]): string {
  const cases = all.map(({ name, flags, operand }) => {
    const words = flags.map((flag) => flag.long).join(" ");
    const images = operand === "image" ? ` images=1` : "";
    return `    ${name}) flags="${words}"${images} ;;`;
  });
  return `# bash completion for wbuild
_wbuild() {
  local word="\${COMP_WORDS[COMP_CWORD]}" command="" flags="" images="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      -*) ;;
      *) command="\${COMP_WORDS[i]}"; break ;;
    esac
  done
  COMPREPLY=()
  if [ -z "$command" ] && [ "\${word:0:1}" != "-" ]; then
    COMPREPLY=($(compgen -W "${all.map(({ name }) => name).join(" ")}" -- "$word") $(compgen -d -- "$word"))
    return
  fi
  case "\${command:-build}" in
${cases.join("\n")}
  esac
  if [ "\${word:0:1}" = "-" ]; then
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
  elif [ -n "$images" ]; then
    COMPREPLY=($(compgen -W "$(${listImages})" -- "$word"))
    type __ltrim_colon_completions >/dev/null 2>&1 && __ltrim_colon_completions "$word"
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _wbuild wbuild
`;
}

/** Inside single quotes of zsh's _arguments: brackets and colons have meaning there. */
function zshText(text: string): string {
  return text.replace(/[[\]:\\]/g, "\\$&").replaceAll("'", `'\\''`);
}

function zsh(all: readonly Completable[]): string {
  const cases = all.map(({ name, flags, operand }) => {
    const specs = flags.flatMap(({ long, short, about, value }) =>
      [long, short]
        .filter((flag) => flag !== undefined)
        .map((flag) => `'*${flag}[${zshText(about)}]${value ? ":value:_files" : ""}'`),
    );
    const rest = operand === "image" ? "'*:image:_wbuild_images'" : "'*:file:_files'";
    return `    ${name}) _arguments ${[...specs, rest].join(" ")} ;;`;
  });
  return `#compdef wbuild
_wbuild_images() {
  local -a images
  images=(\${(f)"$(${listImages})"})
  images=(\${images//:/\\\\:})
  _describe image images
}
_wbuild() {
  local -a names
  names=(
${all.map(({ name, summary }) => `    '${name}:${zshText(summary)}'`).join("\n")}
  )
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    _describe command names
    _files -/
    return
  fi
  local command=$words[2]
  (( \${names[(I)$command:*]} )) && { words=("\${(@)words[2,-1]}"); (( CURRENT-- )); } || command=build
  case $command in
${cases.join("\n")}
  esac
}
_wbuild "$@"
`;
}

function fishText(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

function fish(all: readonly Completable[]): string {
  const names = all.map(({ name }) => name).join(" ");
  const lines = all.flatMap(({ name, summary, flags, operand }) => [
    `complete -c wbuild -n "not __fish_seen_subcommand_from ${names}" -a ${name} -d ${fishText(summary)}`,
    ...flags.map(
      ({ long, short, about, value }) =>
        `complete -c wbuild -n "__fish_seen_subcommand_from ${name}" -l ${long.slice(2)}${short ? ` -s ${short.slice(1)}` : ""}${value ? " -r" : ""} -d ${fishText(about)}`,
    ),
    ...(operand === "image"
      ? [`complete -c wbuild -n "__fish_seen_subcommand_from ${name}" -f -a "(${listImages})"`]
      : []),
  ]);
  return `# fish completion for wbuild\n${lines.join("\n")}\n`;
}
