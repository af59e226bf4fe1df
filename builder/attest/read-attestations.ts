/** The attestations that an image brings with it, read back from the store. Foreign bytes: bounded and checked. */
import * as v from "valibot";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { WbuildError } from "../../native/error.ts";
import { isIndexType, isManifestType, parseJson } from "../../registry/oci/schema.ts";
import { readIndex, readManifest } from "../image/stored/stored-image.ts";
import { attestationsOf, inTotoType } from "./attestation-manifest.ts";

/** Bytes of all statements about one image; the list of a large one with all its files stays below a tenth of it. */
const largest = 256 * 1024 * 1024;
/** An SBOM for each stage of a Dockerfile and a provenance are far fewer. */
const mostStatements = 1000;

const statementShape = v.looseObject({
  predicateType: v.pipe(v.string(), v.maxLength(1000)),
  predicate: v.looseObject({}),
});

export interface ReadStatement {
  readonly predicateType: string;
  readonly predicate: Readonly<Record<string, unknown>>;
}

/**
 * What the index `whole` says about one of its images; nothing when it is no index or the statements were not fetched.
 * Throws REG_MANIFEST for a statement that is none.
 */
export async function readAttestations(store: Store, whole: Descriptor, image: Descriptor): Promise<ReadStatement[]> {
  if (!isIndexType(whole.mediaType)) return [];
  const found: ReadStatement[] = [];
  let left = largest;
  // Attack: a manifest that names one large statement ten thousand times.
  const seen = new Set<string>();
  const isNew = ({ digest }: Descriptor) => !seen.has(digest) && seen.add(digest);
  for (const one of attestationsOf((await readIndex(store, whole)).manifests, image.digest)) {
    if (!isManifestType(one.mediaType) || !isNew(one) || !(await isHere(store, one))) continue;
    for (const layer of (await readManifest(store, one)).layers) {
      if (layer.mediaType !== inTotoType || !isNew(layer) || !(await isHere(store, layer))) continue;
      left -= layer.size;
      if (left < 0 || found.length === mostStatements)
        throw new WbuildError("REG_MANIFEST", "the attestations of an image are larger than any can be");
      found.push(await readStatement(store, layer));
    }
  }
  return found;
}

async function isHere(store: Store, { digest, size }: Descriptor): Promise<boolean> {
  return (await store.blobs.has(digest)) === size;
}

async function readStatement(store: Store, blob: Descriptor): Promise<ReadStatement> {
  const parts: Uint8Array[] = [];
  for await (const part of store.blobs.open(blob)) parts.push(part);
  const result = v.safeParse(statementShape, parseJson(Buffer.concat(parts), largest, "REG_MANIFEST", "attestation"));
  if (result.success) return result.output;
  throw new WbuildError("REG_MANIFEST", "an attestation is no in-toto statement");
}

export const spdxType = "https://spdx.dev/Document";
const slsaTypes = "https://slsa.dev/provenance/";

/** As `docker buildx imagetools inspect` shows them to templates: `.SBOM.SPDX`, `.Provenance.SLSA`. */
export function attestationFields(statements: readonly ReadStatement[]): Readonly<Record<string, object>> {
  const [sbom, ...more] = statements.filter(({ predicateType }) => predicateType === spdxType);
  const provenance = statements.find(({ predicateType }) => predicateType.startsWith(slsaTypes));
  const others = more.length === 0 ? {} : { AdditionalSPDXs: more.map(({ predicate }) => predicate) };
  return {
    SBOM: sbom === undefined ? {} : { SPDX: sbom.predicate, ...others },
    Provenance: provenance === undefined ? {} : { SLSA: provenance.predicate },
  };
}
