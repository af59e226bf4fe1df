/** `wbuild ci-cache warm`: a store filled ahead of builds. */

import { registryOf, worldOf } from "./build-world.ts";
import { type Command, collect, flagsOf } from "./command.ts";
import { definePlanFlags, requestOf } from "./flags/build-flags.ts";
import { defineConnection, defineContainerFlags, defineProgressFlags, type ProgressFlags } from "./flags/flags.ts";
import { parseChoice } from "./flags/values.ts";
import { openSession } from "./session.ts";

export const ciCacheCommand: Command = {
  operands: "warm CONTEXT",
  about: `
    Fills the store ahead of builds, so that they start at once on a cold runner, and need no network for it: fetches
    the base images of a Dockerfile, of all its stages or of those that --target needs, for every --platform; and takes
    over the results that --cache-from has, with their layers. Nothing is carried out. A build with the same flags finds
    it all without --cache-from.

    For a runner's image, or in a job that saves $WBUILD_HOME as the CI's cache. What ADD fetches from URLs and git
    repositories is not among it.`,
  examples: [
    ["wbuild ci-cache warm .", "fetch the bases of this folder's Dockerfile"],
    [
      "wbuild ci-cache warm --platform linux/amd64,linux/arm64 --cache-from registry.example.com/app:cache .",
      "for two platforms, and what other runners have built",
    ],
    ["wbuild --home /var/cache/wbuild ci-cache warm --target test .", "what one stage needs, into another store"],
  ],
  define(parser) {
    parser.argument("<verb>");
    definePlanFlags(parser);
    parser.option("--cache-from <spec>", "take results from here: type=registry|local|gha,…; may be repeated", collect);
    defineContainerFlags(parser);
    defineConnection(parser);
    defineProgressFlags(parser, "print nothing but errors");
  },
  async run(parser, cli) {
    const [verb = "", context] = parser.args;
    parseChoice("ci-cache", verb, ["warm"]);
    const flags = flagsOf<ProgressFlags>(parser);
    const request = await requestOf(parser, cli, context);
    const warmed = await (async () => {
      await using session = openSession(cli);
      const { warmStore } = await import("../warm.ts");
      const world = await worldOf(session, cli, flags);
      return await warmStore(request, world, () => registryOf(request, session));
    })();
    const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
    if (!flags.quiet)
      cli.stdout.write(`${count(warmed.bases, "base image")}, ${count(warmed.results, "cached result")}\n`);
    return 0;
  },
};
