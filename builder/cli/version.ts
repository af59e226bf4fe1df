/** `wbuild version` and `--version`. */
import { version } from "../version.ts";
import type { Command } from "./command.ts";

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
