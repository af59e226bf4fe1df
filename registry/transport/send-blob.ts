/**
 * A blob on its way up. In one request as long as nothing breaks; when something did, from where the registry says that
 * it has bytes (distribution specification, "Pushing a blob in chunks"), in pieces, so that the next break costs little.
 */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { WbuildError } from "../../native/error.ts";
import { brokenError } from "./complaint.ts";
import { delayBefore, isTransient, pause } from "./retry.ts";
import { type OpenUpload, startUpload, type UploadTarget } from "./upload.ts";

/** The blob's bytes from an offset to their end. */
export type OpenAt = (from: number) => AsyncIterable<Uint8Array>;

/** Bytes of a piece, unless the registry wants larger ones: few requests for a large blob, little to repeat. */
const defaultChunkBytes = 16 * 1024 * 1024;

/** Statuses of a refusal that has nothing to do with the way in which the bytes were sent. */
const notOfTheWay = new Set([401, 403, 404, 407, 408, 416, 425, 429]);

/**
 * Sends it into `opened` (what a refused mount left) or an upload of its own. `isThere` is asked when an answer was lost:
 * what the registry has needs no repetition. Throws what Session.send throws, after as many attempts as the policy says;
 * attempts that brought the upload forward do not count.
 */
export async function sendBlob(
  target: UploadTarget,
  blob: Descriptor,
  openAt: OpenAt,
  opened: OpenUpload | undefined,
  isThere: () => Promise<boolean>,
): Promise<void> {
  const { session, repository } = target;
  const { retry, redactor, chunkBytes = defaultChunkBytes } = session.options;
  const signal = target.signal ?? session.options.signal;
  const source = new Source(openAt, blob, `${session.registry}/${repository}`);
  let upload = opened;
  let next = 2;
  let at = 0;
  let earned = 0;
  let inPieces = false;
  let isLastWay = false;
  try {
    for (;;) {
      upload ??= await startUpload(target);
      try {
        // A registry that names a least size wants pieces.
        await send(upload, blob, source, at, inPieces || upload.minimum > 0, Math.max(chunkBytes, upload.minimum));
        return;
      } catch (error) {
        signal?.throwIfAborted();
        session.options.signal?.throwIfAborted();
        if (source.failure) {
          await upload.cancel();
          throw source.failure.error;
        }
        const operation = session.operation({ repository, doing: `push blob ${blob.digest}` });
        const failure = brokenError(operation, error, redactor);
        const otherWay: ReturnType<typeof anotherWay> = isLastWay
          ? undefined
          : anotherWay(failure, inPieces || at > 0 || upload.minimum > 0);
        if (otherWay !== undefined) {
          await upload.cancel();
          [upload, at, inPieces] = [undefined, 0, otherWay === "pieces"];
          isLastWay = true;
          continue;
        }
        const delay = delayBefore(next++, failure, retry);
        if (delay === undefined) {
          if (!isTransient(failure)) await upload.cancel();
          throw failure;
        }
        await pause(delay, signal);
        const has = await upload.stored();
        if (has !== undefined && has <= blob.size) {
          // Who goes on earns new attempts; who brings nothing forward does not try for ever.
          if (has - earned >= Math.min(chunkBytes, blob.size / 4)) [earned, next] = [has, 2];
          at = has;
          continue;
        }
        if (await isThere()) return;
        [upload, at, inPieces] = [undefined, 0, true];
      }
    }
  } finally {
    await source.close();
  }
}

async function send(
  upload: OpenUpload,
  blob: Descriptor,
  source: Source,
  from: number,
  inPieces: boolean,
  pieceBytes: number,
): Promise<void> {
  if (from === 0 && (!inPieces || blob.size <= pieceBytes)) return upload.put(blob, () => source.read(0, blob.size));
  for (let at = from; at < blob.size; at += pieceBytes) {
    const to = Math.min(at + pieceBytes, blob.size);
    await upload.append(blob, { from: at, to, body: () => source.read(at, to) });
  }
  await upload.finish(blob.digest);
}

/** Proxies refuse what is large, some registries refuse pieces or put them together wrongly: then the other way, once. */
function anotherWay(failure: WbuildError, inPieces: boolean): "pieces" | "whole" | undefined {
  const { status } = failure.facts;
  if (typeof status !== "number" || status < 400 || status >= 500 || notOfTheWay.has(status)) return undefined;
  if (inPieces) return status === 413 ? undefined : "whole";
  return status === 413 ? "pieces" : undefined;
}

/** Reads a blob in pieces one behind the other from one stream, and opens another one only to go back or forth. */
class Source {
  readonly #openAt: OpenAt;
  readonly #blob: Descriptor;
  readonly #place: string;
  #parts: AsyncIterator<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array();
  #at = 0;
  #turn = 0;
  #isReading = false;
  /** The bytes cannot be had. Where they come from another registry, all attempts that are worth it were made there. */
  failure: { readonly error: unknown } | undefined;

  constructor(openAt: OpenAt, blob: Descriptor, place: string) {
    this.#openAt = openAt;
    this.#blob = blob;
    this.#place = place;
  }

  async *read(from: number, to: number): AsyncGenerator<Uint8Array> {
    const turn = ++this.#turn;
    // A request that broke may still wait for a part; what it gets is lost, so its stream is not used any more.
    if (this.#isReading || this.#at !== from) this.#drop();
    this.#isReading = true;
    this.#at = from;
    this.#parts ??= this.#openAt(from)[Symbol.asyncIterator]();
    const parts = this.#parts;
    while (this.#at < to) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#next(parts, turn);
        if (turn !== this.#turn) return;
        if (done === true) throw this.#wrongSize(this.#at);
        this.#rest = value;
        continue;
      }
      const part = this.#rest.subarray(0, to - this.#at);
      this.#rest = this.#rest.subarray(part.length);
      this.#at += part.length;
      yield part;
      if (turn !== this.#turn) return;
    }
    // Streams that check themselves do so at their end.
    if (to === this.#blob.size && (this.#rest.length > 0 || (await this.#next(parts, turn)).done !== true))
      throw this.#wrongSize(to + 1);
    if (turn === this.#turn) this.#isReading = false;
  }

  async #next(parts: AsyncIterator<Uint8Array>, turn: number): Promise<IteratorResult<Uint8Array>> {
    try {
      return await parts.next();
    } catch (error) {
      if (turn === this.#turn) this.failure = { error };
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#turn++;
    this.#drop();
  }

  #drop(): void {
    const parts = this.#parts;
    this.#parts = undefined;
    this.#rest = new Uint8Array();
    // Not waited for: a stream from the network may end only when its connection does.
    void parts?.return?.().catch(() => {});
  }

  #wrongSize(found: number): WbuildError {
    const { digest, size } = this.#blob;
    return new WbuildError(
      "REG_SIZE_MISMATCH",
      `what is to be pushed to ${this.#place} as blob ${digest} has ${found > size ? "more" : "fewer"} than its ${size} bytes`,
      { facts: { expected: size, found }, hint: "pull or build the image again" },
    );
  }
}
