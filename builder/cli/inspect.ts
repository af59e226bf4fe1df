/** `wbuild inspect`: everything about an image, and whether its importers will take it. */
import type { Store } from "../../layerfs/store/store.ts";
import { WbuildError } from "../../native/error.ts";
import type { VerifyReport } from "../image/inspect/verify.ts";
import type { LocalImage } from "../image/stored/local.ts";
import { forReader, harmless } from "../progress/harmless.ts";
import { bringing } from "./bring.ts";
import { type Cli, type Command, flagsOf } from "./command.ts";
import { platformOf } from "./flags/platform-flag.ts";
import { openSession } from "./session.ts";
import { json, table } from "./table.ts";

interface InspectFlags {
  readonly format?: string;
  readonly raw?: boolean;
  readonly verify?: boolean;
  readonly platform?: string;
}

export const inspectCommand: Command = {
  operands: "IMAGE [IMAGE...]",
  about: `
    Prints images as a JSON array with the fields that \`docker image inspect\` has. --format takes a Go template for each
    image instead, which also knows what is said of the image beside it, as \`docker buildx imagetools inspect\` does: .SBOM
    and .Provenance. --raw prints the manifest byte for byte as it is stored.

    --verify reads every layer and proves the image against the rules of those who import it: digests, configuration and
    manifest, and of images for Windows all that Windows' importers demand of a layer and its registry hives. It prints
    what it found and why it matters, and exits with 1 when there was an error; warnings alone exit with 0.`,
  examples: [
    ["wbuild inspect app", "everything"],
    ["wbuild inspect --format '{{json .Config.Env}}' app", "one thing"],
    ["wbuild inspect --format '{{json .SBOM.SPDX}}' app", "the list of packages that it brings"],
    ["wbuild inspect --verify app", "will it run on Windows hosts?"],
    ["wbuild inspect --raw app | sha256sum", "the manifest's digest"],
  ],
  define(parser) {
    parser
      .argument("<images...>")
      .option("-f, --format <template>", "json, or a Go template: {{.Id}} {{json .Config}} …")
      .option("--raw", "print the manifest, or index, as it is stored")
      .option("--platform <os/arch>", "of an image for several platforms, this one")
      .option("--verify", "check the image against the rules of its importers, with --format json for programs");
  },
  async run(parser, cli) {
    const flags = flagsOf<InspectFlags>(parser);
    if (flags.raw && (flags.format !== undefined || flags.verify))
      throw new WbuildError("CLI_USAGE", `--raw and --${flags.verify ? "verify" : "format"} exclude each other`);
    const { everyImage, findImage } = await import("../image/stored/local.ts");
    const { inspectImage } = await import("../image/inspect/inspect.ts");
    await using session = openSession(cli);
    const store = await session.store();
    const { platform } = await platformOf(flags);
    const found = [];
    for (const text of parser.args) found.push(await findImage(store, text, platform));
    if (flags.raw) {
      const { readBytes } = await import("../image/stored/read-bytes.ts");
      for (const { whole } of found) cli.stdout.write(exact(await readBytes(store.blobs.open(whole)), cli));
      return 0;
    }
    if (flags.verify) {
      const { verifyImage } = await import("../image/inspect/verify.ts");
      const reports = [];
      for (const whole of found) {
        const images = await everyImage(store, whole);
        await bringing(session, cli)(images);
        for (const image of images) reports.push(await verifyImage(store, image, cli.signal));
      }
      if (flags.format === undefined) for (const report of reports) cli.stdout.write(told(report));
      else await print(reports, flags.format, cli);
      return reports.some((report) => report.errors > 0) ? 1 : 0;
    }
    const all = [];
    for (const image of found)
      all.push({ ...(await inspectImage(store, image)), ...(await attested(store, image, flags)) });
    await print(all, flags.format ?? "json", cli);
    return 0;
  },
};

/** Byte for byte where a program reads it; a terminal would obey what it holds. */
function exact(bytes: Buffer, { stdout }: Cli): Buffer | string {
  return stdout.isTTY ? harmless(bytes.toString("utf8")) : bytes;
}

/** What is said of the image beside it, where the template asks for that: it may be as large as the list of all files. */
async function attested(
  store: Store,
  { whole, descriptor }: LocalImage,
  { format = "" }: InspectFlags,
): Promise<object> {
  if (!/\.(?:SBOM|Provenance)\b/.test(format)) return {};
  const { attestationFields, readAttestations } = await import("../attest/read-attestations.ts");
  return attestationFields(await readAttestations(store, whole, descriptor));
}

async function print(all: readonly object[], format: string, cli: Cli): Promise<void> {
  if (format === "json") {
    cli.stdout.write(json(all));
    return;
  }
  const { compileTemplate } = await import("../image/format/format.ts");
  const template = compileTemplate(format, { isStrict: false });
  for (const one of all) cli.stdout.write(forReader(cli.stdout, `${template.render(one)}\n`));
}

/** What was found, one line each; then, once a rule, why it matters and what to do. */
function told(report: VerifyReport): string {
  const { errors, warnings, findings, omitted } = report;
  const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  let text = `${harmless(report.image)}, ${harmless(report.platform)}, ${plural(report.layers, "layer")}\n`;
  if (!report.isWindows)
    text += "not for Windows: digests, configuration and manifest are checked, no entries of layers\n";
  if (findings.length > 0) {
    const rows = findings.map(({ severity, rule, layer, path, what }) => [
      severity,
      rule,
      layer === undefined ? "" : String(layer),
      path ?? "",
      what,
    ]);
    const more = omitted.map(({ rule, layer, count }) => ["", rule, String(layer ?? ""), "", `and ${count} more`]);
    text += `\n${table(["SEVERITY", "RULE", "LAYER", "PATH", "WHAT"], [...rows, ...more])}\n`;
    for (const finding of new Map(findings.map((each) => [each.rule, each])).values())
      text += `${finding.rule} (${finding.importers.join(", ")}): ${finding.why}; ${finding.remedy}\n`;
    text += "\n";
  }
  return `${text}${plural(errors, "error")}, ${plural(warnings, "warning")}\n`;
}
