/** Docker's archive: manifest.json and repositories, read and written (what `docker save` and `docker load` exchange). */
import * as v from "valibot";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { hexOf } from "../../layerfs/store/digest.ts";
import { formatName, formatReference, parseReference } from "../reference.ts";
import { blobPath, normal } from "./layout.ts";
import { damaged } from "./members.ts";

/** One image of manifest.json: names of members, and the references that it is to have. */
export interface ArchivedImage {
  readonly config: string;
  readonly layers: readonly string[];
  readonly refs: readonly string[];
}

/** What is written of one image. */
export interface ImageParts {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** Full references. */
  readonly refs: readonly string[];
}

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));
const listSchema = v.pipe(
  v.array(
    v.looseObject({
      Config: name,
      RepoTags: v.nullish(v.pipe(v.array(v.pipe(v.string(), v.maxLength(4096))), v.maxLength(10_000)), []),
      Layers: v.nullish(v.pipe(v.array(name), v.maxLength(4096)), []),
    }),
  ),
  v.maxLength(10_000),
);

/** Throws REG_ARCHIVE. References that are not valid are left out, as docker leaves them out. */
export function readDockerManifest(bytes: Uint8Array): ArchivedImage[] {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    throw damaged("its manifest.json is not valid JSON");
  }
  const result = v.safeParse(listSchema, json, { abortEarly: true });
  if (!result.success)
    throw damaged(`its manifest.json is malformed at ${v.getDotPath(result.issues[0]) ?? "the top"}`);
  return result.output.map(({ Config, RepoTags, Layers }) => ({
    config: Config,
    layers: Layers ?? [],
    refs: [...new Set((RepoTags ?? []).flatMap((tag) => normal(tag) ?? []))],
  }));
}

/** manifest.json whose parts lie where an OCI layout has them, so that one archive is both. */
export function writeDockerManifest(images: readonly ImageParts[]): string {
  return JSON.stringify(
    images.map(({ config, layers, refs }) => ({
      Config: blobPath(config),
      RepoTags: taggedOnly(refs),
      Layers: layers.map(blobPath),
    })),
  );
}

/** The file of Docker's first days, which some readers still want: repository → tag → topmost layer. */
export function writeRepositories(images: readonly ImageParts[]): string {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { config, layers, refs } of images)
    for (const ref of refs) {
      const reference = parseReference(ref);
      if (reference.tag === undefined) continue;
      const repository = formatName(reference, { familiar: true });
      repositories[repository] = {
        ...repositories[repository],
        [reference.tag]: hexOf((layers.at(-1) ?? config).digest),
      };
    }
  return JSON.stringify(repositories);
}

/** Docker's names: short ones for Docker Hub, and none without a tag. */
function taggedOnly(refs: readonly string[]): string[] {
  return refs.flatMap((ref) => {
    const { digest: _, ...reference } = parseReference(ref);
    return reference.tag === undefined ? [] : [formatReference(reference, { familiar: true })];
  });
}
