/** `wbuild version` and `--version`. A house test compares the number with package.json's. */
import type { Command } from "./command.ts";

export const version = "0.1.0";

export const versionCommand: Command = {
  operands: "",
  about: "Shows the version of wbuild. `wbuild --version` does the same.",
  examples: [["wbuild version", "which wbuild is this"]],
  define() {},
  async run(_, cli) {
    cli.stdout.write(`wbuild ${version}\n`);
    return 0;
  },
};
