/** `wbuild tag`: another name for an image. */
import type { Command } from "./command.ts";
import { openSession } from "./session.ts";

export const tagCommand: Command = {
  operands: "IMAGE NAME",
  about: `
    Points NAME at an image of the store, which keeps the names that it has. A NAME that pointed at another image is
    moved. IMAGE is a name, or an image ID or its first digits.`,
  examples: [
    ["wbuild tag app registry.example.com/team/app:1.2", "name it for a registry"],
    ["wbuild tag 3f2a app:old", "name an image by its ID"],
  ],
  define(parser) {
    parser.argument("<image>").argument("<name>");
  },
  async run(parser, cli) {
    const { findImage, tagImage } = await import("../image/stored/local.ts");
    await using session = openSession(cli);
    const store = await session.store();
    tagImage(store, await findImage(store, parser.args[0] ?? ""), parser.args[1] ?? "");
    return 0;
  },
};
