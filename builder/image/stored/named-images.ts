/** Images under names of the command line's choosing: another image's, or one of an OCI layout on this host. */
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { WbuildError } from "../../../native/error.ts";
import { loadArchive } from "../../../registry/archive/load.ts";
import type { RegistryClient } from "../../../registry/client.ts";
import { type BaseImage, type BaseOptions, baseOf, findBase } from "./base-image.ts";

/** What a name stands for besides itself. */
export type NamedImage =
  | { readonly kind: "image"; readonly reference: string }
  | { readonly kind: "layout"; readonly path: string; readonly image?: string };

/** The base that a name means: what was put in its place, else the image of that name. Throws as findBase, and REG_ARCHIVE. */
export async function baseNamed(
  store: Store,
  registry: () => Promise<RegistryClient>,
  name: string,
  named: NamedImage | { readonly kind: "files" } | undefined,
  options: BaseOptions,
): Promise<BaseImage> {
  if (named?.kind === "layout") return baseOfLayout(store, named.path, named.image, options);
  return findBase(store, registry, named?.kind === "image" ? named.reference : name, options);
}

async function baseOfLayout(
  store: Store,
  path: string,
  image: string | undefined,
  options: BaseOptions,
): Promise<BaseImage> {
  const descriptor = await imageIn(store, path, image);
  return baseOf(store, descriptor, `wbuild.local/oci-layout@${descriptor.digest}`, options);
}

/** Takes the layout's content into the store, where a build finds everything, and gives the image that is meant. */
async function imageIn(store: Store, path: string, image: string | undefined): Promise<Descriptor> {
  const images = await loadArchive({ path }, store.blobs);
  const tagOf = (ref: string) => /:([^:/]+)$/.exec(ref)?.[1];
  const isMeant = (one: (typeof images)[number]) =>
    image === undefined
      ? one.artifactType === undefined
      : [one.descriptor.digest, one.tag].includes(image) ||
        one.refs.some((ref) => ref === image || tagOf(ref) === image);
  const found = images.filter(isMeant);
  const [only] = found;
  if (only && found.length === 1) return only.descriptor;
  const names = images.map((one) => one.tag ?? one.refs[0] ?? one.descriptor.digest);
  throw new WbuildError(
    "CTX_NAMED",
    found.length > 1
      ? `${path} holds ${images.length} images, and nothing says which is meant`
      : `${path} holds no image ${JSON.stringify(image ?? "")}`,
    { facts: { path, names }, hint: `write oci-layout://${path}:TAG; it holds ${names.slice(0, 10).join(", ")}` },
  );
}
