/** `wbuild load`: images from an archive or a folder. */
import { WbuildError } from "../../native/error.ts";
import { type Command, flagsOf } from "./command.ts";
import { platformOf } from "./flags/platform-flag.ts";
import { openSession } from "./session.ts";

export const loadCommand: Command = {
  operands: "",
  about: `
    Reads images from an OCI layout or docker archive, as a tar (compressed or not) or as a folder, into the store.
    Names that the archive gives are taken over; images without a name are kept under their ID.`,
  examples: [
    ["wbuild load -i app.tar", "from a file"],
    ["docker save app | wbuild load", "from docker"],
    ["wbuild load -i layout/", "from an OCI layout folder"],
  ],
  define(parser) {
    parser
      .option("-i, --input <path>", "read from this file or folder, not from standard input")
      .option("-q, --quiet", "print image IDs alone")
      .option("--platform <os/arch>", "of images for several platforms, load only this one");
  },
  async run(parser, cli) {
    const flags = flagsOf<{ input?: string; quiet?: boolean; platform?: string }>(parser);
    const input = flags.input === "-" ? undefined : flags.input;
    if (input === undefined && cli.stdin.isTTY)
      throw new WbuildError("CLI_USAGE", "there is nothing to load on the terminal", {
        hint: "add -i FILE, or pipe it",
      });
    const { loadLocal } = await import("../image/move/archives.ts");
    const { platform } = await platformOf(flags);
    await using session = openSession(cli);
    const loaded = await loadLocal(await session.store(), input ?? cli.stdin, cli.signal, platform);
    for (const { id, names, artifactType } of loaded) {
      if (artifactType !== undefined)
        session.warn(`${id} is left out: it is no image but ${artifactType.slice(0, 100)}`);
      else if (flags.quiet || names.length === 0)
        cli.stdout.write(flags.quiet ? `${id}\n` : `Loaded image ID: ${id}\n`);
      else for (const name of names) cli.stdout.write(`Loaded image: ${name}\n`);
    }
    return 0;
  },
};
