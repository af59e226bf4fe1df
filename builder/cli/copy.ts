/** `wbuild copy`: an image from one place to another, byte for byte. */
import { WbuildError } from "../../native/error.ts";
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

interface CopyFlags extends ProgressFlags, NondistributableFlags, ConnectionFlags {
  readonly all?: boolean;
  readonly platform?: string;
  readonly includeReferrers?: boolean;
  readonly format?: string;
}

export const copyCommand: Command = {
  operands: "SOURCE DESTINATION",
  about: `
    Copies an image without unpacking it; every manifest and blob keeps its digest. Between registries the bytes do not
    touch the disk, what the destination has is not sent, and one registry is asked to mount its own content. Of an image
    for several platforms all of them are copied, so that the name means the same on both sides; --platform takes one.

    A place is the name of an image in a registry (REF or docker://REF), an image of the store (store:NAME), an OCI layout
    (oci:FOLDER[:TAG]), an archive (oci-archive:FILE[:REF], docker-archive:FILE[:REF]) or a folder in skopeo's form
    (dir:FOLDER). --include-referrers takes along signatures, attestations and all else that refers to the image, as
    registries list it and under cosign's tags. Prints the destination with the manifest's digest.`,
  examples: [
    ["wbuild copy alpine:3.20 registry.example.com/mirror/alpine:3.20", "from registry to registry, all platforms"],
    ["wbuild copy --include-referrers dev.example.com/app:1 prod.example.com/app:1", "with its signatures"],
    ["wbuild copy --platform linux/arm64 alpine oci:layout:alpine", "one platform into an OCI layout"],
    ["wbuild copy store:app docker-archive:app.tar:app:1", "from the store into an archive"],
  ],
  define(parser) {
    parser
      .argument("<source>")
      .argument("<destination>")
      .option("-a, --all", "all platforms, which is the default")
      .option("--platform <os/arch>", "of an image for several platforms, only this one")
      .option("--include-referrers", "with signatures, attestations and what else refers to the image")
      .option("--preserve-digests", "keep all digests; this is always so")
      .option("--format <kind>", "refused: manifests are never converted");
    defineProgressFlags(parser, "show no progress");
    defineAllowNondistributable(parser);
    defineConnection(parser);
  },
  async run(parser, cli) {
    const flags = flagsOf<CopyFlags>(parser);
    if (flags.format !== undefined)
      throw new WbuildError("CLI_USAGE", "a copy keeps the manifest as it is, and its digest with it", {
        facts: { flag: "--format" },
        hint: "another format is another image with another digest, which no signature covers: build it with `wbuild build`",
      });
    if (flags.all && flags.platform !== undefined)
      throw new WbuildError("CLI_USAGE", "--all and --platform exclude each other");
    const { formatPlace, parsePlace, registriesOf } = await import("../image/move/copy-place.ts");
    const { copyPlaces } = await import("../image/move/copy.ts");
    const [from, to] = [parsePlace(parser.args[0] ?? ""), parsePlace(parser.args[1] ?? "")];
    await using session = openSession(cli);
    const how = connectionOf(flags, registriesOf([from, to]));
    const world = { registry: () => session.registry(how), store: session.store, signal: cli.signal };
    const { descriptor } = await copyPlaces(from, to, world, {
      report: await session.report(flags),
      ...(await platformOf(flags)),
      includeReferrers: flags.includeReferrers === true,
      allowNondistributable: allowsNondistributable(flags),
    });
    session.endReport();
    cli.stdout.write(`${formatPlace(to).replace(/@sha256:[0-9a-f]{64}$/, "")}@${descriptor.digest}\n`);
    return 0;
  },
};
