/** Images as OCI layouts have them, read and changed without anything of ours but the program that saved them. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../layerfs/store/digest.ts";
import type { Scene } from "./scene.ts";

interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

// The documents are what the specification says and whatever else a builder wrote into them.
interface Manifest {
  config: Blob;
  readonly layers: Blob[];
}

interface Config {
  readonly [field: string]: unknown;
  readonly config: Readonly<Record<string, unknown>>;
  readonly rootfs: { readonly diff_ids: string[] };
  readonly history: { readonly created_by?: string }[];
}

export interface SavedImage {
  readonly config: Config;
  readonly platform: unknown;
  /** Base first. */
  readonly layers: readonly { readonly mediaType: string; readonly bytes: Buffer }[];
}

const at = (layout: string, digest: string) => join(layout, "blobs", digest.replace(":", "/"));
const json = async (path: string) => JSON.parse(await readFile(path, "utf8"));

/** What `wbuild save` writes of an image for one platform. */
export async function savedImage(s: Scene, image: string): Promise<SavedImage> {
  const layout = join(s.folder, "saved");
  await rm(layout, { recursive: true, force: true });
  await mkdir(layout);
  const result = await s.wbuild("save", "-o", "saved/", image);
  if (result.code !== 0) throw new Error(result.stderr);
  const [entry] = (await json(join(layout, "index.json"))).manifests;
  const manifest: Manifest = await json(at(layout, entry.digest));
  return {
    config: await json(at(layout, manifest.config.digest)),
    platform: entry.platform,
    layers: await Promise.all(
      manifest.layers.map(async ({ mediaType, digest }) => ({ mediaType, bytes: await readFile(at(layout, digest)) })),
    ),
  };
}

/** Gives a layout's image another name and what `edit` makes of its documents; blobs are kept by `put`. */
export async function editLayout(
  layout: string,
  name: string,
  edit: (config: Config, manifest: Manifest, put: (bytes: Uint8Array, mediaType: string) => Promise<Blob>) => unknown,
): Promise<void> {
  const put = async (bytes: Uint8Array, mediaType: string): Promise<Blob> => {
    const digest = digestOf(bytes);
    await writeFile(at(layout, digest), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const putJson = (value: object, mediaType: string) => put(Buffer.from(JSON.stringify(value)), mediaType);
  const index = await json(join(layout, "index.json"));
  const [entry] = index.manifests;
  const manifest: Manifest = await json(at(layout, entry.digest));
  const config: Config = await json(at(layout, manifest.config.digest));
  await edit(config, manifest, put);
  manifest.config = await putJson(config, manifest.config.mediaType);
  const annotations = { "org.opencontainers.image.ref.name": name, "io.containerd.image.name": name };
  index.manifests = [{ ...entry, ...(await putJson(manifest, entry.mediaType)), annotations }];
  await writeFile(join(layout, "index.json"), JSON.stringify(index));
}
