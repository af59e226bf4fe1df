/**
 * A layer from where its descriptor says (OCI image specification, "Foreign layers" of its descriptors' `urls`): what a
 * registry may not serve itself. Who sent what is not believed: the digest is the receiver's to check.
 */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { place } from "./complaint.ts";
import type { HttpResponse } from "./request.ts";
import { isTransient } from "./retry.ts";
import type { Session } from "./session.ts";

export interface ForeignSource {
  readonly session: Session;
  readonly repository: string;
  readonly signal?: AbortSignal | undefined;
}

/** Characters of one address in a message. */
const maxShown = 200;
/** Addresses that a message tells; a descriptor may have 64. */
const maxTold = 8;

/**
 * The first of the descriptor's `urls` that answers, in their order. No credentials go there, nor to where they redirect.
 * Throws REG_FOREIGN, which tells each address and why it did not do; its facts make it worth repeating when one of them
 * was only overloaded or broken off.
 */
export async function openForeign(
  source: ForeignSource,
  blob: Descriptor,
  headers: Readonly<Record<string, string>>,
): Promise<HttpResponse> {
  const { session, repository, signal } = source;
  const tried: string[] = [];
  let passing: Record<string, unknown> = {};
  for (const text of blob.urls ?? []) {
    // Attack: file:, data: and relative addresses would have us read this host, or the registry with other rights.
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const shown = session.options.redactor.clean(text, maxShown);
    if (url?.protocol !== "https:" && url?.protocol !== "http:") {
      tried.push(`${shown}: neither http nor https`);
      continue;
    }
    const operation = { registry: url.host, doing: `fetch blob ${blob.digest}` };
    try {
      return await session.send({
        method: "GET",
        path: url,
        operation,
        scopes: [],
        headers,
        isIdempotent: false,
        isElsewhere: true,
        signal,
      });
    } catch (error) {
      signal?.throwIfAborted();
      session.options.signal?.throwIfAborted();
      if (!isWbuildError(error)) throw error;
      const { status, errno, retryAfterMs } = error.facts;
      if (isTransient(error)) passing = { status, errno, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
      const opening = `cannot ${operation.doing}${place(operation)}: `;
      tried.push(
        `${shown}: ${error.message.startsWith(opening) ? error.message.slice(opening.length) : error.message}`,
      );
    }
  }
  const more = tried.length > maxTold ? `; and ${tried.length - maxTold} more` : "";
  throw new WbuildError(
    "REG_FOREIGN",
    `${session.registry}/${repository} does not have blob ${blob.digest}, and none of the layer's own addresses gave it: ` +
      `${tried.slice(0, maxTold).join("; ")}${more}`,
    { facts: { registry: session.registry, repository, digest: blob.digest, tried, ...passing } },
  );
}
