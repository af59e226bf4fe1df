/** `wbuild append`: tars as new layers on an image. */
import { createReadStream } from "node:fs";
import { basename, resolve } from "node:path";
import { WbuildError } from "../../native/error.ts";
import type { Incoming } from "../mutate/append.ts";
import { type ChangingFlags, carryOut, commandText, defineChangingFlags } from "./changing.ts";
import { type Command, collect, flagsOf } from "./command.ts";
import { parseChoice } from "./flags/values.ts";

interface AppendFlags extends ChangingFlags {
  readonly base?: string;
  readonly file?: readonly string[];
  readonly path?: string;
  readonly compression?: string;
}

export const appendCommand: Command = {
  operands: "",
  about: `
    Puts tars on top of an image, each as one layer; without --base, on nothing. A tar may be plain or compressed with gzip,
    zstd, xz or bzip2; it is read to its end and checked before it becomes part of an image. Without --path it is the layer
    as it is, byte for byte, whiteouts (.wh.NAME) included. With --path its files are put below that folder, in a layer that
    is written anew.

    A layer of a Windows image has a shape of its own: Files and Hives at its top. A tar of that shape is checked as
    \`wbuild inspect --verify\` does; a tar of plain files needs --path, which says where on C: they go.`,
  examples: [
    ["wbuild append -b debian:12 -f layer.tar -t app", "a layer as it is"],
    ["tar -c site | wbuild append -b nginx -f - --path /usr/share -t web", "files from standard input"],
    ["wbuild append -b windows -f app.tar.gz --path 'C:\\app' -t app", "plain files for Windows"],
  ],
  readsLayers: true,
  define(parser) {
    parser
      .option("-b, --base <image>", "the image to put them on")
      .option("-f, --file <path>", "a tar, or - for standard input; may be repeated, the lowest first", collect)
      .option("--path <folder>", "put the tars' files below this folder of the image")
      .option("--compression <kind>", "zstd, gzip or none; usual: gzip, or what the tar has");
    defineChangingFlags(parser, { push: false });
  },
  async run(parser, cli) {
    const flags = flagsOf<AppendFlags>(parser);
    const files = flags.file ?? [];
    if (files.length === 0) throw new WbuildError("CLI_USAGE", "there is nothing to append", { hint: "add -f FILE" });
    if (files.filter((file) => file === "-").length > 1)
      throw new WbuildError("CLI_USAGE", "standard input can be read once only");
    const compression =
      flags.compression === undefined
        ? {}
        : { compression: parseChoice("--compression", flags.compression, ["zstd", "gzip", "none"]) };
    const { takeIncoming } = await import("../mutate/append.ts");
    const { appendIncoming, nothing } = await import("../mutate/append-image.ts");
    const { platformOf } = await import("./flags/platform-flag.ts");
    const options = { ...compression, signal: cli.signal };
    const { platform } = await platformOf(flags);
    return carryOut(cli, flags, {
      image: flags.base ?? (async () => nothing(platform)),
      edit: async ({ store, session, created, bring }) => {
        const incoming: Incoming[] = [];
        for (const file of files) {
          const bytes = file === "-" ? cli.stdin : createReadStream(resolve(cli.cwd, file), { highWaterMark: 1 << 20 });
          incoming.push(await takeIncoming(store, file, readable(bytes, file), options));
        }
        return async (image) => {
          // A layer as it is stands on others unread, but for Windows' rules.
          if (flags.path !== undefined || image.config.os === "windows") await bring([image]);
          return appendIncoming(store, image, incoming, {
            ...options,
            ...(flags.path === undefined ? {} : { path: flags.path }),
            created,
            commandOf: (name) =>
              commandText("append", [
                "-f",
                basename(name),
                ...(flags.path === undefined ? [] : ["--path", flags.path]),
              ]),
            onDropped: ({ path, reason }) => session.warn(`${path} is left out: ${reason}`),
          });
        };
      },
    });
  },
};

/** What cannot be opened is the typist's mistake, and told as such. */
async function* readable(bytes: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (cause) {
    if (!(cause instanceof Error) || !("syscall" in cause)) throw cause;
    throw new WbuildError("CLI_VALUE", `--file: ${JSON.stringify(file)} cannot be read`, { facts: { file }, cause });
  }
}
