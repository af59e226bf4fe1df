/** A small blob as a whole, with the digest that it was asked for. */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import { fromWhoHasIt } from "../from-who-has-it.ts";
import type { Repository } from "../repository.ts";

/** Throws REG_SIGNATURE above `limit` bytes, REG_DIGEST_MISMATCH for other content than its name says. */
export async function fetchBlob(repository: Repository, blob: Descriptor, limit: number): Promise<Uint8Array> {
  if (blob.size > limit)
    throw new WbuildError("REG_SIGNATURE", `a part of a signature has ${blob.size} bytes, more than ${limit}`);
  return fromWhoHasIt(repository, blob.digest, async () => {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of repository.blob(blob)) {
      size += part.length;
      if (size > limit) throw new WbuildError("REG_SIGNATURE", `a part of a signature has more than ${limit} bytes`);
      parts.push(part);
    }
    const bytes = Buffer.concat(parts);
    const found = digestOf(bytes);
    if (found === blob.digest) return bytes;
    throw new WbuildError("REG_DIGEST_MISMATCH", `${repository.registry} gave ${found} instead of ${blob.digest}`, {
      facts: { registry: repository.registry, repository: repository.name, expected: blob.digest, found },
    });
  });
}
