/** `wbuild mutate`: an image with another configuration. */
import { WbuildError } from "../../native/error.ts";
import type { ConfigEdit } from "../mutate/config-edit.ts";
import { type ChangingFlags, carryOut, commandText, defineChangingFlags } from "./changing.ts";
import { type Command, collect, flagsOf } from "./command.ts";
import { parseCommand, parseEntry, parseMember } from "./flags/edit-values.ts";

interface MutateFlags extends ChangingFlags {
  readonly env?: readonly string[];
  readonly label?: readonly string[];
  readonly annotation?: readonly string[];
  readonly port?: readonly string[];
  readonly volume?: readonly string[];
  readonly cmd?: string;
  readonly entrypoint?: string;
  readonly user?: string;
  readonly workdir?: string;
  readonly stopSignal?: string;
  readonly author?: string;
  readonly setPlatform?: string;
}

/** In the order in which history tells them. */
const flagNames = {
  env: "--env",
  label: "--label",
  annotation: "--annotation",
  port: "--exposed-port",
  volume: "--volume",
  entrypoint: "--entrypoint",
  cmd: "--cmd",
  user: "--user",
  workdir: "--workdir",
  stopSignal: "--stop-signal",
  author: "--author",
  setPlatform: "--set-platform",
} as const;

export const mutateCommand: Command = {
  operands: "IMAGE",
  about: `
    Changes an image's configuration and annotations, and leaves its layers as they are. Of an index every image is changed.
    KEY- takes an entry away and - all of them; an empty value takes a setting away. A new entrypoint takes the command
    away, as in a Dockerfile, unless --cmd is given too. One line of history tells what was changed. The image itself stays:
    the result gets the name of --tag, or none. With --push no layer is fetched.`,
  examples: [
    ["wbuild mutate app --env DEBUG=1 --label team- -t app:debug", "one variable more, one label less"],
    [`wbuild mutate app --entrypoint '["/app"]' --user 1000 -t app:2`, "what starts, and as whom"],
    ["wbuild mutate --push r.example.com/app:1 -a released=yes -t r.example.com/app:stable", "in the registry alone"],
  ],
  define(parser) {
    parser
      .argument("<image>")
      .option("-e, --env <entry>", "NAME=VALUE or NAME-; may be repeated", collect)
      .option("-l, --label <entry>", "KEY=VALUE or KEY-; may be repeated", collect)
      .option("-a, --annotation <entry>", "of the manifest: KEY=VALUE or KEY-; may be repeated", collect)
      .option("--exposed-port, --port <port>", "80, 53/udp, 8000-8010 or 80/tcp-; may be repeated", collect)
      .option("--volume <path>", "PATH or PATH-; may be repeated", collect)
      .option("--entrypoint <command>", "a JSON array, or a line for the shell")
      .option("--cmd <command>", "a JSON array, or a line for the shell")
      .option("-u, --user <name>", "as whom it runs")
      .option("-w, --workdir <path>", "where it runs; a relative one continues the image's")
      .option("--stop-signal <signal>", "a name such as SIGTERM, or a number")
      .option("--author <name>", "who made it")
      .option("--set-platform <os/arch>", "what the configuration says that the image is made for");
    defineChangingFlags(parser, { push: true });
  },
  async run(parser, cli) {
    const flags = flagsOf<MutateFlags>(parser);
    const words = wordsOf(flags);
    if (words.length === 0)
      throw new WbuildError("CLI_USAGE", "nothing says what to change", { hint: "`wbuild mutate --help` lists it" });
    const edit = await editOf(flags);
    const { editAnnotations, editConfig } = await import("../mutate/config-edit.ts");
    const { fullHistory, historyLine } = await import("../mutate/edited.ts");
    const { layersOf } = await import("../image/stored/base-image.ts");
    return carryOut(cli, flags, {
      image: parser.args[0] ?? "",
      edit: async ({ created }, { images }) => {
        if (edit.platform !== undefined && images.length > 1)
          throw new WbuildError("CLI_USAGE", "--set-platform is for one image, and this name means several", {
            hint: "choose one with --platform",
          });
        return async ({ config, manifest }) => {
          const annotations = editAnnotations(manifest.annotations, edit.annotations);
          const history = [...fullHistory(config), historyLine(commandText("mutate", words), created)];
          return {
            ...(annotations ? { annotations } : {}),
            config: { ...editConfig(config, edit), created, history },
            layers: layersOf(manifest, config),
          };
        };
      },
    });
  },
};

async function editOf(flags: MutateFlags): Promise<ConfigEdit> {
  const { env, label, annotation, port, volume, cmd, entrypoint, setPlatform } = flags;
  const { user, workdir, stopSignal, author } = flags;
  const given = {
    env: env?.map((text) => parseEntry("--env", text)),
    labels: label?.map((text) => parseEntry("--label", text)),
    annotations: annotation?.map((text) => parseEntry("--annotation", text)),
    ports: port?.map((text) => parseMember("--exposed-port", text)),
    volumes: volume?.map((text) => parseMember("--volume", text)),
    cmd: cmd === undefined ? undefined : parseCommand("--cmd", cmd),
    entrypoint: entrypoint === undefined ? undefined : parseCommand("--entrypoint", entrypoint),
    platform: setPlatform === undefined ? undefined : (await import("../image/platform.ts")).parsePlatform(setPlatform),
    ...{ user, workdir, stopSignal, author },
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function wordsOf(flags: MutateFlags): string[] {
  return Object.entries(flagNames).flatMap(([name, flag]) => {
    const value = flags[name as keyof typeof flagNames];
    const values = value === undefined ? [] : typeof value === "string" ? [value] : value;
    return values.flatMap((each) => [flag, each]);
  });
}
