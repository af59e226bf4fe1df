/** `wbuild push`: from the store to a registry. */
import { type Command, flagsOf } from "./command.ts";
import {
  allowsNondistributable,
  type ConnectionFlags,
  connectionOf,
  defineAllowNondistributable,
  defineConnection,
  defineProgressFlags,
  type NondistributableFlags,
  type ProgressFlags,
} from "./flags/flags.ts";
import { platformOf } from "./flags/platform-flag.ts";
import { openSession } from "./session.ts";

export const pushCommand: Command = {
  operands: "IMAGE",
  about: `
    Sends an image to the registry that its name begins with. Layers that the registry has already, under this name or
    another that this store knows, are not sent again. Foreign layers, which only their maker is meant to serve (old Windows
    base images have them), are left out with a warning unless --allow-nondistributable is given. Prints the name with the manifest's digest.`,
  examples: [
    ["wbuild push registry.example.com/team/app:1.2", "send it"],
    ["wbuild push --allow-nondistributable mirror.local/app", "with the foreign layers of its base"],
    ["wbuild push localhost:5000/app", "to a registry on this host, which may speak plain http"],
  ],
  define(parser) {
    parser.argument("<image>").option("--platform <os/arch>", "of an image for several platforms, send only this one");
    defineProgressFlags(parser, "show no progress");
    defineAllowNondistributable(parser);
    defineConnection(parser);
  },
  async run(parser, cli) {
    const flags = flagsOf<ProgressFlags & NondistributableFlags & ConnectionFlags & { platform?: string }>(parser);
    const text = parser.args[0] ?? "";
    const { parseReference } = await import("../../registry/reference.ts");
    const { pushFrom } = await import("../image/move/transfer.ts");
    const { registry } = parseReference(text);
    await using session = openSession(cli);
    const client = await session.registry(connectionOf(flags, [registry]));
    const image = await pushFrom(await session.store(), client, text, {
      report: await session.report(flags),
      signal: cli.signal,
      allowNondistributable: allowsNondistributable(flags),
      ...(await platformOf(flags)),
    });
    session.endReport();
    cli.stdout.write(`${image.name ?? text}@${image.whole.digest}\n`);
    return 0;
  },
};
