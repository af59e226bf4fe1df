/** `wbuild run`: one process in a container made from an image. */

import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { resolve } from "node:path";
import type { Mount } from "../../native/core/spec.ts";
import { WbuildError } from "../../native/error.ts";
import { bringing } from "./bring.ts";
import { type Cli, type Command, collect, flagsOf } from "./command.ts";
import {
  addHostsOf,
  type ConnectionFlags,
  type ContainerFlags,
  connectionOf,
  defineConnection,
  defineContainerFlags,
  limitsOf,
  networkOf,
} from "./flags/flags.ts";
import { platformOf } from "./flags/platform-flag.ts";
import { badValue, parseVariables } from "./flags/values.ts";
import { passOn } from "./parse.ts";
import { openSession } from "./session.ts";

interface RunFlags extends ContainerFlags, ConnectionFlags {
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly volume?: readonly string[];
  readonly entrypoint?: string;
  readonly hostname?: string;
  readonly readOnly?: boolean;
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly platform?: string;
}

/** As docker: 125 when we fail ourselves, so that it cannot be taken for the program's own exit code. */
const ownFailure = 125;

export const runCommand: Command = {
  operands: "IMAGE [COMMAND [ARG...]]",
  about: `
    Runs COMMAND, else what the image names, in a container made from the image, with this terminal's input and output.
    What the process changes is thrown away at its end; folders of this host that it may change are given with --volume. An
    image that the store does not have is pulled. The exit code is the process's own; 125 when wbuild itself failed, 126
    when COMMAND cannot be carried out, 127 when there is no such command.`,
  examples: [
    ["wbuild run app", "run what the image names"],
    ["wbuild run -it alpine sh", "a shell on this terminal"],
    ["wbuild run -v ./data:/data:ro -e MODE=test app --verbose", "with a folder, a variable and an argument"],
  ],
  failureExit: ownFailure,
  define(parser) {
    passOn(parser)
      .argument("<image>")
      .argument("[command...]")
      .option(
        "-e, --env <name=value>",
        "set a variable; without =value, from the environment; may be repeated",
        collect,
      )
      .option("--env-file <path>", "set the variables of a file, one NAME=VALUE a line; may be repeated", collect)
      .option("-w, --workdir <path>", "start in this folder of the container")
      .option("-u, --user <name[:group]>", "run as this user, by name or number")
      .option("-v, --volume <host:container[:ro]>", "show a file or folder of this host; may be repeated", collect)
      .option("--entrypoint <path>", "run this in place of the image's ENTRYPOINT and CMD")
      .option("--hostname <name>", "name of the container for itself")
      .option("--read-only", "the container's own files cannot be changed")
      .option("-i, --interactive", "pass standard input on")
      .option("-t, --tty", "give the process a terminal of its own")
      .option("--rm", "accepted and does nothing: what was changed is always thrown away")
      .option("--platform <os/arch>", "the image for this platform");
    defineContainerFlags(parser);
    defineConnection(parser);
  },
  async run(parser, cli) {
    const flags = flagsOf<RunFlags>(parser);
    const [image = "", ...command] = parser.args;
    if (flags.tty && !cli.stdin.isTTY)
      throw new WbuildError("CLI_USAGE", "--tty needs a terminal on standard input", { hint: "leave out -t" });
    const fromFiles: string[] = [];
    for (const path of flags.envFile ?? []) fromFiles.push(...(await readVariables(path)));
    const env = parseVariables("--env", [...fromFiles, ...(flags.env ?? [])], cli.env);
    const request = {
      command,
      env,
      mounts: (flags.volume ?? []).map((text) => parseVolume(text, cli.cwd)),
      network: networkOf(flags),
      addHosts: addHostsOf(flags),
      limits: limitsOf(flags),
      readonlyRoot: flags.readOnly === true,
      interactive: flags.interactive === true,
      tty: flags.tty === true,
      ...(flags.entrypoint === undefined ? {} : { entrypoint: flags.entrypoint }),
      ...(flags.workdir === undefined ? {} : { workdir: flags.workdir }),
      ...(flags.user === undefined ? {} : { user: flags.user }),
      ...(flags.hostname === undefined ? {} : { hostname: flags.hostname }),
    };
    const { runImage } = await import("../run.ts");
    await using session = openSession(cli);
    const store = await session.store();
    const found = await findOrPull(image, flags, cli, session);
    await bringing(session, cli, flags)([found]);
    const world = { store, warn: session.warn, signal: cli.signal, onSignals: cli.takeSignals };
    const exit = await runImage(found, request, world).catch(commandFailure(cli));
    if (typeof exit === "number") return exit;
    if (exit.outOfMemory) cli.stderr.write("warning: the process ran out of memory; give it more with --memory\n");
    return exit.code === undefined ? 128 + signalNumber(exit.signal) : ownExit(exit.code, cli);
  },
};

/**
 * A process of Linux ends with 8 bits, a program of Windows with 32. The low ones are passed on and the whole is told; a
 * failure whose low bits are 0 (256) ends with 1, so that nobody takes it for a success.
 */
function ownExit(code: number, cli: Cli): number {
  if (code <= 255) return code;
  cli.stderr.write(
    `the program ended with exit code ${code} (0x${code.toString(16).toUpperCase().padStart(8, "0")})\n`,
  );
  return code & 255 || 1;
}

/** Docker's codes for a command that is not there, or cannot be carried out. */
function commandFailure(cli: Cli): (error: unknown) => Promise<number> {
  return async (error) => {
    const { isWbuildError } = await import("../../native/error.ts");
    if (!isWbuildError(error, "BOX_COMMAND")) throw error;
    const { harmless } = await import("../progress/harmless.ts");
    cli.stderr.write(`error[${error.code}]: ${harmless(error.message)}\n`);
    if (error.hint) cli.stderr.write(`  help: ${harmless(error.hint)}\n`);
    return error.facts.errno === constants.errno.ENOENT ? 127 : 126;
  };
}

async function findOrPull(text: string, flags: RunFlags, cli: Cli, session: ReturnType<typeof openSession>) {
  const { findImage } = await import("../image/stored/local.ts");
  const { isWbuildError } = await import("../../native/error.ts");
  const { parseReference, isLocalOnly } = await import("../../registry/reference.ts");
  const store = await session.store();
  const wanted = await platformOf(flags);
  try {
    return await findImage(store, text, wanted.platform);
  } catch (error) {
    const isMissing = isWbuildError(error, "IMG_NOT_FOUND") || isWbuildError(error, "IMG_PLATFORM");
    if (!isMissing || isLocalOnly(parseReference(text))) throw error;
  }
  const { pullInto } = await import("../image/move/transfer.ts");
  const { bringUnpacked } = await import("../open-image.ts");
  const client = await session.registry(connectionOf(flags, [parseReference(text).registry]));
  const image = await pullInto(store, client, text, {
    ...wanted,
    bring: (coming) => bringUnpacked({ store, signal: cli.signal }, coming),
    report: await session.report(),
    signal: cli.signal,
  });
  return image;
}

/** `HOST:CONTAINER[:ro|rw]`; of Windows images CONTAINER begins with C:\. HOST is a path, relative ones begin with a dot; it must be there. */
function parseVolume(text: string, cwd: string): Mount {
  const windows = /^(.+?):[Cc]:[\\/]+([^:]*)(?::([^:]*))?$/.exec(text);
  const [host = "", target = "", options, ...rest] = windows
    ? [windows[1], `/Files/${(windows[2] ?? "").replaceAll("\\", "/")}`, windows[3]]
    : text.split(":");
  const modes = (options ?? "").split(",").filter((mode) => mode !== "");
  const unknown = modes.find((mode) => !["ro", "rw", "z", "Z"].includes(mode));
  if (
    !target.startsWith("/") ||
    target === "/" ||
    target.split("/").includes("..") ||
    unknown !== undefined ||
    rest.length > 0
  )
    throw badValue(
      "--volume",
      text,
      "of the form HOST:/CONTAINER or HOST:/CONTAINER:ro; on Windows HOST:C:\\CONTAINER",
    );
  if (!host.startsWith("/") && !host.startsWith("."))
    throw new WbuildError(
      "CLI_VALUE",
      `--volume: ${JSON.stringify(host)} is no path; named volumes do not exist here`,
      {
        hint: `for a folder write ./${host}:${target}`,
      },
    );
  const source = resolve(cwd, host);
  if (!statSync(source, { throwIfNoEntry: false }))
    throw new WbuildError("CLI_VALUE", `--volume: ${source} is not there`, { hint: "make the folder first" });
  return { kind: "bind", source, target, readonly: modes.includes("ro") };
}

/** Lines of a file as docker reads them: no quotes, no expansion; # begins a comment, a lone NAME is looked up. */
async function readVariables(path: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new WbuildError("CLI_VALUE", `--env-file: cannot read ${path}`, { cause, facts: { path } });
  }
  return text
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function signalNumber(name: string | undefined): number {
  return Object.entries(constants.signals).find(([known]) => known === name)?.[1] ?? 0;
}
