/** `wbuild diff`: which files differ, and of Windows images which keys and values of the registry. */
import { WbuildError } from "../../native/error.ts";
import type { Image } from "../../registry/oci/image.ts";
import type { ImageDifference } from "../diff.ts";
import { harmless } from "../progress/harmless.ts";
import { bringing } from "./bring.ts";
import { type Command, flagsOf } from "./command.ts";
import { parseCount } from "./flags/values.ts";
import { openSession } from "./session.ts";
import { json } from "./table.ts";

/** Characters. */
const pieceSize = 32 * 1024;

export const diffCommand: Command = {
  operands: "IMAGE [IMAGE]",
  about: `
    With one image: what its last layer changed in what lies below it; --layer takes another layer, --each-layer all but the
    lowest. With two: how the files of the second differ from those of the first. One line a path: A added, C changed,
    D deleted. Times alone are no difference, and what was in a deleted folder is not listed. Of Windows images the keys and
    values of the registry follow, HKLM and the profiles below HKU; a Windows image alone is told layer by layer.`,
  examples: [
    ["wbuild diff app", "what the last layer changed"],
    ["wbuild diff app:1.1 app:1.2", "what a new version changed"],
    ["wbuild diff --layer 1 --json app", "all that the lowest layer brings, for programs"],
    ["wbuild diff --each-layer app", "layer by layer"],
  ],
  readsLayers: true,
  define(parser) {
    parser
      .argument("<image>")
      .argument("[other]")
      .option("--layer <number>", "of one image: this layer, 1 is the lowest")
      .option("--each-layer", "of one image: each layer by itself, without the lowest")
      .option("--json", "print the differences as JSON, with what changed and sizes");
  },
  async run(parser, cli) {
    const flags = flagsOf<{ layer?: string; eachLayer?: boolean; json?: boolean }>(parser);
    const [first = "", second] = parser.args;
    if (second !== undefined && (flags.layer !== undefined || flags.eachLayer))
      throw new WbuildError("CLI_USAGE", "--layer and --each-layer go with one image only");
    if (flags.layer !== undefined && flags.eachLayer)
      throw new WbuildError("CLI_USAGE", "--layer and --each-layer exclude each other");
    const { findImage } = await import("../image/stored/local.ts");
    const { diffImages, diffOwnLayer } = await import("../diff.ts");
    await using session = openSession(cli);
    const store = await session.store();
    const image = await findImage(store, first);
    const count = image.manifest.layers.length;
    const after = second === undefined ? undefined : await findImage(store, second);
    // What lies above the layer that is asked for, nobody looks at.
    const layer = flags.layer === undefined ? undefined : parseCount("--layer", flags.layer, 1, count);
    await bringing(session, cli)([upTo(image, layer ?? count), ...(after ? [after] : [])]);
    const told = new Set<string>();
    const warn = (text: string) => {
      if (!told.has(text)) session.warn(harmless(text));
      told.add(text);
    };
    const isWindows = image.config.os === "windows";
    const byLayer = second === undefined && flags.layer === undefined && isWindows && count > 1;
    if (flags.eachLayer || byLayer) {
      const layers: (ImageDifference & { readonly layer: number })[] = [];
      for (let layer = 2; layer <= count; layer++)
        layers.push({ layer, ...(await diffOwnLayer(store, image, layer, warn)) });
      if (flags.json) cli.stdout.write(json(layers));
      else
        for (const one of layers) {
          cli.stdout.write(`layer ${one.layer} of ${count}\n`);
          await writeLines(one, cli.stdout);
        }
      return 0;
    }
    const found = after ? await diffImages(store, image, after, warn) : await diffOwnLayer(store, image, layer, warn);
    if (flags.json) cli.stdout.write(json([...found.files, ...found.registry]));
    else await writeLines(found, cli.stdout);
    return 0;
  },
};

/** The image without what lies above a layer, which is counted from 1. */
function upTo({ descriptor, manifest, config }: Image, layer: number): Image {
  const diffIds = config.rootfs.diff_ids.slice(0, layer);
  return {
    descriptor,
    manifest: { ...manifest, layers: manifest.layers.slice(0, layer) },
    config: { ...config, rootfs: { ...config.rootfs, diff_ids: diffIds } },
  };
}

/** In pieces: two large images may differ in hundreds of thousands of lines. */
async function writeLines({ files, registry }: ImageDifference, to: NodeJS.WritableStream): Promise<void> {
  const { diffLine } = await import("../image/inspect/diff.ts");
  const { registryLine } = await import("../image/inspect/registry-text.ts");
  let piece = "";
  const add = (line: string) => {
    piece += `${harmless(line)}\n`;
    if (piece.length < pieceSize) return;
    to.write(piece);
    piece = "";
  };
  for (const one of files) add(diffLine(one));
  for (const one of registry) add(registryLine(one));
  to.write(piece);
}
