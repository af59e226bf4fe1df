/** `wbuild inspect`: everything about an image. */
import { WbuildError } from "../../native/error.ts";
import { forReader } from "../progress/harmless.ts";
import { type Command, flagsOf } from "./command.ts";
import { openSession } from "./session.ts";
import { json } from "./table.ts";

interface InspectFlags {
  readonly format?: string;
  readonly raw?: boolean;
}

export const inspectCommand: Command = {
  operands: "IMAGE [IMAGE...]",
  about: `
    Prints images as a JSON array with the fields that \`docker image inspect\` has. --format takes a Go template for each
    image instead; --raw prints the manifest byte for byte as it is stored.`,
  examples: [
    ["wbuild inspect app", "everything"],
    ["wbuild inspect --format '{{json .Config.Env}}' app", "one thing"],
    ["wbuild inspect --raw app | sha256sum", "the manifest's digest"],
  ],
  define(parser) {
    parser
      .argument("<images...>")
      .option("-f, --format <template>", "json, or a Go template: {{.Id}} {{json .Config}} …")
      .option("--raw", "print the manifest as it is stored");
  },
  async run(parser, cli) {
    const flags = flagsOf<InspectFlags>(parser);
    if (flags.raw && flags.format !== undefined)
      throw new WbuildError("CLI_USAGE", "--raw and --format exclude each other");
    const { findImage } = await import("../image/local.ts");
    const { inspectImage } = await import("../image/inspect.ts");
    await using session = openSession(cli);
    const store = await session.store();
    const found = [];
    for (const text of parser.args) found.push(await findImage(store, text));
    if (flags.raw) {
      for (const { descriptor } of found) for await (const part of store.blobs.open(descriptor)) cli.stdout.write(part);
      return 0;
    }
    const all = [];
    for (const image of found) all.push(await inspectImage(store, image));
    if (flags.format !== undefined && flags.format !== "json") {
      const { compileTemplate } = await import("../image/format.ts");
      const template = compileTemplate(flags.format, { isStrict: false });
      for (const one of all) cli.stdout.write(forReader(cli.stdout, `${template.render(one)}\n`));
    } else cli.stdout.write(json(all));
    return 0;
  },
};
