/** `wbuild plan`: the build graph, without carrying it out. */
import { WbuildError } from "../../native/error.ts";
import { registryOf, worldOf } from "./build-world.ts";
import { type Command, flagsOf } from "./command.ts";
import { definePlanFlags, requestOf } from "./flags/build-flags.ts";
import { defineConnection, defineContainerFlags } from "./flags/flags.ts";
import { openSession } from "./session.ts";

export const planCommand: Command = {
  operands: "CONTEXT",
  about: `
    Prints the graph of steps that a build with the same flags would carry out, and changes nothing. Stages that the
    target does not need are not in it. Base images are looked up, in the store and then in their registries.`,
  examples: [
    ["wbuild plan .", "one line a step, with the steps that it needs"],
    ["wbuild plan --target test --json .", "for programs"],
    ["wbuild plan --mermaid . > plan.mmd", "a graph to look at"],
  ],
  define(parser) {
    definePlanFlags(parser);
    defineContainerFlags(parser);
    defineConnection(parser);
    parser.option("--json", "print the graph as JSON").option("--mermaid", "print the graph for mermaid");
  },
  async run(parser, cli) {
    const flags = flagsOf<{ json?: boolean; mermaid?: boolean }>(parser);
    if (flags.json && flags.mermaid) throw new WbuildError("CLI_USAGE", "--json and --mermaid exclude each other");
    const request = await requestOf(parser, cli);
    await using session = openSession(cli);
    const { planRequest } = await import("../plan-request.ts");
    const { printJson, printMermaid, printText } = await import("../graph/print.ts");
    const world = await worldOf(session, cli, { progress: "quiet" });
    const { graphs } = await planRequest(request, world, () => registryOf(request, session));
    cli.stdout.write((flags.json ? printJson : flags.mermaid ? printMermaid : printText)(graphs));
    return 0;
  },
};
