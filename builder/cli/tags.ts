/** `wbuild tags`: what a repository of a registry has. */
import { WbuildError } from "../../native/error.ts";
import { type Command, flagsOf } from "./command.ts";
import { type ConnectionFlags, connectionOf, defineConnection } from "./flags/flags.ts";
import { parseCount } from "./flags/values.ts";
import { openSession } from "./session.ts";

interface TagsFlags extends ConnectionFlags {
  readonly json?: boolean;
  readonly limit?: string;
  readonly last?: string;
}

export const tagsCommand: Command = {
  operands: "REPOSITORY",
  about: `
    Lists the tags of a repository in a registry, one a line, in the order in which the registry gives them (most sort them
    as text). All pages are asked for; the first tags are printed before the last ones have come.`,
  examples: [
    ["wbuild tags registry.example.com/team/app", "all of them"],
    ["wbuild tags --limit 20 --last 1.2 alpine", "the twenty that come after 1.2"],
    ["wbuild tags --json alpine", "with the fields that `skopeo list-tags` has"],
  ],
  define(parser) {
    parser
      .argument("<repository>")
      .option("--json", "print a JSON object with Repository and Tags")
      .option("--limit <count>", "at most so many")
      .option("--last <tag>", "only what comes after this one in the registry's order");
    defineConnection(parser);
  },
  async run(parser, cli) {
    const flags = flagsOf<TagsFlags>(parser);
    const text = parser.args[0] ?? "";
    const { formatName, isTag, parseReference } = await import("../../registry/reference.ts");
    const reference = parseReference(text);
    if (reference.digest !== undefined || /:[^/]*$/.test(text.replace(/^[^/]*\//, "")))
      throw new WbuildError("CLI_USAGE", `${JSON.stringify(text.slice(0, 200))} is one image, not a repository`, {
        hint: `wbuild tags ${formatName(reference, { familiar: true })}`,
      });
    if (flags.last !== undefined && !isTag(flags.last)) {
      const { badValue } = await import("./flags/values.ts");
      throw badValue("--last", flags.last, "a tag");
    }
    await using session = openSession(cli);
    const client = await session.registry(connectionOf(flags, [reference.registry]));
    const pages = client.repository(reference).tagPages({
      ...(flags.limit === undefined ? {} : { limit: parseCount("--limit", flags.limit, 1) }),
      ...(flags.last === undefined ? {} : { last: flags.last }),
    });
    const all: string[] = [];
    for await (const tags of pages) {
      cli.signal.throwIfAborted();
      if (flags.json) all.push(...tags);
      else if (tags.length > 0) cli.stdout.write(`${tags.join("\n")}\n`);
    }
    const { json } = await import("./table.ts");
    if (flags.json) cli.stdout.write(json({ Repository: formatName(reference), Tags: all }));
    return 0;
  },
};
