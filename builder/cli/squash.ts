/** `wbuild squash`: what an image brings beyond its base, as one layer. */
import type { Command } from "./command.ts";
import { defineFlattenFlags, flatten } from "./flatten.ts";

export const squashCommand: Command = {
  operands: "IMAGE",
  about: `
    The short name of \`wbuild flatten --keep-base\`: the layers above the base become one, those of the base stay and are
    shared with other images. The base is the one of --base, else that of the image's annotations, else the image of the
    store that it begins with; of a Windows image at least its lowest layer.`,
  examples: [
    ["wbuild squash app -t app:1", "one layer above the base"],
    ["wbuild squash app --base debian:12 -t app:1", "above this base"],
  ],
  readsLayers: true,
  define(parser) {
    defineFlattenFlags(parser);
  },
  run: (parser, cli) => flatten(parser, cli, "squash"),
};
