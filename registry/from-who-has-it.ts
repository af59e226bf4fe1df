/** Content that proves wrong is asked for again where it was a mirror that gave it. */
import type { Digest } from "../layerfs/store/digest.ts";
import { isWbuildError } from "../native/error.ts";
import type { Repository } from "./repository.ts";

const wrongContent = [
  "STORE_DIGEST_MISMATCH",
  "STORE_SIZE_MISMATCH",
  "REG_DIGEST_MISMATCH",
  "REG_SIZE_MISMATCH",
] as const;

/**
 * Fetches, and again from the next place when it was a mirror that gave something else. `fetch` begins anew each time, and
 * throws one of the codes of a mismatch when digest or size are others.
 */
export async function fromWhoHasIt<T>(
  from: Pick<Repository, "distrust">,
  digest: Digest,
  fetch: () => Promise<T>,
): Promise<T> {
  for (;;)
    try {
      return await fetch();
    } catch (error) {
      if (!wrongContent.some((code) => isWbuildError(error, code)) || !from.distrust(digest)) throw error;
    }
}
