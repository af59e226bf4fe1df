/** `wbuild flatten`: an image's layers as one. */
import type { Command as Parser } from "commander";
import { WbuildError } from "../../native/error.ts";
import type { Image } from "../../registry/oci/image.ts";
import { type ChangingFlags, type ChangingWorld, carryOut, commandText, defineChangingFlags } from "./changing.ts";
import { type Cli, type Command, flagsOf } from "./command.ts";
import { parseChoice, parseCount } from "./flags/values.ts";

interface FlattenFlags extends ChangingFlags {
  readonly from?: string;
  readonly keepBase?: boolean;
  readonly base?: string;
  readonly compression?: string;
}

export const flattenCommand: Command = {
  operands: "IMAGE",
  about: `
    Makes one layer of all layers of an image, or of those above its base. What upper layers replaced or deleted is gone
    from it; links, owners, times and attributes stay. Configuration and history stay, the lines without their layers. Of
    Windows images the registry becomes one, too: over a base that is kept, one change of each hive; else the base's hives
    with all changes in them. The same layers give the same bytes. Layers are read as streams and never unpacked.`,
  examples: [
    ["wbuild flatten app -t app:flat", "all layers"],
    ["wbuild flatten app --keep-base -t app:flat", "those above the base, as the store knows it"],
    ["wbuild flatten app --from 3 -t app:flat", "the third and all above"],
  ],
  readsLayers: true,
  define(parser) {
    defineFlattenFlags(parser);
    parser.option("--keep-base", "keep the layers of the base, as annotations or the store know it");
  },
  run: (parser, cli) => flatten(parser, cli, "flatten"),
};

export function defineFlattenFlags(parser: Parser): void {
  parser
    .argument("<image>")
    .option("--base <name>", "keep the layers of this image")
    .option("--from <number>", "keep the layers below this one; 1 is the lowest")
    .option("--compression <kind>", "of the layer: zstd, gzip or none; usual: that of the highest layer");
  defineChangingFlags(parser, { push: false });
}

/** What `flatten` and `squash` do; these keep the base where no flag says otherwise. */
export async function flatten(parser: Parser, cli: Cli, command: "flatten" | "squash"): Promise<number> {
  const flags = flagsOf<FlattenFlags>(parser);
  const { base, from } = flags;
  if (from !== undefined && (flags.keepBase || base !== undefined))
    throw new WbuildError("CLI_USAGE", `--from and --${base === undefined ? "keep-base" : "base"} exclude each other`);
  const keepsBase = from === undefined && (command === "squash" || flags.keepBase === true || base !== undefined);
  const keep = from === undefined ? undefined : parseCount("--from", from, 1, 4096) - 1;
  const compression =
    flags.compression === undefined
      ? undefined
      : parseChoice("--compression", flags.compression, ["zstd", "gzip", "none"]);
  const { flattenImage } = await import("../mutate/flatten.ts");
  const words = from !== undefined ? ["--from", from] : command === "flatten" && keepsBase ? ["--keep-base"] : [];
  return carryOut(cli, flags, {
    image: parser.args[0] ?? "",
    edit: async (world) => async (image) => {
      const kept = keep ?? (keepsBase ? await layersOfBase(world, image, base) : 0);
      await world.bring([image]);
      return flattenImage(world.store, image, {
        keep: kept,
        ...(compression === undefined ? {} : { compression }),
        created: world.created,
        command: commandText(command, words),
        signal: cli.signal,
      });
    },
  });
}

/** Of Windows images the lowest layer is a base in any case: every importer takes it for one. */
async function layersOfBase({ store, find }: ChangingWorld, image: Image, base: string | undefined): Promise<number> {
  const { oldBaseOf } = await import("../mutate/old-base.ts");
  try {
    const { old } = await oldBaseOf(store, image, base, find);
    return old.manifest.layers.length;
  } catch (error) {
    if (base === undefined && image.config.os === "windows") return 1;
    throw error;
  }
}
