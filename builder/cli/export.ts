/** `wbuild export`: an image's files as one tar. */
import { WbuildError } from "../../native/error.ts";
import { bringing } from "./bring.ts";
import { type Command, flagsOf } from "./command.ts";
import { openSession } from "./session.ts";

export const exportCommand: Command = {
  operands: "IMAGE",
  about: `
    Writes all files of an image, its layers laid over each other, as one uncompressed tar. History and configuration are
    not in it: \`wbuild save\` keeps them.`,
  examples: [
    ["wbuild export -o app.tar app", "to a file"],
    ["wbuild export app | tar -tv", "look into an image"],
  ],
  readsLayers: true,
  define(parser) {
    parser.argument("<image>").option("-o, --output <path>", "write to this file, not to standard output");
  },
  async run(parser, cli) {
    const { output } = flagsOf<{ output?: string }>(parser);
    if (output === undefined && cli.stdout.isTTY)
      throw new WbuildError("CLI_USAGE", "a tar is not written to a terminal", { hint: "add -o FILE, or pipe it" });
    const { findImage } = await import("../image/stored/local.ts");
    const { exportTar, streamTar } = await import("../image/output/export-tree.ts");
    const { openImage } = await import("../open-image.ts");
    await using session = openSession(cli);
    const store = await session.store();
    const image = await findImage(store, parser.args[0] ?? "");
    await bringing(session, cli)([image]);
    const trees = [{ tree: await openImage(store, image).tree(), os: image.config.os }];
    if (output !== undefined && output !== "-") {
      await exportTar(trees, output, {});
      return 0;
    }
    await using place = await store.snapshots.reserve();
    await streamTar(trees, cli.stdout, place.scratch, {});
    return 0;
  },
};
