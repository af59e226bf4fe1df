/** Small valid images made in memory, for tests that carry images about. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { packedTar } from "./packed-tar.ts";

const compress = promisify(gzip);

export interface SampleOptions {
  /** One layer for each: a file of that name with these bytes. */
  readonly layers?: readonly { readonly name: string; readonly content: string | Uint8Array }[];
  readonly format?: "oci" | "docker";
  readonly compression?: "gzip" | "zstd" | "none";
  readonly architecture?: string;
}

/** Puts an image into the store and names its manifest. */
export async function makeImage(into: BlobStore, options: SampleOptions = {}): Promise<Descriptor> {
  const { format = "oci", compression = "gzip", architecture = "amd64" } = options;
  const contents = options.layers ?? [{ name: "hello", content: "hello\n" }];
  const diffIds: string[] = [];
  const layers: Descriptor[] = [];
  for (const { name, content } of contents) {
    const tar = await tarOf([[name, content]]);
    diffIds.push(digestOf(tar));
    layers.push(await into.put(await compressed(tar, compression), { mediaType: layerType(format, compression) }));
  }
  const config = {
    created: "2020-01-01T00:00:00Z",
    architecture,
    os: "linux",
    config: { Env: ["PATH=/bin"], Cmd: ["/hello"] },
    rootfs: { type: "layers", diff_ids: diffIds },
    history: contents.map(({ name }) => ({ created: "2020-01-01T00:00:00Z", created_by: `COPY ${name} /` })),
  };
  const configType = format === "oci" ? mediaTypes.ociConfig : mediaTypes.dockerConfig;
  const configBlob = await into.put(Buffer.from(JSON.stringify(config)), { mediaType: configType });
  const mediaType = format === "oci" ? mediaTypes.ociManifest : mediaTypes.dockerManifest;
  const manifest = { schemaVersion: 2, mediaType, config: configBlob, layers };
  // Indented on purpose: whoever writes it anew changes its digest.
  return into.put(Buffer.from(JSON.stringify(manifest, undefined, 3)), { mediaType });
}

/** An index of images for the named architectures. */
export async function makeIndex(into: BlobStore, architectures: readonly string[]): Promise<Descriptor> {
  const manifests: object[] = [];
  for (const architecture of architectures) {
    const image = await makeImage(into, { architecture, layers: [{ name: "arch", content: architecture }] });
    manifests.push({ ...image, platform: { os: "linux", architecture } });
  }
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  return into.put(Buffer.from(JSON.stringify(index)), { mediaType: mediaTypes.ociIndex });
}

/** A tar of plain files. */
export function tarOf(files: readonly (readonly [name: string, content: string | Uint8Array])[]): Promise<Buffer> {
  return packedTar((tar) => {
    for (const [name, content] of files) tar.entry({ name, mtime: new Date(0) }, Buffer.from(content));
  });
}

async function compressed(tar: Buffer, compression: "gzip" | "zstd" | "none"): Promise<Buffer> {
  if (compression === "none") return tar;
  if (compression === "gzip") return compress(tar);
  const { compress: zstd } = await import("zstd-napi");
  return zstd(tar);
}

function layerType(format: "oci" | "docker", compression: "gzip" | "zstd" | "none"): string {
  const [plain, gz, zstd] =
    format === "oci"
      ? [mediaTypes.ociLayer, mediaTypes.ociLayerGzip, mediaTypes.ociLayerZstd]
      : [mediaTypes.dockerLayer, mediaTypes.dockerLayerGzip, mediaTypes.dockerLayerZstd];
  return { none: plain, gzip: gz, zstd }[compression];
}
