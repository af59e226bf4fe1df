/** A blob on its way down: resumed where its connection broke, from elsewhere (foreign.ts) when the registry lacks it. */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { isDigest } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import { arriving } from "./arriving.ts";
import { brokenError, protocolError } from "./complaint.ts";
import { openForeign } from "./foreign.ts";
import { drain, type HttpResponse } from "./request.ts";
import { delayBefore, pause } from "./retry.ts";
import type { Session } from "./session.ts";

export interface DownloadSource {
  readonly session: Session;
  readonly repository: string;
  readonly scopes: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** Bytes that must have come for the attempts to count anew: who sends one byte a connection is not resumed for ever. */
const worthwhile = 1024 * 1024;

/** Bytes from `from` on, as many as the descriptor says. Throws REG_SIZE_MISMATCH; the digest is the receiver's to check. */
export async function* downloadBlob(
  source: DownloadSource,
  blob: Descriptor,
  from: number,
): AsyncGenerator<Uint8Array> {
  const { session, signal } = source;
  const { retry, redactor } = session.options;
  let at = from;
  let earned = from;
  let next = 2;
  let knowsRanges = true;
  while (at < blob.size) {
    try {
      const start = knowsRanges ? at : 0;
      const response = await openBlob(source, blob, start);
      if (response.status === 416) {
        // What it has is shorter than what it gave: the whole, and its digest, will tell.
        knowsRanges = false;
        await drain(response.body);
        continue;
      }
      // A server that knows no ranges starts from the beginning.
      let skip = response.status === 206 ? at - start : at;
      for await (const part of arriving(response.body, session.options.http.timeoutMs)) {
        const fresh = skip >= part.length ? undefined : part.subarray(skip);
        skip -= Math.min(skip, part.length);
        if (!fresh) continue;
        if (at + fresh.length > blob.size) throw wrongSize(source, blob, `more than the ${blob.size}`);
        at += fresh.length;
        yield fresh;
      }
      if (at < blob.size) throw wrongSize(source, blob, `only ${at} of the ${blob.size}`, { errno: "REG_ENDED_EARLY" });
    } catch (error) {
      signal?.throwIfAborted();
      session.options.signal?.throwIfAborted();
      if (at - earned >= worthwhile) {
        earned = at;
        next = 2;
      }
      const operation = session.operation(fetching(source, blob));
      const failure = brokenError(operation, error, redactor);
      const delay = delayBefore(next++, failure, retry);
      if (delay === undefined) throw failure;
      await pause(delay, signal ?? session.options.signal);
    }
  }
}

/** One attempt; its repetition is downloadBlob's business. */
async function openBlob(source: DownloadSource, blob: Descriptor, at: number): Promise<HttpResponse> {
  const { session, repository, scopes, signal } = source;
  const hasUrls = (blob.urls?.length ?? 0) > 0;
  const headers = { "accept-encoding": "identity", ...(at > 0 ? { range: `bytes=${at}-` } : {}) };
  const operation = fetching(source, blob);
  const response = await session.send({
    method: "GET",
    path: `/v2/${repository}/blobs/${blob.digest}`,
    operation,
    scopes,
    headers,
    accept: [...(hasUrls ? [404] : []), ...(at > 0 ? [416] : [])],
    isIdempotent: false,
    signal,
  });
  if (response.status === 404) await drain(response.body);
  const answer = response.status === 404 ? await openForeign(source, blob, headers) : response;
  const start = /^bytes (\d+)-/.exec(answer.headers["content-range"] ?? "")?.[1];
  if (answer.status === 206 && Number(start) !== at)
    throw protocolError(session.operation(operation), "the registry answered with another range than asked");
  const found = answer.headers["docker-content-digest"] ?? "";
  // A wrong blob need not come first to be known as wrong.
  if (answer === response && answer.status !== 416 && isDigest(found) && found !== blob.digest)
    throw new WbuildError(
      "REG_DIGEST_MISMATCH",
      `${session.registry}/${repository} answered with blob ${found} when it was asked for ${blob.digest}`,
      { facts: { registry: session.registry, repository, expected: blob.digest, found }, hint: damaged },
    );
  return answer;
}

const damaged = "try again; if it stays so, the registry is damaged or something on the way changes content";

function fetching({ repository }: DownloadSource, { digest }: Descriptor) {
  return { repository, doing: `fetch blob ${digest}` };
}

function wrongSize(
  { session, repository }: DownloadSource,
  blob: Descriptor,
  sent: string,
  facts: object = {},
): WbuildError {
  return new WbuildError(
    "REG_SIZE_MISMATCH",
    `${session.registry}/${repository} sent ${sent} bytes of blob ${blob.digest}`,
    {
      facts: {
        registry: session.registry,
        repository,
        operation: `fetch blob ${blob.digest}`,
        expected: blob.size,
        ...facts,
      },
      hint: damaged,
    },
  );
}
