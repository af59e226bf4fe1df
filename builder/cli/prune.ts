/** `wbuild prune`: frees room. */
import { WbuildError } from "../../native/error.ts";
import { formatBytes } from "../progress/units.ts";
import { type Cli, type Command, collect, flagsOf } from "./command.ts";
import { badValue, parsePair, parseSize, parseUntil } from "./flags/values.ts";
import { homeOf, openSession } from "./session.ts";
import { json } from "./table.ts";

interface PruneFlags {
  readonly all?: boolean;
  readonly keepStorage?: string;
  readonly filter?: readonly string[];
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const pruneCommand: Command = {
  operands: "",
  about: `
    Removes what no image, cached step or running build needs, and what was set up for a Wine that is not the host's any
    more. With --all also the whole build cache, cache mounts of RUN, unpacked layers and images without a name. With --keep-storage build cache, cache mounts and unpacked layers go, the
    longest unused first, until the store is no larger than that. Named images stay always: \`wbuild rmi\` removes them.`,
  examples: [
    ["wbuild prune", "remove leftovers"],
    ["wbuild prune --keep-storage 10GB", "shrink the store to 10 GB"],
    ["wbuild prune -a -f --filter until=24h", "drop everything unused for a day, without being asked"],
  ],
  define(parser) {
    parser
      .option("-a, --all", "also remove build cache, unpacked layers and images without a name")
      .option("--keep-storage <size>", "remove only until the store is no larger than this, such as 10GB")
      .option(
        "--filter <key=value>",
        "until=24h or until=2026-01-31: what was last used before; type=exec.cachemount: cache mounts; type=regular: the rest",
        collect,
      )
      .option("-f, --force", "do not ask")
      .option("--dry-run", "tell what would go, and remove nothing")
      .option("--json", "print the result as JSON");
  },
  async run(parser, cli) {
    const flags = flagsOf<PruneFlags>(parser);
    const { until, only } = filtersOf(flags.filter ?? []);
    const keep = flags.keepStorage === undefined ? undefined : parseSize("--keep-storage", flags.keepStorage);
    if (flags.all && !flags.force && !flags.dryRun && !(await agrees(cli)))
      throw new WbuildError("CLI_USAGE", "nothing was removed", { hint: "--force removes without being asked" });
    await using session = openSession(cli);
    const store = await session.store();
    if (flags.all && !flags.dryRun) {
      const { removeUntagged } = await import("../image/stored/local.ts");
      if (only !== "cache mounts") removeUntagged(store, until);
    }
    const how = { all: flags.all === true, dryRun: flags.dryRun === true, ...(until === undefined ? {} : { until }) };
    const collected = await store.collect({
      ...how,
      ...(keep === undefined ? {} : { keepStorageBytes: keep }),
      ...(only === undefined ? {} : { only }),
    });
    const { pruneWine } = await import("../runtime/wine/personality/prune.ts");
    const wine = only === "cache mounts" ? [] : await pruneWine(homeOf(cli), how);
    const report = {
      ...collected,
      removed: [...collected.removed, ...wine],
      freedBytes: wine.reduce((sum, { bytes }) => sum + bytes, collected.freedBytes),
    };
    cli.stdout.write(
      flags.json
        ? json(report)
        : `${flags.dryRun ? "Would free" : "Freed"} ${formatBytes(report.freedBytes)}, ${formatBytes(report.keptBytes)} ${flags.dryRun ? "would stay" : "are left"}\n`,
    );
    return 0;
  },
};

/** Buildx's names of what a build leaves, as far as there is such a thing here. */
const kinds = { "exec.cachemount": "cache mounts", regular: "all but cache mounts" } as const;

function filtersOf(filters: readonly string[]): { until?: number; only?: (typeof kinds)[keyof typeof kinds] } {
  let until: number | undefined;
  let only: (typeof kinds)[keyof typeof kinds] | undefined;
  for (const filter of filters) {
    const [key, value] = parsePair("--filter", filter);
    if (key === "until" && value !== undefined) until = parseUntil("--filter until", value, Date.now());
    else if (key === "type" && (value === "exec.cachemount" || value === "regular")) only = kinds[value];
    else throw badValue("--filter", filter, "of the form until=24h, type=exec.cachemount or type=regular");
  }
  return { ...(until === undefined ? {} : { until }), ...(only === undefined ? {} : { only }) };
}

async function agrees(cli: Cli): Promise<boolean> {
  if (!cli.stdin.isTTY) return false;
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: cli.stdin, output: cli.stderr });
  try {
    const answer = await lines.question("Remove the build cache and all unnamed images? [y/N] ", {
      signal: cli.signal,
    });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
