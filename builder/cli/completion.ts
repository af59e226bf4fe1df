/** `wbuild completion`: prints a script that completes commands, flags and names of images. */
import type { Command } from "./command.ts";
import { parseChoice } from "./flags/values.ts";

export const completionCommand: Command = {
  operands: "SHELL",
  about: `
    Prints a completion script for bash, zsh or fish on standard output. It completes commands, flags, and names of
    images where a command takes them.`,
  examples: [
    ["source <(wbuild completion bash)", "for this bash"],
    ["wbuild completion zsh > ~/.zfunc/_wbuild", "for zsh, where ~/.zfunc is in its fpath"],
    ["wbuild completion fish > ~/.config/fish/completions/wbuild.fish", "for fish, from now on"],
  ],
  define(parser) {
    parser.argument("<shell>");
  },
  async run(parser, cli) {
    const shell = parseChoice("SHELL", parser.args[0] ?? "", ["bash", "zsh", "fish"]);
    const { completionScript } = await import("./completion-script.ts");
    cli.stdout.write(await completionScript(shell, cli.commands));
    return 0;
  },
};
