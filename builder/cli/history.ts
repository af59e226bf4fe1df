/** `wbuild history`: how an image was made. */
import { WbuildError } from "../../native/error.ts";
import { forReader } from "../progress/harmless.ts";
import { type Command, flagsOf } from "./command.ts";
import { platformOf } from "./flags/platform-flag.ts";
import { openSession } from "./session.ts";

interface HistoryFlags {
  readonly trunc: boolean;
  readonly human: boolean;
  readonly quiet?: boolean;
  readonly format?: string;
  readonly json?: boolean;
  readonly dockerfile?: boolean;
  readonly platform?: string;
}

export const historyCommand: Command = {
  operands: "IMAGE",
  about: `
    Shows one line for each step that made the image, the newest first, in the form that \`docker history\` has: when, by
    what, and how much it added; of Windows images also how many keys and values of the registry it changed. With --dockerfile, a Dockerfile that would make such an image, written back from its history
    and configuration; what the history does not tell is marked by a comment.`,
  examples: [
    ["wbuild history app", "a table"],
    ["wbuild history --no-trunc --format '{{.CreatedBy}}' app", "the steps in full"],
    ["wbuild history --dockerfile app > Dockerfile", "back to a Dockerfile"],
  ],
  define(parser) {
    parser
      .argument("<image>")
      .option("--no-trunc", "show everything in full")
      .option("-H, --human", "sizes and times for people, the default", true)
      .option("--no-human", "sizes in bytes, times as dates; --human=false does the same")
      .option("-q, --quiet", "print image IDs alone")
      .option("--format <template>", "table, json, or a Go template: {{.ID}} {{.CreatedBy}} {{.Size}} …")
      .option("--json", "print the steps as JSON, one object a line")
      .option("--dockerfile", "print a Dockerfile")
      .option("--platform <os/arch>", "of an image for several platforms, this one");
  },
  async run(parser, cli) {
    const flags = flagsOf<HistoryFlags>(parser);
    if (flags.json && flags.format !== undefined)
      throw new WbuildError("CLI_USAGE", "--json and --format exclude each other");
    const { findImage } = await import("../image/stored/local.ts");
    const { layerSizes } = await import("../image/inspect/layer-sizes.ts");
    const { registryCounts } = await import("../image/inspect/registry-counts.ts");
    await using session = openSession(cli);
    const store = await session.store();
    const image = await findImage(store, parser.args[0] ?? "", (await platformOf(flags)).platform);
    if (flags.dockerfile) {
      const { historyToDockerfile } = await import("../image/history/to-dockerfile.ts");
      const { findBaseOf } = await import("../image/stored/base-of.ts");
      cli.stdout.write(forReader(cli.stdout, historyToDockerfile(image, await findBaseOf(store, image))));
      return 0;
    }
    const { historyRows, renderHistory } = await import("../image/history/history.ts");
    const format = flags.json ? "json" : flags.format;
    cli.stdout.write(
      renderHistory(historyRows(image, await layerSizes(store, image), await registryCounts(store, image)), {
        noTrunc: !flags.trunc,
        human: flags.human,
        quiet: flags.quiet === true,
        now: Date.now(),
        ...(format === undefined ? {} : { format }),
      }),
    );
    return 0;
  },
};
