/** `wbuild rebase`: an image on another base, without building. */
import { WbuildError } from "../../native/error.ts";
import type { Image } from "../../registry/oci/image.ts";
import { type ChangingFlags, carryOut, commandText, defineChangingFlags } from "./changing.ts";
import { type Command, flagsOf } from "./command.ts";

interface RebaseFlags extends ChangingFlags {
  readonly oldBase?: string;
  readonly newBase?: string;
  readonly force?: boolean;
}

export const rebaseCommand: Command = {
  operands: "IMAGE",
  about: `
    Puts the layers that an image has above its base on another base, such as the same base with this month's fixes. Settings
    are the new base's, but for those that the image had changed in the old one's. Nothing is built: programs that were made
    against the old base's files must get on with the new ones. Without --old-base it is the one of the image's annotations
    org.opencontainers.image.base.*, else the image of the store that it begins with; without --new-base what that name
    means now. The old base's layers must be the lowest of the image.

    A Windows image's registry changes hold whole values: where the new base changed the same ones the rebase is refused with
    the keys, unless --force lets the image's own count. The result must pass what \`wbuild inspect --verify\` checks.`,
  examples: [
    ["wbuild rebase app --old-base debian:12.5 --new-base debian:12.6 -t app:2", "a newer base"],
    ["wbuild rebase --push r.example.com/app:1 -t r.example.com/app:2", "by its annotations, in the registry alone"],
  ],
  define(parser) {
    parser
      .argument("<image>")
      .option("--old-base <name>", "the image that it was built on")
      .option("--new-base <name>", "the image that it is to stand on")
      .option("--force", "of Windows images: the image's own registry values count where the new base has others");
    defineChangingFlags(parser, { push: true });
  },
  async run(parser, cli) {
    const flags = flagsOf<RebaseFlags>(parser);
    const { oldBaseOf } = await import("../mutate/old-base.ts");
    const { checkRebased, rebaseImage } = await import("../mutate/rebase.ts");
    const { formatReference, parseReference } = await import("../../registry/reference.ts");
    const moved: { image: Image; old: Image }[] = [];
    return carryOut(cli, flags, {
      image: parser.args[0] ?? "",
      edit: async ({ store, find, created }) => {
        return async (image) => {
          const { old, name } = await oldBaseOf(store, image, flags.oldBase, find);
          const next = flags.newBase ?? name;
          if (next === undefined)
            throw new WbuildError("CLI_USAGE", "nothing says which base is the new one", {
              hint: "add --new-base NAME",
            });
          const { os, architecture, variant } = image.config;
          const base = await find(next, { os, architecture, ...(variant === undefined ? {} : { variant }) });
          moved.push({ image, old });
          const isName = !/^(?:sha256:)?[0-9a-f]{4,64}$/.test(next);
          return rebaseImage(image, {
            old,
            base,
            ...(isName ? { baseName: formatReference(parseReference(next)) } : {}),
            created,
            command: commandText("rebase", ["--new-base", next]),
          });
        };
      },
      check: async ({ store, bring }, { images }) => {
        for (const [at, result] of images.entries()) {
          const before = moved[at];
          if (before === undefined) continue;
          // Their registry has to be read; of Linux images nothing is fetched for a look.
          const isWindows = result.config.os === "windows";
          if (isWindows) await bring([before.image, result]);
          await checkRebased(store, { ...before, result, force: flags.force === true }, cli.signal);
        }
      },
    });
  },
};
