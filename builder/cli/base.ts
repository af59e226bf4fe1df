/** `wbuild base`: base images that need no registry. */
import { WbuildError } from "../../native/error.ts";
import { type Command, collect, flagsOf } from "./command.ts";
import { defineProgressFlags, type ProgressFlags } from "./flags/flags.ts";
import { parseChoice, parseCount } from "./flags/values.ts";
import { homeOf, openSession } from "./session.ts";

interface BaseFlags extends ProgressFlags {
  readonly name?: string;
  readonly platform?: readonly string[];
  readonly suite?: string;
  readonly mirror?: string;
  readonly include?: readonly string[];
  readonly osVersion?: string;
  readonly full?: boolean;
}

export const baseCommand: Command = {
  operands: "linux|debian|windows",
  about: `
    Makes a base image and keeps it under wbuild.local. linux is made from this host's static busybox, without any network:
    a shell, the usual tools, passwd, group, and this host's certificates. For other platforms (--platform) their busybox is
    fetched from the distribution's packages by mmdebstrap; the name then holds an index. debian is made by mmdebstrap from the
    distribution's packages; dates in it are bounded by SOURCE_DATE_EPOCH when that is set. windows is made from this
    host's Wine, without any network: the folders, settings and registry of a Windows image. Wine's own programs are there
    for every step and not part of the image.

    Prints the image's name.`,
  examples: [
    ["wbuild base linux", "make wbuild.local/linux, for FROM wbuild.local/linux"],
    ["wbuild base linux --platform linux/amd64,linux/arm64", "the same for two architectures"],
    ["wbuild base windows", "make wbuild.local/windows, for Windows images without a registry"],
    ["wbuild base debian --suite bookworm --include build-essential", "make wbuild.local/debian with a compiler"],
  ],
  define(parser) {
    parser
      .argument("<kind>")
      .option("--name <name>", "keep it under this name instead")
      .option("--platform <os/arch>", "linux: for these platforms, a list; may be repeated", collect)
      .option("--suite <release>", "debian: the release, such as bookworm (default: this host's)")
      .option("--mirror <url>", "debian: where packages come from (default: as this host has it)")
      .option("--include <package>", "debian: one more package; may be repeated", collect)
      .option("--os-version <version>", "windows: what it says it is (default: 10.0.20348.0)")
      .option("--full", "windows: put Wine's programs into the image, too: 690 MB that no build needs");
    defineProgressFlags(parser, "print the name alone");
  },
  async run(parser, cli) {
    const flags = flagsOf<BaseFlags>(parser);
    const kind = parseChoice("base", parser.args[0] ?? "", ["linux", "debian", "windows"]);
    const { nameFor } = await import("../image/stored/local.ts");
    const { SOURCE_DATE_EPOCH: epoch } = cli.env;
    const options = {
      ...(flags.name === undefined ? {} : { name: nameFor(flags.name) }),
      ...(epoch ? { epochSeconds: parseCount("$SOURCE_DATE_EPOCH", epoch, 0, 253402300799) } : {}),
    };
    if (flags.platform && kind !== "linux")
      throw new WbuildError("CLI_USAGE", `--platform is for \`base linux\` alone, not for ${kind}`);
    await using session = openSession(cli);
    const store = await session.store();
    const report = await session.report(flags);
    const step = { id: "base", title: `base ${kind}` };
    report({ kind: "start", step, at: Date.now() });
    const onLine = (line: string) =>
      report({ kind: "output", id: step.id, stream: "stderr", text: `${line}\n`, at: Date.now() });
    let name: string;
    if (kind === "linux") {
      const { linuxBaseName, makeLinuxBase } = await import("../base/linux.ts");
      if (!flags.platform) await makeLinuxBase(store, options);
      for (const foreign of await foreignOnes(flags, onLine, cli.signal))
        await makeLinuxBase(store, { ...options, ...(foreign ? { foreign } : {}) });
      name = options.name ?? linuxBaseName;
    } else if (kind === "windows") {
      const { makeWindowsBase, windowsBaseName } = await import("../base/windows.ts");
      const { osVersion, full } = flags;
      await makeWindowsBase(store, {
        ...{ ...options, home: homeOf(cli), onLine },
        ...(osVersion === undefined ? {} : { osVersion }),
        ...(full === undefined ? {} : { full }),
      });
      name = options.name ?? windowsBaseName;
    } else {
      const { debianBaseName, makeDebianBase } = await import("../base/debian.ts");
      const { suite, mirror, include } = flags;
      await makeDebianBase(store, {
        ...options,
        ...(suite === undefined ? {} : { suite }),
        ...(mirror === undefined ? {} : { mirror }),
        ...(include === undefined ? {} : { include: include.flatMap((text) => text.split(",")) }),
        onLine,
        signal: cli.signal,
      });
      name = options.name ?? debianBaseName;
    }
    report({ kind: "done", id: step.id, cached: false, at: Date.now() });
    session.endReport();
    cli.stdout.write(`${name}\n`);
    return 0;
  },
};

/** For each platform that was asked for its busybox; undefined for this host's, which is here. */
async function foreignOnes({ platform = [] }: BaseFlags, onLine: (line: string) => void, signal: AbortSignal) {
  if (platform.length === 0) return [];
  const { distinctPlatforms, formatPlatform, hostPlatform, parsePlatforms } = await import("../image/platform.ts");
  const { foreignBusybox } = await import("../base/foreign-busybox.ts");
  const { hostSuite } = await import("../base/debian.ts");
  const found = [];
  for (const one of distinctPlatforms(parsePlatforms(platform))) {
    if (one.os !== "linux") throw new WbuildError("CLI_USAGE", `base linux is not for ${formatPlatform(one)}`);
    const isHost = formatPlatform(one) === formatPlatform(hostPlatform());
    const options = { suite: await hostSuite(), onLine, signal };
    found.push(isHost ? undefined : { platform: one, busybox: await foreignBusybox(one, options) });
  }
  return found;
}
