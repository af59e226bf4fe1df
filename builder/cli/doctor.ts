/** `wbuild doctor`: what this host can do. */
import { type Command, flagsOf } from "./command.ts";
import { homeOf } from "./session.ts";
import { json } from "./table.ts";

export const doctorCommand: Command = {
  operands: "",
  about: `
    Checks what building and running need of this host: the kernel's features, id maps, overlay, network helper, cgroups,
    tools for base images, and the store. Says what each is for, and what to install where it is missing. Exit code 4 when
    wbuild cannot build here at all.`,
  examples: [
    ["wbuild doctor", "a list for people"],
    ["wbuild doctor --json", "for programs"],
  ],
  define(parser) {
    parser.option("--json", "print the findings as JSON");
  },
  async run(parser, cli) {
    const flags = flagsOf<{ json?: boolean }>(parser);
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
