/** An OCI layout in a folder as a source and as a target of copies: read and written in place, nothing is unpacked. */
import { constants } from "node:fs";
import { lstat, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import {
  blobPath,
  imageNameKey,
  layoutContent,
  layoutFile,
  normal,
  refNameKey,
  writeLayoutIndex,
} from "../archive/layout.ts";
import { damaged, fileBytes } from "../archive/members.ts";
import { folderSink } from "../archive/sink.ts";
import { mediaTypes } from "../oci/image.ts";
import { maxManifestBytes, parseIndex } from "../oci/schema.ts";
import { subjectOf } from "../referrers.ts";
import type { FetchedManifest } from "../repository.ts";
import type { CopySource, CopyTarget, PutBlobOptions, Referrer } from "./place.ts";

/** As many names as a message tells. */
const maxTold = 20;

/** `image` is a tag, a full name or a digest; absent, the layout must hold one image. Throws REG_ARCHIVE. */
export async function layoutSource(folder: string, image?: string): Promise<CopySource> {
  const place = `oci:${folder}${image === undefined ? "" : `:${image}`}`;
  const entries = await entriesOf(folder);
  if (!entries) throw damaged(`${folder} is no OCI layout: it has no index.json`);
  const manifest = async (which: Descriptor): Promise<FetchedManifest> => {
    if (which.size > maxManifestBytes) throw damaged(`manifest ${which.digest} of ${folder} is too large`);
    const parts: Uint8Array[] = [];
    for await (const part of fileOf(folder, which, 0)) parts.push(part);
    return { bytes: Buffer.concat(parts), mediaType: which.mediaType, descriptor: which };
  };
  const named = async () => manifest(plain(entryOf(entries, image, place)));
  return {
    place,
    named,
    manifest,
    blob: (blob, from) => fileOf(folder, blob, from),
    referrers: (of) => referrersIn(entries, of, manifest),
  };
}

/** Which entry of index.json is meant. Throws REG_NOT_FOUND. */
function entryOf(entries: readonly Descriptor[], image: string | undefined, place: string): Descriptor {
  const images = distinctEntries(entries);
  const fitting = image === undefined ? alone(images) : entries.filter((entry) => isCalled(entry, image));
  const [found] = fitting;
  if (found && (image !== undefined || fitting.length === 1)) return found;
  const names = entries.map(({ annotations, digest }) => annotations?.[refNameKey] ?? digest);
  throw new WbuildError(
    "REG_NOT_FOUND",
    image === undefined ? `${place} has ${images.length} images` : `${place}: the layout has no such image`,
    {
      facts: { place, names: names.slice(0, maxTold) },
      hint: names.length === 0 ? "it is empty" : `name one of: ${names.slice(0, maxTold).join(", ")}`,
    },
  );
}

/** What may be meant without a name: what refers to others has cosign's names, or none beside one that has. */
function alone(images: readonly Descriptor[]): readonly Descriptor[] {
  const own = images.filter(
    (entry) => !isCosignTag(entry.annotations?.[refNameKey]) && savedSuffix(entry) === undefined,
  );
  const named = own.filter(({ annotations }) => annotations?.[refNameKey] !== undefined);
  return named.length === 1 ? named : own;
}

function isCalled({ digest, annotations = {} }: Descriptor, image: string): boolean {
  const full = normal(annotations[imageNameKey]);
  return digest === image || annotations[refNameKey] === image || (full !== undefined && full === normal(image));
}

function isCosignTag(name: string | undefined): boolean {
  return name !== undefined && /^sha256-[0-9a-f]{64}(?:\.[a-z]+)?$/.test(name);
}

/** `cosign save` writes no names, but what each entry is: how the tag of signatures and attestations ends; of others undefined. */
function savedSuffix({ annotations }: Descriptor): "sig" | "att" | undefined {
  const kind = annotations?.kind;
  return kind === "dev.cosignproject.cosign/sigs"
    ? "sig"
    : kind === "dev.cosignproject.cosign/atts"
      ? "att"
      : undefined;
}

/** The one image of a folder that cosign saved: its signatures do not say whose they are. */
function savedImage(entries: readonly Descriptor[]): Digest | undefined {
  const images = entries.filter(({ annotations }) =>
    /^dev\.cosignproject\.cosign\/image(?:Index)?$/.test(annotations?.kind ?? ""),
  );
  return images.length === 1 ? images[0]?.digest : undefined;
}

function distinctEntries(entries: readonly Descriptor[]): Descriptor[] {
  return [...new Map(entries.map((entry) => [entry.digest, entry])).values()];
}

/** Without what only this layout says of it. */
function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** By cosign's names or kinds, and by the subject that manifests of index.json name. */
async function referrersIn(
  entries: readonly Descriptor[],
  of: Digest,
  manifest: (which: Descriptor) => Promise<FetchedManifest>,
): Promise<Referrer[]> {
  const start = `${of.replace(":", "-")}.`;
  const found: Referrer[] = [];
  for (const entry of entries) {
    const suffix = savedImage(entries) === of ? savedSuffix(entry) : undefined;
    const name = suffix === undefined ? entry.annotations?.[refNameKey] : `${start}${suffix}`;
    if (name?.startsWith(start)) found.push({ descriptor: plain(entry), tag: name });
    else if ((await subjectIn(entry, manifest)) === of) found.push({ descriptor: plain(entry) });
  }
  return found;
}

/** Undefined, too, for what the layout has no more: it is not what is copied, and may be anything. */
async function subjectIn(
  entry: Descriptor,
  manifest: (which: Descriptor) => Promise<FetchedManifest>,
): Promise<Digest | undefined> {
  try {
    return subjectOf((await manifest(plain(entry))).bytes);
  } catch (error) {
    if (isWbuildError(error, "REG_INCOMPLETE") || isWbuildError(error, "REG_ARCHIVE")) return undefined;
    throw error;
  }
}

/** `tag` is the name inside of the layout. Other images that the layout holds stay. Throws REG_ARCHIVE_TARGET. */
export async function layoutTarget(folder: string, tag?: string): Promise<CopyTarget> {
  const sink = await folderSink(folder);
  const named: Descriptor[] = [];
  const has = async (blob: Descriptor) => (await sizeOf(join(folder, blobPath(blob)))) === blob.size;
  return {
    place: `oci:${folder}`,
    takesReferrers: true,
    // What lies there costs no round trip to look at, and index.json is written in any case.
    state: async () => "absent",
    async putBlob(blob, open_, _options: PutBlobOptions) {
      if (await has(blob)) return "present";
      await sink.add(blobPath(blob), blob.size, open_());
      return "sent";
    },
    async putManifest({ bytes, mediaType, descriptor: { digest } }, role) {
      const descriptor: Descriptor = { mediaType, digest, size: bytes.length };
      if (!(await has(descriptor))) await sink.add(blobPath(descriptor), bytes.length, bytes);
      if (role === "part") return;
      const name = role === "named" ? tag : typeof role === "object" ? role.tag : undefined;
      named.push(name === undefined ? descriptor : { ...descriptor, annotations: { [refNameKey]: name } });
    },
    async finish() {
      if ((await sizeOf(join(folder, layoutFile))) === undefined)
        await sink.add(layoutFile, layoutContent.length, Buffer.from(layoutContent));
      const text = writeLayoutIndex(
        named.map((descriptor) => ({ descriptor, refs: [] })),
        (await entriesOf(folder)) ?? [],
      );
      await sink.add("index.json", Buffer.byteLength(text), Buffer.from(text));
      await sink.finish();
    },
    abort: () => sink.abort(),
  };
}

/** Undefined when the folder has no index.json. Throws REG_MANIFEST, REG_ARCHIVE. */
async function entriesOf(folder: string): Promise<readonly Descriptor[] | undefined> {
  const path = join(folder, "index.json");
  const size = await sizeOf(path);
  if (size === undefined) return undefined;
  if (size > maxManifestBytes) throw damaged(`${path} has ${size} bytes`);
  return parseIndex(await readFile(path), mediaTypes.ociIndex).manifests;
}

/** A file of a blob's size from a byte on; a link in its place is refused. Throws REG_INCOMPLETE. */
export async function* fileOf(
  folder: string,
  blob: Descriptor,
  from: number,
  name = blobPath(blob),
): AsyncGenerator<Uint8Array> {
  const path = join(folder, name);
  if ((await sizeOf(path)) !== blob.size)
    throw new WbuildError("REG_INCOMPLETE", `${folder} lacks ${blob.digest}, or has only a part of it`, {
      facts: { path: folder, digest: blob.digest },
      hint: "an index whose images are not all there can be copied image by image with --platform",
    });
  if (from === 0) {
    yield* fileBytes(path);
    return;
  }
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stream: Readable = handle.createReadStream({ autoClose: false, start: from, highWaterMark: 1024 * 1024 });
    yield* stream as AsyncIterable<Uint8Array>;
  } finally {
    await handle.close();
  }
}

export async function sizeOf(path: string): Promise<number | undefined> {
  // Attack: a blob that is a link to a file of this host.
  return lstat(path).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}
