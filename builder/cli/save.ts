/** `wbuild save`: images to an archive or a folder. */
import { WbuildError } from "../../native/error.ts";
import { bringing } from "./bring.ts";
import { type Command, flagsOf } from "./command.ts";
import { platformOf } from "./flags/platform-flag.ts";
import { parseChoice } from "./flags/values.ts";
import { openSession } from "./session.ts";

export const saveCommand: Command = {
  operands: "IMAGE [IMAGE...]",
  about: `
    Writes images, with their names, layers, history and configuration, to a tar that \`wbuild load\`, \`docker load\`, skopeo
    and others read. With --output that ends in /, or is a folder, an OCI layout or docker archive is laid out there.`,
  examples: [
    ["wbuild save -o app.tar app", "an OCI archive"],
    ["wbuild save --format docker app | docker load", "into docker"],
    ["wbuild save -o layout/ app:1 app:2", "two images into one OCI layout folder"],
  ],
  define(parser) {
    parser
      .argument("<images...>")
      .option("-o, --output <path>", "write to this file or folder, not to standard output")
      .option("--format <kind>", "oci or docker", "oci")
      .option("--platform <os/arch>", "of images for several platforms, save only this one");
  },
  async run(parser, cli) {
    const flags = flagsOf<{ output?: string; format: string; platform?: string }>(parser);
    const format = parseChoice("--format", flags.format, ["oci", "docker"]);
    const output = flags.output === "-" ? undefined : flags.output;
    if (output === undefined && cli.stdout.isTTY)
      throw new WbuildError("CLI_USAGE", "an archive is not written to a terminal", {
        hint: "add -o FILE, or pipe it",
      });
    const { saveLocal } = await import("../image/move/archives.ts");
    await using session = openSession(cli);
    await saveLocal(await session.store(), parser.args, {
      format,
      ...(await platformOf(flags)),
      bring: bringing(session, cli),
      ...(output === undefined ? { stream: cli.stdout } : { path: output }),
    });
    return 0;
  },
};
