/** `wbuild logout`: forgets credentials. */
import type { Command } from "./command.ts";
import { parseRegistry } from "./values.ts";

export const logoutCommand: Command = {
  operands: "[REGISTRY]",
  about: `
    Removes the credentials for a registry from Docker's configuration file and from the credential helper that it
    names. Without REGISTRY, those for Docker Hub.`,
  examples: [["wbuild logout registry.example.com", "forget this registry's credentials"]],
  define(parser) {
    parser.argument("[registry]");
  },
  async run(parser, cli) {
    const { logout } = await import("../../registry/credentials.ts");
    const registry = parseRegistry(parser.args[0]);
    const known = await logout(registry);
    cli.stdout.write(
      known ? `Removed the credentials for ${registry}\n` : `There were no credentials for ${registry}\n`,
    );
    return 0;
  },
};
