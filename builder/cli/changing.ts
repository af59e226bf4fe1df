/** What the commands that change images without building share: which image, in which world, and what becomes of the result. */
import type { Command as Parser } from "commander";
import type { Store } from "../../layerfs/store/store.ts";
import { WbuildError } from "../../native/error.ts";
import type { Image } from "../../registry/oci/image.ts";
import type { LocalImage } from "../image/stored/local.ts";
import type { Edit, Edited } from "../mutate/edited.ts";
import type { Find } from "../mutate/old-base.ts";
import type { Remote } from "../mutate/remote.ts";
import { bringing } from "./bring.ts";
import { type Cli, collect } from "./command.ts";
import { definePlainHttp, defineProgressFlags, type ProgressFlags } from "./flags/flags.ts";
import { platformOf } from "./flags/platform-flag.ts";
import { parseCount } from "./flags/values.ts";
import { openSession, type Session } from "./session.ts";

export interface ChangingFlags extends ProgressFlags {
  readonly tag?: readonly string[];
  readonly platform?: string;
  readonly push?: boolean;
  readonly plainHttp?: boolean;
}

/** `push`: the command needs no layer, and so can work on a registry alone. */
export function defineChangingFlags(parser: Parser, { push }: { readonly push: boolean }): void {
  parser
    .option("-t, --tag <name>", "name for the result; may be repeated", collect)
    .option("--platform <os/arch>", "of an image for several platforms, take only this one");
  if (!push) return;
  parser.option("--push", "work in the registry: fetch manifests and configurations alone, send what is new to --tag");
  defineProgressFlags(parser, "show no progress");
  definePlainHttp(parser);
}

/** What an edit may use. */
export interface ChangingWorld {
  readonly cli: Cli;
  readonly session: Session;
  readonly store: Store;
  /** RFC 3339: now, or SOURCE_DATE_EPOCH. */
  readonly created: string;
  /** Another image, from where the first came from. */
  readonly find: Find;
  /** Fetches the layers of images that must be read, where they are in a registry still. */
  bring(images: readonly Image[]): Promise<void>;
}

/** What is changed, and how it is done. */
export interface Change {
  /** An image of the store, or with --push of a registry; or one that the command made up. */
  readonly image: string | ((world: ChangingWorld) => Promise<LocalImage>);
  edit(world: ChangingWorld, image: LocalImage): Promise<Edit>;
  /** Looks at what was written, before it gets a name. */
  check?(world: ChangingWorld, edited: Edited): Promise<void>;
  /** After that, where somebody only wants to know: this exit code ends the command, and nothing gets a name. */
  readonly look?: ((world: ChangingWorld, edited: Edited) => Promise<number>) | undefined;
}

/** Carries a change out, names or pushes the result and prints its name and digest; without a name its ID. */
export async function carryOut(cli: Cli, flags: ChangingFlags, change: Change): Promise<number> {
  const { editImages, nameResult } = await import("../mutate/edited.ts");
  const names = flags.tag ?? [];
  if (flags.push && names.length === 0 && !change.look)
    throw new WbuildError("CLI_USAGE", "--push needs a name to push to", { hint: "add --tag NAME" });
  await using session = openSession(cli);
  const store = await session.store();
  const remote = flags.push ? await openRemote(session, store, cli, flags) : undefined;
  const { platform } = await platformOf(flags);
  const { findImage } = await import("../image/stored/local.ts");
  const find: Find = remote?.find ?? ((text, wanted) => findImage(store, text, wanted));
  const world: ChangingWorld = {
    cli,
    session,
    store,
    created: createdBy(cli),
    find,
    bring: remote === undefined ? bringing(session, cli) : (images) => bringAll(remote, images),
  };
  const found =
    typeof change.image !== "string"
      ? await change.image(world)
      : await (remote?.find(change.image, platform) ?? findImage(store, change.image, platform));
  const edited = await editImages(store, found, await change.edit(world, found));
  await change.check?.(world, edited);
  if (change.look) return await change.look(world, edited);
  const { leftOut } = edited;
  if (leftOut > 0) {
    const entries = leftOut === 1 ? "1 entry of the index does" : `${leftOut} entries of the index do`;
    session.warn(`${entries} not belong to the changed image: left out`);
  }
  if (remote !== undefined) {
    const pushed: string[] = [];
    for (const name of names) pushed.push(await remote.push(edited, name));
    session.endReport();
    for (const name of pushed) cli.stdout.write(`${name}@${edited.descriptor.digest}\n`);
    return 0;
  }
  const full = nameResult(store, edited, names);
  for (const name of full) cli.stdout.write(`${name}@${edited.descriptor.digest}\n`);
  if (full.length === 0) cli.stdout.write(`${edited.id}\n`);
  return 0;
}

async function bringAll(remote: Remote, images: readonly Image[]): Promise<void> {
  for (const { manifest } of images) for (const layer of manifest.layers) await remote.bring(layer);
}

async function openRemote(session: Session, store: Store, cli: Cli, flags: ChangingFlags): Promise<Remote> {
  const { remoteImages } = await import("../mutate/remote.ts");
  const { parseReference } = await import("../../registry/reference.ts");
  const plain = flags.plainHttp ? (flags.tag ?? []).map((name) => parseReference(name).registry) : [];
  const client = await session.registry(plain);
  return remoteImages(store, client, { report: await session.report(flags), signal: cli.signal });
}

/** The command and its flags as history shows them; words that would not read back are quoted. */
export function commandText(command: string, words: readonly string[]): string {
  const shown = words.map((word) => (/^[\w@%+=:,./\\[\]"-]+$/.test(word) ? word : JSON.stringify(word)));
  return ["wbuild", command, ...shown].join(" ");
}

function createdBy(cli: Cli): string {
  const { SOURCE_DATE_EPOCH: epoch } = cli.env;
  const ms = epoch ? parseCount("$SOURCE_DATE_EPOCH", epoch, 0, 253402300799) * 1000 : Date.now();
  return new Date(ms).toISOString();
}
