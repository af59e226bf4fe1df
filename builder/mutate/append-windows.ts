/** What a tar must be to become a layer of a Windows image: of Windows' shape already, or files that are given it. */
import type { Change } from "../../layerfs/layer/entry.ts";
import { readLayer } from "../../layerfs/layer/read.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { driveFolder } from "../../layerfs/tree/windows-path.ts";
import { hivesFolder } from "../../layerfs/windows/deltas.ts";
import { parseWindowsPath } from "../../layerfs/windows/path.ts";
import { shapeLayer } from "../../layerfs/windows/shape.ts";
import { Findings } from "../../layerfs/windows/verify/findings.ts";
import { type LayerToVerify, verifyWindowsLayers } from "../../layerfs/windows/verify.ts";
import { WbuildError } from "../../native/error.ts";
import type { Image } from "../../registry/oci/image.ts";
import { layersOf } from "../image/stored/base-image.ts";
import { type AppendOptions, asFiles, asLayer, type Incoming } from "./append.ts";
import { namesOf } from "./heads.ts";

/** Files that were left out of the layer, and why. */
type OnDropped = (dropped: { readonly path: string; readonly reason: string }) => void;

/** The tar's files below a folder of C:, as a layer of Windows' shape. Throws WIN_*, LAYER_*. */
export async function shapedLayer(
  store: Store,
  image: Image,
  incoming: Incoming,
  folder: string,
  options: AppendOptions & { readonly onDropped: OnDropped },
): Promise<Layer> {
  const below = await namesOf(store, image, options.signal);
  const { path } = parseWindowsPath(folder, "");
  const shape = (changes: readonly Change[]) =>
    shapeLayer({ changes, below, origin: "copy", madeNs: 0n, onDropped: options.onDropped });
  return asFiles(store, incoming, path, { ...options, shape });
}

/**
 * The tar as it is, which must be a layer that Windows' importers take over those of the image: the rules of
 * `inspect --verify`. Throws IMG_EDIT with what is wrong, LAYER_*.
 */
export async function windowsLayer(
  store: Store,
  image: Image,
  incoming: Incoming,
  { signal }: AppendOptions,
): Promise<Layer> {
  const layer = await asLayer(store, incoming, signal);
  await checkTops(store, layer, incoming.name);
  const findings = new Findings();
  const all = [...layersOf(image.manifest, image.config), layer];
  const open = async ({ blob, diffId }: Layer): Promise<LayerToVerify> => {
    const isHere = (await store.blobs.has(blob.digest)) === blob.size;
    return { diffId, isForeign: true, open: isHere ? () => store.blobs.open(blob) : undefined };
  };
  await verifyWindowsLayers(await Promise.all(all.map(open)), findings);
  const wrong = findings.list().filter((one) => one.severity === "error" && one.layer === all.length);
  const [first] = wrong;
  if (first === undefined) return layer;
  throw new WbuildError(
    "IMG_EDIT",
    `${incoming.name} is no layer that Windows takes: ${first.path ?? ""} ${first.what}`,
    {
      facts: { findings: wrong.slice(0, 20).map(({ rule, path, what }) => `${rule} ${path ?? ""} ${what}`) },
      hint: "give plain files with --path C:\\FOLDER, and they are put into a layer of the right shape",
    },
  );
}

/** Somebody's plain tar of files is the usual mistake, and gets a plain answer. */
async function checkTops(store: Store, { blob }: Layer, name: string): Promise<void> {
  for await (const change of readLayer(store.blobs.open(blob))) {
    const path = change.kind === "set" ? change.entry.path : change.path;
    const [top = ""] = path.split("/", 1);
    if (path === "" || top === driveFolder || top === hivesFolder || top === "UtilityVM") continue;
    throw new WbuildError(
      "IMG_EDIT",
      `${name} has not the shape of a Windows layer: ${JSON.stringify(top)} is neither Files nor Hives`,
      {
        facts: { name, path },
        hint: "say where on C: its files go, and they are put into that shape: --path C:\\",
      },
    );
  }
}
