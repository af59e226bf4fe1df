/** `wbuild rebase`: an image on another base, without building. */
import { WbuildError } from "../../native/error.ts";
import type { Image } from "../../registry/oci/image.ts";
import type { Rebased } from "../mutate/rebase-conflicts.ts";
import { type ChangingFlags, type ChangingWorld, carryOut, commandText, defineChangingFlags } from "./changing.ts";
import { type Command, flagsOf } from "./command.ts";

interface RebaseFlags extends ChangingFlags {
  readonly oldBase?: string;
  readonly newBase?: string;
  readonly force?: boolean;
  readonly check?: boolean;
}

/** Bytes of layers, compressed, that a look at what is hidden may read: some seconds. */
const cheap = 256 * 1024 * 1024;
/** Paths that a warning names. */
const told = 5;

export const rebaseCommand: Command = {
  operands: "IMAGE",
  about: `
    Puts the layers that an image has above its base on another base, such as the same base with this month's fixes. Settings
    are the new base's, but for those that the image had changed in the old one's. Nothing is built: programs that were made
    against the old base's files must get on with the new ones. Without --old-base it is the one of the image's annotations
    org.opencontainers.image.base.*, else the image of the store that it begins with; without --new-base what that name
    means now. The old base's layers must be the lowest of the image.

    A file that the image has, and that the new base changed too, hides what the new base brings: lists of packages do. A
    warning tells how many there are; --check lists them and makes nothing, with exit code 1 when there are any.

    A Windows image's registry changes hold whole values: where the new base changed the same ones the rebase is refused with
    the keys, unless --force lets the image's own count. The result must pass what \`wbuild inspect --verify\` checks.`,
  examples: [
    ["wbuild rebase app --old-base debian:12.5 --new-base debian:12.6 -t app:2", "a newer base"],
    ["wbuild rebase --check app --new-base debian:12.6", "which of its files would hide the new base's"],
    ["wbuild rebase --push r.example.com/app:1 -t r.example.com/app:2", "by its annotations, in the registry alone"],
  ],
  readsLayers: true,
  define(parser) {
    parser
      .argument("<image>")
      .option("--old-base <name>", "the image that it was built on")
      .option("--new-base <name>", "the image that it is to stand on")
      .option("--force", "of Windows images: the image's own registry values count where the new base has others");
    parser.option("--check", "list files of the image that hide what the new base changed, and make nothing");
    defineChangingFlags(parser, { push: true });
  },
  async run(parser, cli) {
    const flags = flagsOf<RebaseFlags>(parser);
    const { oldBaseOf } = await import("../mutate/old-base.ts");
    const { checkRebased, rebaseImage } = await import("../mutate/rebase.ts");
    const { formatReference, isLocalOnly, parseReference } = await import("../../registry/reference.ts");
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
          // Nobody else could make use of the name of a base that only this host has.
          const isName =
            !/^(?:sha256:)?[0-9a-f]{4,64}$/.test(next) && !(flags.push && isLocalOnly(parseReference(next)));
          return rebaseImage(image, {
            old,
            base,
            ...(isName ? { baseName: formatReference(parseReference(next)) } : {}),
            created,
            command: commandText("rebase", ["--new-base", next]),
          });
        };
      },
      check: async (world, { images }) => {
        const { store, bring } = world;
        for (const [at, result] of images.entries()) {
          const before = moved[at];
          if (before === undefined) continue;
          // Their registry has to be read; of Linux images nothing is fetched for a look.
          const isWindows = result.config.os === "windows";
          if (isWindows) await bring([before.image, result]);
          await checkRebased(store, { ...before, result, force: flags.force === true }, cli.signal);
          if (!flags.check) await warnOfHidden(world, { ...before, result });
        }
      },
      look: flags.check ? (world, { images }) => listHidden(world, moved, images) : undefined,
    });
  },
};

/** What --check prints. Throws IMG_INCOMPLETE. */
async function listHidden(
  { store, bring, cli }: ChangingWorld,
  moved: readonly { image: Image; old: Image }[],
  results: readonly Image[],
): Promise<number> {
  const { findConflicts } = await import("../mutate/rebase-conflicts.ts");
  const { formatPlatform } = await import("../image/platform.ts");
  const { forReader } = await import("../progress/harmless.ts");
  let count = 0;
  for (const [at, result] of results.entries()) {
    const before = moved[at];
    if (before === undefined) continue;
    await bring([before.image, result]);
    const options = { mayRead: Number.POSITIVE_INFINITY, signal: cli.signal };
    const found = await findConflicts(store, { ...before, result }, options);
    if (found === undefined)
      throw new WbuildError("IMG_INCOMPLETE", "the store lacks layers of the image or of its bases", {
        hint: "pull them, or look with --push in the registry",
      });
    const whose = results.length === 1 ? "" : `${formatPlatform(result.config)} `;
    for (const { base, image, path } of found)
      cli.stdout.write(forReader(cli.stdout, `${whose}${base.padEnd(7)} ${image.padEnd(8)} /${path}\n`));
    count += found.length;
  }
  return count > 0 ? 1 : 0;
}

async function warnOfHidden({ store, session, cli }: ChangingWorld, images: Rebased): Promise<void> {
  const { findConflicts } = await import("../mutate/rebase-conflicts.ts");
  const found = await findConflicts(store, images, { mayRead: cheap, signal: cli.signal });
  if (found === undefined || found.length === 0) return;
  const { harmless } = await import("../progress/harmless.ts");
  const names = found.slice(0, told).map(({ path }) => harmless(`/${path}`));
  const more = found.length > told ? `, and ${found.length - told} more` : "";
  const files = found.length === 1 ? "one file of the image hides" : `${found.length} files of the image hide`;
  session.warn(`${files} what the new base changed: ${names.join(", ")}${more}; --check lists them`);
}
