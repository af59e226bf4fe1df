/** skopeo's `dir:` as a source and as a target of copies: manifest.json and blobs by their digests, in one flat folder. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { digestOf, hexOf } from "../../layerfs/store/digest.ts";
import { makeFolder } from "../../layerfs/store/make-folder.ts";
import { WbuildError } from "../../native/error.ts";
import { damaged, fileBytes } from "../archive/members.ts";
import { fileSink } from "../archive/sink.ts";
import { maxManifestBytes, mediaTypeOf } from "../oci/schema.ts";
import type { FetchedManifest } from "../repository.ts";
import { fileOf, sizeOf } from "./layout.ts";
import type { CopySource, CopyTarget } from "./place.ts";

const versionFile = "version";
const versionText = "Directory Transport Version: 1.1\n";

/** Throws REG_ARCHIVE. */
export function folderSource(folder: string): CopySource {
  const read = async (name: string, which?: Descriptor): Promise<FetchedManifest> => {
    const path = join(folder, name);
    const size = await sizeOf(path);
    if (size === undefined) throw damaged(`${folder} has no ${name}`);
    if (size > maxManifestBytes) throw damaged(`${path} has ${size} bytes`);
    const parts: Uint8Array[] = [];
    for await (const part of fileBytes(path)) parts.push(part);
    const bytes = Buffer.concat(parts);
    const mediaType = which?.mediaType ?? mediaTypeOf(bytes);
    return { bytes, mediaType, descriptor: which ?? { mediaType, digest: digestOf(bytes), size: bytes.length } };
  };
  return {
    place: `dir:${folder}`,
    named: () => read("manifest.json"),
    manifest: (which) => read(manifestName(which), which),
    blob: (blob, from) => fileOf(folder, blob, from, hexOf(blob.digest)),
  };
}

/** An image that is there already is replaced. Throws REG_ARCHIVE_TARGET when something else lies there. */
export async function folderTarget(folder: string): Promise<CopyTarget> {
  const names = await readdir(folder).catch((): string[] => []);
  if (names.length > 0 && !names.includes(versionFile))
    throw new WbuildError("REG_ARCHIVE_TARGET", `${folder} is not empty and holds no image of skopeo's form`, {
      facts: { path: folder },
      hint: "name a new or empty folder",
    });
  makeFolder(folder);
  const sink = fileSink(folder);
  let named: Uint8Array | undefined;
  return {
    place: `dir:${folder}`,
    takesReferrers: false,
    state: async () => "absent",
    async putBlob(blob, open) {
      if ((await sizeOf(join(folder, hexOf(blob.digest)))) === blob.size) return "present";
      await sink.add(hexOf(blob.digest), blob.size, open());
      return "sent";
    },
    async putManifest({ bytes, descriptor }, role) {
      if (role === "named") named = bytes;
      else await sink.add(manifestName(descriptor), bytes.length, bytes);
    },
    async finish() {
      await sink.add(versionFile, versionText.length, Buffer.from(versionText));
      if (named) await sink.add("manifest.json", named.length, named);
    },
    async abort() {},
  };
}

function manifestName(which: Descriptor): string {
  return `${hexOf(which.digest)}.manifest.json`;
}
