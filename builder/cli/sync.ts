/** `wbuild sync`: many images after a list, into a registry, an OCI layout or folders. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { RegistryClient } from "../../registry/client.ts";
import { type Command, flagsOf } from "./command.ts";
import {
  type ConnectionFlags,
  connectionOf,
  defineConnection,
  defineProgressFlags,
  type ProgressFlags,
} from "./flags/flags.ts";
import { platformOf } from "./flags/platform-flag.ts";
import { openSession } from "./session.ts";
import { json } from "./table.ts";

interface SyncFlags extends ProgressFlags, ConnectionFlags {
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly keepGoing?: boolean;
  readonly scoped?: boolean;
  readonly includeReferrers?: boolean;
  readonly platform?: string;
  readonly json?: boolean;
}

export const syncCommand: Command = {
  operands: "FILE DESTINATION",
  about: `
    Copies the images of a list to a registry (HOST/PATH), an OCI layout (oci:FOLDER) or folders (dir:FOLDER), byte for byte.
    What is there already costs one question. FILE is YAML as \`skopeo sync --src yaml\` has it: for each registry images with
    their tags (none: all), images-by-tag-regex, images-by-semver, credentials, tls-verify, cert-dir.

    An image keeps the last part of its name: quay.io/coreos/etcd becomes DESTINATION/etcd. With --scoped it keeps registry
    and path, too. Two images that would get one name are refused before anything is copied. Images for several platforms are
    copied whole, unless --platform takes one. Prints each image with its digest.`,
  examples: [
    ["wbuild sync mirror.yaml registry.example.com/mirror", "into a registry"],
    ["wbuild sync --dry-run mirror.yaml registry.example.com/mirror", "show what would be copied"],
    ["wbuild sync --scoped --keep-going mirror.yaml oci:mirror", "into an OCI layout, whatever fails"],
  ],
  define(parser) {
    parser
      .argument("<file>")
      .argument("<destination>")
      .option("-a, --all", "all platforms, which is the default")
      .option("--platform <os/arch>", "of images for several platforms, only this one")
      .option("--dry-run", "print what would be copied, and copy nothing")
      .option("--keep-going", "go on when an image fails; the exit code is then 1")
      .option("--scoped", "keep registry and path of the source in the names")
      .option("--include-referrers", "with signatures, attestations and what else refers to the images")
      .option("--json", "print JSON: source, target, digest");
    defineProgressFlags(parser, "show no progress");
    defineConnection(parser);
  },
  async run(parser, cli) {
    const flags = flagsOf<SyncFlags>(parser);
    if (flags.all && flags.platform !== undefined)
      throw new WbuildError("CLI_USAGE", "--all and --platform exclude each other");
    const [file = "", destination = ""] = parser.args;
    const { parseSyncFile } = await import("../../registry/sync/file.ts");
    const { planSync, runSync } = await import("../image/move/sync.ts");
    const { formatPlace } = await import("../image/move/copy-place.ts");
    const { formatReference } = await import("../../registry/reference.ts");
    const { version } = await import("../version.ts");
    const list = await parseSyncFile(await readList(resolve(cli.cwd, file)));
    for (const { credentials } of list) if (credentials?.password) cli.keepSecret(credentials.password);
    await using session = openSession(cli);
    const report = await session.report(flags);
    let failures = 0;
    const onFailure = (what: string, error: unknown) => {
      failures++;
      const why = isWbuildError(error) ? `${error.message} [${error.code}]` : String(error);
      const text = `${what} was not copied: ${why}`;
      // Progress is what --quiet is about; who hears nothing believes that all is there.
      if (flags.quiet) cli.stderr.write(`warning: ${text}\n`);
      else session.warn(text);
    };
    const how = connectionOf(flags, [...list.map(({ registry }) => registry), hostOf(destination)]);
    const options = { userAgent: `wbuild/${version}`, warn: session.warn, signal: cli.signal, ...how };
    const keepGoing = flags.keepGoing ? { onFailure } : {};
    const clients: RegistryClient[] = [];
    const lines: string[] = [];
    // On a terminal the live progress would be drawn over them; a log or a program wants each as soon as it is true.
    const isLive = cli.stdout.isTTY === true;
    const print = (line: string) => void (isLive ? lines.push(line) : cli.stdout.write(line));
    try {
      const scoped = flags.scoped === true;
      const steps = await planSync(list, destination, clients, { ...options, scoped, ...keepGoing });
      const rows: object[] = [];
      const sources = steps.map(({ from, to }) => [formatPlace(to), formatReference(from)] as const);
      if (flags.dryRun) {
        for (const [target, source] of sources) {
          if (flags.json) rows.push({ source, target });
          else print(`${source} -> ${target}\n`);
        }
      } else {
        const bySource = new Map(sources);
        const world = { registry: () => session.registry(how), store: session.store, signal: cli.signal };
        await runSync(steps, world, {
          report,
          ...(await platformOf(flags)),
          includeReferrers: flags.includeReferrers === true,
          ...keepGoing,
          onDone: (target, digest) => {
            if (flags.json) rows.push({ source: bySource.get(target), target, digest });
            else print(`${target.replace(/@sha256:[0-9a-f]{64}$/, "")}@${digest}\n`);
          },
        });
      }
      if (flags.json) print(json(rows));
    } finally {
      session.endReport();
      for (const line of lines) cli.stdout.write(line);
      for (const client of clients) await client.close();
    }
    return failures > 0 ? 1 : 0;
  },
};

function hostOf(destination: string): string {
  return destination.replace(/^docker:\/\//, "").split("/")[0] ?? "";
}

async function readList(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new WbuildError("REG_SYNC_FILE", `cannot read ${path}: ${code === "ENOENT" ? "it is not there" : code}`, {
      facts: { path },
      cause: error,
    });
  }
}
