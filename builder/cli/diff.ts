/** `wbuild diff`: which files differ. */
import { WbuildError } from "../../native/error.ts";
import { harmless } from "../progress/harmless.ts";
import { type Command, flagsOf } from "./command.ts";
import { openSession } from "./session.ts";
import { json } from "./table.ts";
import { parseCount } from "./values.ts";

export const diffCommand: Command = {
  operands: "IMAGE [IMAGE]",
  about: `
    With one image: what its last layer changed in what lies below it; --layer takes another layer. With two: how the files
    of the second differ from those of the first. One line a path: A added, C changed, D deleted. Times alone are no
    difference, and what was in a deleted folder is not listed.`,
  examples: [
    ["wbuild diff app", "what the last layer changed"],
    ["wbuild diff app:1.1 app:1.2", "what a new version changed"],
    ["wbuild diff --layer 1 --json app", "all that the lowest layer brings, for programs"],
  ],
  define(parser) {
    parser
      .argument("<image>")
      .argument("[other]")
      .option("--layer <number>", "of one image: this layer, 1 is the lowest")
      .option("--json", "print the differences as JSON, with what changed and sizes");
  },
  async run(parser, cli) {
    const flags = flagsOf<{ layer?: string; json?: boolean }>(parser);
    const [first = "", second] = parser.args;
    if (second !== undefined && flags.layer !== undefined)
      throw new WbuildError("CLI_USAGE", "--layer goes with one image only");
    const { findImage } = await import("../image/local.ts");
    const { diffLine } = await import("../image/diff.ts");
    const { diffImages, diffOwnLayer } = await import("../diff.ts");
    await using session = openSession(cli);
    const store = await session.store();
    const image = await findImage(store, first);
    const layer =
      flags.layer === undefined ? undefined : parseCount("--layer", flags.layer, 1, image.manifest.layers.length);
    const found =
      second === undefined
        ? await diffOwnLayer(store, image, layer)
        : await diffImages(store, image, await findImage(store, second));
    cli.stdout.write(flags.json ? json(found) : found.map((each) => `${harmless(diffLine(each))}\n`).join(""));
    return 0;
  },
};
