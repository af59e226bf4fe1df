/** `wbuild debug build`: a build that opens a shell where it fails. */
import { WbuildError } from "../../native/error.ts";
import { buildCommand } from "./build.ts";
import type { Command } from "./command.ts";

export const debugCommand: Command = {
  operands: "[build] CONTEXT",
  about: `
    A build with --on-failure=shell: when a step fails, all others end and a shell opens in its container, with its files,
    variables, user, folder and mounts. When the shell ends the build fails as it would have. All flags of build are taken.`,
  examples: [
    ["wbuild debug build .", "build, and look into the step that fails"],
    ["wbuild debug --invoke /bin/bash build -t app .", "with another program than the step's own shell"],
  ],
  define(parser) {
    buildCommand.define(parser);
    parser
      .option("--on <when>", "error: the only time there is")
      .option("--invoke <program>", "run this program in place of the shell");
  },
  async run(parser, cli) {
    const { on = "error", onFailure = "shell" } = parser.opts<{ on?: string; onFailure?: string }>();
    if (on !== "error")
      throw new WbuildError("CLI_VALUE", `--on: ${JSON.stringify(on)} is not error`, {
        hint: "of a build that succeeded, look into the image: wbuild run -it IMAGE",
      });
    parser.setOptionValue("onFailure", onFailure);
    return buildCommand.run(parser, cli);
  },
};
