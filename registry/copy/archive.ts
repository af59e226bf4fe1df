/** A tar as a target of copies: an OCI archive, or a docker archive. Its members are written as they come, one by one. */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { WbuildError } from "../../native/error.ts";
import { type ImageParts, writeDockerManifest, writeRepositories } from "../archive/docker-archive.ts";
import { blobPath, layoutContent, layoutFile, refNameKey, writeLayoutIndex } from "../archive/layout.ts";
import type { Sink } from "../archive/sink.ts";
import { isManifestType, parseManifest } from "../oci/schema.ts";
import type { CopyTarget } from "./place.ts";

/** `tag` is the name inside of the archive. */
export function ociArchiveTarget(sink: Sink, place: string, tag?: string): CopyTarget {
  const writing = new Writing(sink);
  return {
    place,
    takesReferrers: true,
    isOneWay: true,
    state: async () => "absent",
    putBlob: (blob, open) => writing.put(blob, open),
    async putManifest({ bytes, mediaType, descriptor: { digest } }, role) {
      const descriptor: Descriptor = { mediaType, digest, size: bytes.length };
      await writing.put(descriptor, () => bytes);
      if (role === "part") return;
      const name = role === "named" ? tag : typeof role === "object" ? role.tag : undefined;
      writing.named.push(name === undefined ? descriptor : { ...descriptor, annotations: { [refNameKey]: name } });
    },
    finish: () => writing.finish([]),
    abort: () => sink.abort(),
  };
}

/** `refs` are full references. Layers must be gzip or plain: others cannot be held, and nothing is converted here. */
export function dockerArchiveTarget(sink: Sink, place: string, refs: readonly string[]): CopyTarget {
  const writing = new Writing(sink);
  let parts: ImageParts | undefined;
  return {
    place,
    takesReferrers: false,
    isOneWay: true,
    onlyOne: "a docker archive holds one",
    state: async () => "absent",
    async putBlob(blob, open) {
      if (blob.mediaType.endsWith("zstd"))
        throw new WbuildError("REG_ARCHIVE_FORMAT", "docker archives cannot hold layers compressed with zstd", {
          facts: { digest: blob.digest },
          hint: "copy to an oci-archive; `wbuild save --format docker` makes other layers of them",
        });
      return writing.put(blob, open);
    },
    async putManifest({ bytes, mediaType, descriptor: { digest } }) {
      if (!isManifestType(mediaType))
        throw new WbuildError("REG_ARCHIVE_FORMAT", `docker archives cannot hold a ${mediaType.slice(0, 100)}`);
      const descriptor: Descriptor = { mediaType, digest, size: bytes.length };
      await writing.put(descriptor, () => bytes);
      const { config, layers } = parseManifest(bytes, mediaType);
      parts = { config, layers, refs };
      writing.named.push(descriptor);
    },
    async finish() {
      const images = parts ? [parts] : [];
      await writing.finish(
        [
          ["manifest.json", writeDockerManifest(images)],
          ["repositories", writeRepositories(images)],
        ],
        refs,
      );
    },
    abort: () => sink.abort(),
  };
}

/** Members of a tar cannot be written side by side: each waits for the one before it. */
class Writing {
  readonly named: Descriptor[] = [];
  readonly #sink: Sink;
  readonly #written = new Set<string>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async put(blob: Descriptor, open: () => AsyncIterable<Uint8Array> | Uint8Array): Promise<"sent" | "present"> {
    if (this.#written.has(blob.digest)) return "present";
    this.#written.add(blob.digest);
    await this.#add(blobPath(blob), blob.size, open);
    return "sent";
  }

  async finish(more: readonly (readonly [string, string])[], refs: readonly string[] = []): Promise<void> {
    const index = writeLayoutIndex(this.named.map((descriptor) => ({ descriptor, refs })));
    for (const [name, text] of [[layoutFile, layoutContent] as const, ["index.json", index] as const, ...more])
      await this.#add(name, Buffer.byteLength(text), () => Buffer.from(text));
    await this.#sink.finish();
  }

  #add(name: string, size: number, open: () => AsyncIterable<Uint8Array> | Uint8Array): Promise<void> {
    // A failure ends the copy, and those that wait with it.
    const turn = this.#last.then(() => this.#sink.add(name, size, open()));
    this.#last = turn;
    turn.catch(() => {});
    return turn;
  }
}
