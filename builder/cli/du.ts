/** `wbuild du`: what the store holds. */

import { humanAge } from "../image/go-text.ts";
import { formatBytes } from "../progress/units.ts";
import { type Command, flagsOf } from "./command.ts";
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
  ],
  define(parser) {
    parser.option("-v, --verbose", "list every single thing").option("--json", "print all of it as JSON");
  },
  async run(parser, cli) {
    const flags = flagsOf<{ verbose?: boolean; json?: boolean }>(parser);
    await using session = openSession(cli);
    const usage = await (await session.store()).usage();
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
