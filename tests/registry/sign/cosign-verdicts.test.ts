/** One table of what may stand beside an image, and for each row the same verdict of cosign 2, cosign 3 and us. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { isWbuildError } from "../../../native/error.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";
import type { Repository } from "../../../registry/repository.ts";
import { writeSimpleSigning } from "../../../registry/sign/claim.ts";
import { signImage } from "../../../registry/sign/sign-image.ts";
import { signatureTag } from "../../../registry/sign/signature-tag.ts";
import { verifyImage } from "../../../registry/sign/verify-image.ts";
import { cosignFor, type Generation, generations } from "../../doubles/cosign.ts";
import { testWithPeers } from "../../doubles/peers.ts";
import { imagesToSign } from "./to-sign.ts";

const testCosign = testWithPeers(...generations);
const { registry, pushed } = imagesToSign();
const { privateKey: key, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const another = generateKeyPairSync("ec", { namedCurve: "P-256" });

interface Place {
  readonly repository: Repository;
  readonly image: Descriptor;
}
interface Layer extends Descriptor {
  annotations?: Record<string, string>;
}

const signatureKey = "dev.cosignproject.cosign/signature";
const sign = ({ repository, image }: Place, by: KeyObject = key) => signImage(repository, image, { key: by });

/** Signs, then changes the manifest that holds the signature. */
async function signThen(place: Place, change: (layers: Layer[]) => void | Promise<void>): Promise<void> {
  await sign(place);
  const tag = signatureTag(place.image.digest);
  const { bytes, mediaType } = await place.repository.manifest(tag);
  const manifest = JSON.parse(Buffer.from(bytes).toString()) as { layers: Layer[] };
  await change(manifest.layers);
  await place.repository.pushManifest(Buffer.from(JSON.stringify(manifest)), mediaType, tag);
}

async function pushClaim({ repository }: Place, claim: Buffer): Promise<Pick<Descriptor, "digest" | "size">> {
  const blob = { mediaType: "x/y", digest: digestOf(claim), size: claim.length };
  await repository.pushBlob(blob, async function* () {
    yield claim;
  });
  return { digest: blob.digest, size: blob.size };
}

/** Turns a bit of the signature over. */
function spoil(layers: Layer[]): void {
  for (const layer of layers) {
    const bytes = Buffer.from(layer.annotations?.[signatureKey] ?? "", "base64");
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    layer.annotations = { [signatureKey]: bytes.toString("base64") };
  }
}

const rows: [what: string, isTaken: boolean, make: (place: Place) => Promise<unknown>][] = [
  ["a good signature", true, (place) => sign(place)],
  ["no signature", false, async () => undefined],
  ["a signature by another key", false, (place) => sign(place, another.privateKey)],
  [
    "one by another key beside a good one",
    true,
    async (place) => [await sign(place, another.privateKey), await sign(place)],
  ],
  [
    "a signature that names another repository",
    true,
    ({ repository, image }) => signImage(repository, image, { key, identity: "registry.example.com/other" }),
  ],
  ["a spoilt signature", false, (place) => signThen(place, spoil)],
  [
    "another claim under the same signature",
    false,
    (place) =>
      signThen(place, async ([layer]) => {
        if (layer) Object.assign(layer, await pushClaim(place, writeSimpleSigning("evil", place.image.digest, {})));
      }),
  ],
  [
    "layers without a signature and with what is none, in front of a good one",
    true,
    (place) =>
      signThen(place, (layers) => {
        const { annotations: _, ...bare } = layers[0] as Layer;
        layers.unshift({ ...bare, annotations: {} }, { ...bare, annotations: { [signatureKey]: "!!! no base64" } });
      }),
  ],
  [
    "the good signature of another image",
    false,
    async ({ repository, image }) => {
      const other = { ...image, digest: digestOf("another image") };
      await signImage(repository, other, { key });
      const { bytes, mediaType } = await repository.manifest(signatureTag(other.digest));
      await repository.pushManifest(bytes, mediaType, signatureTag(image.digest));
    },
  ],
  [
    "the image itself under the signature's tag",
    false,
    async ({ repository, image }) => {
      const { bytes, mediaType } = await repository.manifest(image);
      await repository.pushManifest(bytes, mediaType, signatureTag(image.digest));
    },
  ],
  [
    "an index under the signature's tag",
    false,
    async ({ repository, image }) => {
      const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [image] };
      const bytes = Buffer.from(JSON.stringify(index));
      await repository.pushManifest(bytes, mediaTypes.ociIndex, signatureTag(image.digest));
    },
  ],
  [
    "a signature that was deleted",
    false,
    async (place) => {
      await sign(place);
      const { digest } = await place.repository.resolve(signatureTag(place.image.digest));
      await place.repository.deleteManifest(digest);
    },
  ],
];
for (const [number, [what, isTaken, make]] of rows.entries())
  testCosign(`${what}: ${isTaken ? "taken" : "refused"} by all three`, async (t) => {
    const cosign = cosignFor(t);
    const [repository, image] = await pushed(`row/${number}`);
    await make({ repository, image });
    const theirs = (generation: Generation) => cosign.verify(generation, `${registry.host}/row/${number}:1`, publicKey);
    for (const generation of generations) t.is((await theirs(generation)) === "taken", isTaken, generation);
    const ours = verifyImage(repository, image.digest, { trust: { key: publicKey } });
    if (isTaken) t.is((await ours).length, 1);
    else {
      const error = await t.throwsAsync(ours);
      t.true(isWbuildError(error, "REG_UNSIGNED") || isWbuildError(error, "REG_SIGNATURE"));
    }
  });
