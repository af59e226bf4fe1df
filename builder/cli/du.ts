/** `wbuild du`: what the store holds. */

import { humanAge } from "../image/format/go-text.ts";
import { formatBytes } from "../progress/units.ts";
import { type Command, collect, flagsOf } from "./command.ts";
import { badValue } from "./flags/values.ts";
import { openSession } from "./session.ts";
import { json, table } from "./table.ts";

export const duCommand: Command = {
  operands: "",
  about: `
    Shows how much room images, layers, unpacked layers and the build cache take, and how much of it
    \`wbuild prune --all\` would free. Layers are counted once however many images and cached steps share them.`,
  examples: [
    ["wbuild du", "the sums"],
    ["wbuild du -v", "and every single thing"],
    ["wbuild du -v --filter type=exec.cachemount", "cache mounts of RUN alone"],
  ],
  define(parser) {
    parser
      .option("-v, --verbose", "list every single thing")
      .option("--filter <key=value>", "of these: type=exec.cachemount: cache mounts; type=regular: the rest", collect)
      .option("--json", "print all of it as JSON");
  },
  async run(parser, cli) {
    const flags = flagsOf<{ verbose?: boolean; json?: boolean; filter?: readonly string[] }>(parser);
    const isListed = filterOf(flags.filter ?? []);
    await using session = openSession(cli);
    const whole = await (await session.store()).usage();
    const usage = { ...whole, rows: whole.rows.filter(({ kind }) => isListed(kind)) };
    if (flags.json) {
      cli.stdout.write(json(usage));
      return 0;
    }
    const sums = [
      ["images", usage.images],
      ["layers", usage.layers],
      ["unpacked layers", usage.snapshots],
      ["build cache", usage.cache],
      ["cache mounts", usage.cacheMounts],
      ["unfinished", usage.temp],
    ] as const;
    cli.stdout.write(
      table(
        ["KIND", "COUNT", "SIZE", "RECLAIMABLE"],
        sums.map(([kind, sum]) => [kind, String(sum.count), formatBytes(sum.bytes), formatBytes(sum.reclaimableBytes)]),
      ),
    );
    if (flags.verbose) {
      const now = Date.now();
      const rows = usage.rows.map((row) => [
        row.kind,
        row.id,
        formatBytes(row.bytes),
        humanAge(row.lastUsedMs, now),
        row.inUse ? "yes" : "no",
        row.description,
      ]);
      cli.stdout.write(`\n${table(["KIND", "ID", "SIZE", "LAST USED", "IN USE", "WHAT"], rows)}`);
    }
    return 0;
  },
};

/** Buildx's names of what a build leaves: which kinds of things are listed. Throws CLI_VALUE. */
function filterOf(filters: readonly string[]): (kind: string) => boolean {
  for (const filter of filters)
    if (filter !== "type=exec.cachemount" && filter !== "type=regular")
      throw badValue("--filter", filter, "type=exec.cachemount or type=regular");
  return (kind) => filters.every((filter) => (kind === "cache mount") === (filter === "type=exec.cachemount"));
}
