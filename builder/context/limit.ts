/** How much a build takes from elsewhere at the most. */
import { WbuildError } from "../../native/error.ts";
import { parseSize } from "../dockerfile/mount-values.ts";

/** 64 GiB: more than any file that belongs into an image, less than what fills most disks by accident. */
const usual = 64 * 1024 ** 3;

/**
 * Bytes of one file, one tar or what it is unpacked to, one commit of a repository. `WBUILD_CONTEXT_LIMIT` names another
 * number, such as `2GiB`. Throws CLI_VALUE.
 */
export function contextLimit(env: Readonly<Record<string, string | undefined>> = process.env): number {
  const given = env.WBUILD_CONTEXT_LIMIT;
  if (!given) return usual;
  const bytes = parseSize(given);
  if (bytes !== undefined && bytes > 0) return bytes;
  throw new WbuildError("CLI_VALUE", `$WBUILD_CONTEXT_LIMIT: ${JSON.stringify(given)} is not a size`, {
    facts: { flag: "$WBUILD_CONTEXT_LIMIT", value: given },
    hint: "write a number and a unit, such as 500m or 20GiB",
  });
}

/** CTX_TOO_LARGE of what has more than `maxBytes`. */
export function tooLarge(what: string, maxBytes: number, cause?: unknown): WbuildError {
  return new WbuildError("CTX_TOO_LARGE", `${what} has more than ${maxBytes} bytes`, {
    facts: { maxBytes },
    hint: "if it may be as large, set WBUILD_CONTEXT_LIMIT, such as WBUILD_CONTEXT_LIMIT=200GiB",
    ...(cause === undefined ? {} : { cause }),
  });
}
