/** `wbuild images`: what the store has. */
import { WbuildError } from "../../native/error.ts";
import { type Command, flagsOf } from "./command.ts";
import { openSession } from "./session.ts";
import { table } from "./table.ts";

interface ImagesFlags {
  readonly quiet?: boolean;
  readonly digests?: boolean;
  readonly trunc: boolean;
  readonly format?: string;
  readonly json?: boolean;
}

export const imagesCommand: Command = {
  operands: "[NAME]",
  about: `
    Lists the images of the store by name. With NAME, only those of that name; it may hold * for any characters, and a tag.
    SIZE is what the layers take as they are stored, compressed; layers that images share count for each.
    What \`--lazy\` left in a registry is counted, and told.`,
  examples: [
    ["wbuild images", "all of them"],
    ["wbuild images 'registry.example.com/*'", "those of one registry"],
    ["wbuild images -q app", "IDs alone"],
  ],
  define(parser) {
    parser
      .argument("[name]")
      .option("-q, --quiet", "print image IDs alone")
      .option("--digests", "show the digests of the manifests")
      .option("--no-trunc", "show IDs in full")
      .option("--format <template>", "table, json, or a Go template: {{.Repository}} {{.Tag}} {{.ID}} {{.Size}} …")
      .option("--json", "print the images as JSON, one object a line");
  },
  async run(parser, cli) {
    const flags = flagsOf<ImagesFlags>(parser);
    if (flags.json && flags.format !== undefined)
      throw new WbuildError("CLI_USAGE", "--json and --format exclude each other");
    const { imageFields, listImages, matchImages } = await import("../image/stored/local.ts");
    await using session = openSession(cli);
    const images = matchImages(await listImages(await session.store()), parser.args[0]);
    const rows = images.map((image) => imageFields(image, { isFull: !flags.trunc, now: Date.now() }));
    const format = flags.json ? "json" : flags.format;
    if (flags.quiet) cli.stdout.write([...new Set(rows.map((row) => `${row.ID}\n`))].join(""));
    else if (format !== undefined && format !== "table") {
      const { formatRows } = await import("../image/format/format.ts");
      cli.stdout.write(formatRows(rows, format, headers));
    } else {
      const digest = flags.digests ? ["DIGEST"] : [];
      const cells = rows.map((row, at) => [
        row.Repository,
        row.Tag,
        ...(flags.digests ? [row.Digest] : []),
        row.ID,
        row.CreatedSince,
        images[at]?.elsewhereBytes ? `${row.Size} (${row.Elsewhere} elsewhere)` : row.Size,
      ]);
      cli.stdout.write(table(["REPOSITORY", "TAG", ...digest, "IMAGE ID", "CREATED", "SIZE"], cells));
    }
    return 0;
  },
};

const headers = {
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  ID: "IMAGE ID",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  Size: "SIZE",
  Elsewhere: "ELSEWHERE",
} as const;
