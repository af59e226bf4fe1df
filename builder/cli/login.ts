/** `wbuild login`: checks credentials with the registry and keeps them where docker would. */
import { WbuildError } from "../../native/error.ts";
import { ask } from "./ask.ts";
import { type Cli, type Command, flagsOf } from "./command.ts";
import { type ConnectionFlags, connectionOf, defineConnection } from "./flags/flags.ts";
import { parseRegistry } from "./flags/values.ts";
import { openSession } from "./session.ts";

interface LoginFlags extends ConnectionFlags {
  readonly username?: string;
  readonly password?: string;
  readonly passwordStdin?: boolean;
}

const otherwise = ["the credentials", "use --username and --password-stdin"] as const;

export const loginCommand: Command = {
  operands: "[REGISTRY]",
  about: `
    Asks the registry whether it accepts a user's name and password (or token), and keeps them in the credential helper
    that Docker's configuration file names, else in that file, or in $REGISTRY_AUTH_FILE when that is set. A registry that
    gives a token to stay logged in with has that kept instead of the password. Without REGISTRY, for Docker Hub. What is missing is asked
    for; the password is not shown.`,
  examples: [
    ["wbuild login registry.example.com", "asks for name and password"],
    ["wbuild login -u ci --password-stdin registry.example.com < token.txt", "in scripts"],
  ],
  define(parser) {
    parser
      .argument("[registry]")
      .option("-u, --username <name>", "user's name")
      .option("-p, --password <text>", "password; every user of this host can see it: prefer --password-stdin")
      .option("--password-stdin", "read the password from standard input");
    defineConnection(parser);
  },
  async run(parser, cli) {
    const flags = flagsOf<LoginFlags>(parser);
    const registry = parseRegistry(parser.args[0]);
    if (flags.password !== undefined && flags.passwordStdin)
      throw new WbuildError("CLI_USAGE", "--password and --password-stdin exclude each other");
    if (flags.password !== undefined)
      cli.stderr.write("warning: a password on the command line can be seen by others; use --password-stdin\n");
    const username =
      flags.username ??
      (flags.passwordStdin ? undefined : await ask(cli, { text: "User name: ", echo: true, otherwise }));
    if (!username) throw new WbuildError("CLI_USAGE", "--password-stdin needs --username");
    const password =
      flags.password ??
      (flags.passwordStdin ? await readAll(cli) : await ask(cli, { text: "Password: ", echo: false, otherwise }));
    if (!password) throw new WbuildError("CLI_USAGE", "the password is empty");
    cli.keepSecret(password);
    const { login } = await import("../../registry/credentials.ts");
    await using session = openSession(cli);
    const client = await session.registry(connectionOf(flags, [registry]));
    const kept = await client.checkLogin(registry, { username, password });
    const { place, isPlain } = await login(registry, kept);
    const what = kept.identityToken === undefined ? "password" : "token that stands for the password";
    if (isPlain) cli.stderr.write(`warning: the ${what} is kept unencrypted in ${place}\n`);
    cli.stdout.write(`Logged in to ${registry}\n`);
    return 0;
  },
};

/** Standard input as one line's worth of secret: a newline at its end is not part of it. At most 1 MiB. */
async function readAll(cli: Cli): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of cli.stdin) {
    const bytes = Buffer.from(part as Uint8Array);
    size += bytes.length;
    if (size > 1 << 20) throw new WbuildError("CLI_USAGE", "what comes on standard input is too long for a password");
    parts.push(bytes);
  }
  return Buffer.concat(parts)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}
