/** `wbuild doctor`: what this host can do. */
import { type Command, flagsOf } from "./command.ts";
import { homeOf } from "./session.ts";
import { json } from "./table.ts";

export const doctorCommand: Command = {
  operands: "[IMAGE]",
  about: `
    Checks what building and running need of this host: the kernel's features, id maps, overlay, network helper, cgroups,
    tools for base images, and the store. Says what each is for, and what to install where it is missing. Exit code 4 when
    wbuild cannot build here at all.

    With IMAGE, says instead which hosts that name leads to, in the order of asking: mirrors, insecure, moved and blocked
    registries of registries.conf and hosts.toml, certificates of certs.d. Nobody is asked.`,
  examples: [
    ["wbuild doctor", "a list for people"],
    ["wbuild doctor --json", "for programs"],
    ["wbuild doctor alpine:3.20", "where this image would come from"],
  ],
  define(parser) {
    parser.argument("[image]").option("--json", "print the findings as JSON");
  },
  async run(parser, cli) {
    const flags = flagsOf<{ json?: boolean }>(parser);
    const name = parser.args[0];
    if (name !== undefined) {
      const { hostsOf, printHosts } = await import("../hosts.ts");
      const found = await hostsOf(name, cli.env);
      cli.stdout.write(flags.json ? json(found) : printHosts(found));
      return 0;
    }
    const { examineHost } = await import("../doctor.ts");
    const { wantsColours } = await import("../progress/choose.ts");
    const findings = await examineHost(homeOf(cli));
    if (flags.json) cli.stdout.write(json(findings));
    else {
      const { printFindings } = await import("../doctor.ts");
      cli.stdout.write(printFindings(findings, wantsColours(cli.stdout, cli.env)));
    }
    return findings.some((finding) => finding.state === "missing" && finding.isNeeded) ? 4 : 0;
  },
};
