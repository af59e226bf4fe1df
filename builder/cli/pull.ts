/** `wbuild pull`: from a registry into the store. */
import { WbuildError } from "../../native/error.ts";
import type { Coming } from "../image/move/transfer.ts";
import { type Command, flagsOf } from "./command.ts";
import {
  type ConnectionFlags,
  connectionOf,
  defineConnection,
  defineProgressFlags,
  exceptionOf,
  type ProgressFlags,
} from "./flags/flags.ts";
import { platformOf } from "./flags/platform-flag.ts";
import { openSession } from "./session.ts";

interface PullFlags {
  readonly platform?: string;
  readonly allPlatforms?: boolean;
  readonly lazy?: boolean;
  readonly unpack?: boolean;
}

export const pullCommand: Command = {
  operands: "IMAGE",
  about: `
    Fetches an image and keeps it under its name. Its layers, configuration and history stay as they are, byte for
    byte. Of an image for several platforms, the one for --platform is fetched, else the one for this host; with
    --all-platforms all of them, and the name then means what it means in the registry.

    With --lazy manifest and configuration alone are fetched, and noted where the layers are. They are fetched and verified
    when something needs their files: run, save, diff, a build that reads them, a push to another registry. A pull
    without --lazy brings what is missing.

    Layers are unpacked when something runs on them; with --unpack that happens while they come.`,
  examples: [
    ["wbuild pull alpine:3.20", "from Docker Hub"],
    ["wbuild pull --lazy registry.example.com/team/app", "to look at it, or to push it on under another name"],
    ["wbuild pull --platform linux/arm64 registry.example.com/team/app", "for another platform"],
    ["wbuild pull --all-platforms registry.example.com/team/app", "to save it, or to push it on, as a whole"],
  ],
  define(parser) {
    parser
      .argument("<image>")
      .option("--platform <os/arch>", "fetch the image for this platform, such as linux/arm64")
      .option("--all-platforms", "fetch the images for all platforms, and what is said about them")
      .option("--lazy", "leave the layers in the registry until something needs them")
      .option("--unpack", "unpack the layers while they come, for a fast first run");
    defineProgressFlags(parser, "print the image ID alone");
    defineConnection(parser);
  },
  async run(parser, cli) {
    const flags = flagsOf<ProgressFlags & ConnectionFlags & PullFlags>(parser);
    refuseContradictions(flags);
    const text = parser.args[0] ?? "";
    const { parseReference } = await import("../../registry/reference.ts");
    const { pullEvery, pullInto } = await import("../image/move/transfer.ts");
    const { registry } = parseReference(text);
    await using session = openSession(cli);
    const client = await session.registry(connectionOf(flags, [registry]));
    if (flags.allPlatforms) {
      const how = { report: await session.report(flags), signal: cli.signal };
      const { name, descriptor } = await pullEvery(await session.store(), client, text, how);
      session.endReport();
      cli.stdout.write(flags.quiet ? `${descriptor.digest}\n` : `${name}@${descriptor.digest}\n`);
      return 0;
    }
    const store = await session.store();
    const bring = async (coming: Coming) => {
      const { bringUnpacked } = await import("../open-image.ts");
      await bringUnpacked({ store, signal: cli.signal }, coming);
    };
    const image = await pullInto(store, client, text, {
      ...(await platformOf(flags)),
      ...(flags.unpack ? { bring } : {}),
      lazy: flags.lazy === true,
      exception: exceptionOf(flags),
      report: await session.report(flags),
      signal: cli.signal,
    });
    session.endReport();
    cli.stdout.write(flags.quiet ? `${image.id}\n` : `${image.name}@${image.descriptor.digest}\n`);
    return 0;
  },
};

function refuseContradictions({ allPlatforms, lazy, platform, unpack }: PullFlags): void {
  const pairs = [
    ["--all-platforms", allPlatforms, "--lazy", lazy],
    ["--all-platforms", allPlatforms, "--platform", platform !== undefined],
    ["--all-platforms", allPlatforms, "--unpack", unpack],
    ["--lazy", lazy, "--unpack", unpack],
  ] as const;
  for (const [one, isOne, other, isOther] of pairs)
    if (isOne && isOther) throw new WbuildError("CLI_USAGE", `${one} and ${other} exclude each other`);
}
