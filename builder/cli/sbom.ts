/** `wbuild sbom`: which packages an image holds, as SPDX. */
import { bringing } from "./bring.ts";
import { type Command, flagsOf } from "./command.ts";
import { type PlatformFlag, platformOf } from "./flags/platform-flag.ts";
import { openSession } from "./session.ts";
import { json } from "./table.ts";

interface SbomFlags extends PlatformFlag {
  readonly scan?: boolean;
}

export const sbomCommand: Command = {
  operands: "IMAGE",
  about: `
    Prints which packages an image holds, as an SPDX 2.3 document: those of dpkg, apk and rpm, of npm and Python; of images
    for Windows what installers wrote to the registry, and programs by their version resources. When the image brings such
    a list with it (build --sbom=true), that list is printed; else its files are looked into. Nothing of it is run.`,
  examples: [
    ["wbuild sbom app", "the image's own list, or one made now"],
    ["wbuild sbom --scan app > app.spdx.json", "look into the files, whatever the image says of itself"],
  ],
  readsLayers: true,
  define(parser) {
    parser
      .argument("<image>")
      .option("--platform <os/arch>", "of an image for several platforms, this one")
      .option("--scan", "make the list from the image's files, even if it brings one");
  },
  async run(parser, cli) {
    const flags = flagsOf<SbomFlags>(parser);
    const { findImage } = await import("../image/stored/local.ts");
    await using session = openSession(cli);
    const store = await session.store();
    using _lease = store.lease();
    const { platform } = await platformOf(flags);
    // The index that an image stands in tells of it, also when one platform was asked for.
    const [text = ""] = parser.args;
    const [{ whole }, image] = [await findImage(store, text), await findImage(store, text, platform)];
    if (!flags.scan) {
      const { readAttestations, spdxType } = await import("../attest/read-attestations.ts");
      const own = await readAttestations(store, whole, image.descriptor);
      const found = own.find(({ predicateType }) => predicateType === spdxType);
      if (found) {
        cli.stdout.write(json(found.predicate));
        return 0;
      }
    }
    await bringing(session, cli)([image]);
    const { sbomOf } = await import("../attestations.ts");
    cli.stdout.write(json(await sbomOf(store, image, cli.signal, session.warn)));
    return 0;
  },
};
