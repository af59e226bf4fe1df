/** `wbuild manifest`: shows manifests, makes indexes of images, changes what an index says. */

import type { Platform } from "../../layerfs/store/descriptor.ts";
import { WbuildError } from "../../native/error.ts";
import type { Place, PlaceWorld } from "../image/move/copy-place.ts";
import type { Annotation } from "../image/output/output-spec.ts";
import { type Cli, type Command, collect, flagsOf } from "./command.ts";
import {
  type ConnectionFlags,
  connectionOf,
  defineConnection,
  defineProgressFlags,
  type ProgressFlags,
} from "./flags/flags.ts";
import { badValue } from "./flags/values.ts";
import { openSession, type Session } from "./session.ts";
import { runVerb, type Verb } from "./verbs.ts";

interface ManifestFlags extends ProgressFlags, ConnectionFlags {
  readonly raw?: boolean;
  readonly json?: boolean;
  readonly append?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly annotation?: readonly string[];
  readonly platform?: readonly string[];
}

const verbs: Readonly<Record<string, Verb<ManifestFlags>>> = {
  show: { operands: "IMAGE", least: 1, most: 1, flags: ["raw", "json", "platform"], run: show },
  create: {
    operands: "NAME IMAGE...",
    least: 2,
    most: Number.POSITIVE_INFINITY,
    flags: ["append", "dryRun", "annotation", "platform"],
    run: create,
  },
  annotate: { operands: "NAME", least: 1, most: 1, flags: ["dryRun", "annotation", "platform"], run: annotate },
  push: { operands: "NAME [DESTINATION]", least: 1, most: 2, flags: [], run: push },
  rm: { operands: "REF...", least: 1, most: Number.POSITIVE_INFINITY, flags: ["force"], run: remove },
};

export const manifestCommand: Command = {
  operands: "show|create|annotate|push|rm NAME [IMAGE...]",
  about: `
    Works on manifests and indexes where they are: in a registry, in the store (store:NAME), in an OCI layout
    (oci:FOLDER[:TAG]); places are written as for \`wbuild copy\`.

    show IMAGE tells what a name means: the images of an index with their platforms, or the layers of an image; --raw prints
    its bytes as they are. create NAME IMAGE... makes an index of images, also of those in other indexes. In a registry that
    has them nothing but the index is sent, no layer is downloaded; what it lacks is copied. --append keeps the index that
    is there, but for platforms that come anew. annotate NAME changes annotations and platforms in an index: it gets another
    digest, its images keep theirs. push NAME [DESTINATION] sends an index of the store to a registry. rm is \`wbuild rm\`.`,
  examples: [
    ["wbuild manifest show alpine:3.20", "the platforms it has"],
    ["wbuild manifest show --raw alpine:3.20 | sha256sum", "its digest"],
    [
      "wbuild manifest create reg.example.com/app:1 reg.example.com/app:1-amd64 reg.example.com/app:1-arm64",
      "one name for both",
    ],
    [
      "wbuild manifest annotate --annotation org.opencontainers.image.version=1.0 reg.example.com/app:1",
      "say something of it",
    ],
  ],
  define(parser) {
    parser
      .argument("<verb>")
      .argument("<names...>")
      .option("--raw", "show: print the bytes of the manifest")
      .option("--json", "show: print JSON: name, descriptor and manifest")
      .option("--append", "create: keep what the index has")
      .option("--dry-run", "create, annotate: print the index, and make nothing")
      .option("-f, --force", "rm: remove the manifest that a tag means, with all its other tags")
      .option(
        "--annotation <key=value>",
        "create, annotate: of the index, or manifest-descriptor[PLATFORM]:KEY=VALUE; may be repeated",
        collect,
      )
      .option(
        "--platform <platform>",
        "show: the image for OS/ARCH; create: IMAGE=OS/ARCH, annotate: DIGEST=OS/ARCH; may be repeated",
        collect,
      );
    defineProgressFlags(parser, "show no progress");
    defineConnection(parser);
  },
  run: (parser, cli) => runVerb("manifest", verbs, parser.args, flagsOf<ManifestFlags>(parser), cli),
};

async function placesOf(texts: readonly string[]): Promise<[Place, ...Place[]]> {
  const { parsePlace } = await import("../image/move/copy-place.ts");
  return texts.map((text) => parsePlace(text)) as [Place, ...Place[]];
}

async function worldOf(
  session: Session,
  places: readonly Place[],
  flags: ManifestFlags,
  cli: Cli,
): Promise<PlaceWorld> {
  const { registriesOf } = await import("../image/move/copy-place.ts");
  const how = connectionOf(flags, registriesOf(places));
  return { registry: () => session.registry(how), store: session.store, signal: cli.signal };
}

async function show(operands: readonly string[], flags: ManifestFlags, cli: Cli): Promise<number> {
  const { manifestFields, manifestText, openManifest } = await import("../image/move/show-manifest.ts");
  const { forReader } = await import("../progress/harmless.ts");
  const { json } = await import("./table.ts");
  if (flags.raw && flags.json) throw new WbuildError("CLI_USAGE", "--raw and --json exclude each other");
  if ((flags.platform?.length ?? 0) > 1) throw new WbuildError("CLI_USAGE", "show takes one --platform");
  const places = await placesOf(operands);
  await using session = openSession(cli);
  const world = await worldOf(session, places, flags, cli);
  const { parsePlatform } = await import("../image/platform.ts");
  const [wanted] = flags.platform ?? [];
  const shown = await openManifest(places[0], world, wanted === undefined ? undefined : parsePlatform(wanted));
  const { bytes } = shown.manifest;
  if (flags.raw)
    cli.stdout.write(cli.stdout.isTTY ? forReader(cli.stdout, Buffer.from(bytes).toString("utf8")) : bytes);
  else if (flags.json) cli.stdout.write(json(manifestFields(shown)));
  else cli.stdout.write(forReader(cli.stdout, manifestText(shown)));
  return 0;
}

async function create(operands: readonly string[], flags: ManifestFlags, cli: Cli): Promise<number> {
  const { createIndex } = await import("../image/move/image-index.ts");
  const platforms = await platformsOf(flags, operands.slice(1), "an image of this command");
  const [target, ...images] = await placesOf(operands);
  await using session = openSession(cli);
  const sources = images.map((place, i) => {
    const platform = platforms.get(operands[i + 1] ?? "");
    return platform ? { place, platform } : { place };
  });
  const made = await createIndex(target, sources, await worldOf(session, [target, ...images], flags, cli), {
    append: flags.append === true,
    annotations: await annotationsOf(flags),
    dryRun: flags.dryRun === true,
    report: await session.report(flags),
  });
  session.endReport();
  return tell(made, target, flags, cli);
}

async function annotate(operands: readonly string[], flags: ManifestFlags, cli: Cli): Promise<number> {
  const { annotateIndex } = await import("../image/move/image-index.ts");
  const platforms = await platformsOf(flags);
  const annotations = await annotationsOf(flags);
  if (platforms.size === 0 && annotations.length === 0)
    throw new WbuildError("CLI_USAGE", "there is nothing to change", { hint: "add --annotation or --platform" });
  const [place] = await placesOf(operands);
  await using session = openSession(cli);
  const made = await annotateIndex(place, platforms, await worldOf(session, [place], flags, cli), {
    annotations,
    dryRun: flags.dryRun === true,
    report: await session.report(flags),
  });
  session.endReport();
  return tell(made, place, flags, cli);
}

async function tell(
  made: { readonly bytes: Uint8Array; readonly descriptor: { readonly digest: string } },
  place: Place,
  flags: ManifestFlags,
  cli: Cli,
): Promise<number> {
  const { formatPlace } = await import("../image/move/copy-place.ts");
  const { json } = await import("./table.ts");
  if (flags.dryRun) cli.stdout.write(json(JSON.parse(Buffer.from(made.bytes).toString())));
  else cli.stdout.write(`${formatPlace(place)}@${made.descriptor.digest}\n`);
  return 0;
}

async function push(operands: readonly string[], flags: ManifestFlags, cli: Cli): Promise<number> {
  const { formatPlace, parsePlace } = await import("../image/move/copy-place.ts");
  const { copyPlaces } = await import("../image/move/copy.ts");
  const name = (operands[0] ?? "").replace(/^store:/, "");
  const to = parsePlace(operands[1] ?? name);
  await using session = openSession(cli);
  const world = await worldOf(session, [to], flags, cli);
  const report = await session.report(flags);
  const { descriptor } = await copyPlaces({ kind: "store", name }, to, world, { report });
  session.endReport();
  cli.stdout.write(`${formatPlace(to)}@${descriptor.digest}\n`);
  return 0;
}

async function remove(operands: readonly string[], flags: ManifestFlags, cli: Cli): Promise<number> {
  const { removeRemote } = await import("./remove-remote.ts");
  return removeRemote(operands, cli, { ...flags, force: flags.force === true });
}

/** `IMAGE=OS/ARCH`, where IMAGE is one of `known`, if these are given. */
async function platformsOf(
  flags: ManifestFlags,
  known?: readonly string[],
  what = "",
): Promise<ReadonlyMap<string, Platform>> {
  const { parsePlatform } = await import("../image/platform.ts");
  return new Map(
    (flags.platform ?? []).map((text) => {
      const at = text.lastIndexOf("=");
      const image = text.slice(0, Math.max(at, 0));
      if (at < 0) throw badValue("--platform", text, "of the form IMAGE=OS/ARCH");
      if (known && !known.includes(image)) throw badValue("--platform", text, `for ${what}`);
      return [image, parsePlatform(text.slice(at + 1))] as const;
    }),
  );
}

/** Without a kind an annotation is the index's. Those of manifests would change the images. */
async function annotationsOf(flags: ManifestFlags): Promise<Annotation[]> {
  const { parseAnnotation } = await import("./flags/annotation-values.ts");
  return (flags.annotation ?? []).flatMap((text) => {
    const hasKind = /^(?:(?:manifest|index)(?:-descriptor)?(?:\[[^\]]*\])?,?)+:/.test(text);
    const found = parseAnnotation("--annotation", hasKind ? text : `index:${text}`);
    for (const { on } of found)
      if (on === "manifest" || on === "index-descriptor")
        throw badValue("--annotation", text, "one of the index or of a manifest-descriptor: images keep their digests");
    return found;
  });
}
