/** `wbuild logout`: forgets credentials. */
import { WbuildError } from "../../native/error.ts";
import { type Command, flagsOf } from "./command.ts";
import { parseRegistry } from "./flags/values.ts";

export const logoutCommand: Command = {
  operands: "[REGISTRY]",
  about: `
    Removes the credentials for a registry from the file that \`wbuild login\` writes (Docker's configuration, or
    $REGISTRY_AUTH_FILE) and from the credential helper that it names. Without REGISTRY, those for Docker Hub. Says when
    another file still has some.`,
  examples: [
    ["wbuild logout registry.example.com", "forget this registry's credentials"],
    ["wbuild logout --all", "forget those for every registry"],
  ],
  define(parser) {
    parser.argument("[registry]").option("-a, --all", "forget the credentials for all registries");
  },
  async run(parser, cli) {
    const { logout, logoutAll } = await import("../../registry/credentials.ts");
    const { all } = flagsOf<{ all?: boolean }>(parser);
    if (all) {
      if (parser.args.length > 0) throw new WbuildError("CLI_USAGE", "--all and a registry exclude each other");
      const forgotten = await logoutAll();
      for (const registry of forgotten) cli.stdout.write(`Removed the credentials for ${registry}\n`);
      if (forgotten.length === 0) cli.stdout.write("There were no credentials\n");
      return 0;
    }
    const registry = parseRegistry(parser.args[0]);
    const { isKnown, remains } = await logout(registry);
    cli.stdout.write(
      isKnown ? `Removed the credentials for ${registry}\n` : `There were no credentials for ${registry}\n`,
    );
    for (const file of remains) cli.stderr.write(`warning: ${file} still has credentials for ${registry}\n`);
    return 0;
  },
};
