/**
 * A file from an http(s) server: asked for by what is known of it, followed through redirects, resumed where its
 * connection broke, digested while it is written. Credentials of the URL go to its own origin and into no message.
 */
import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { type Digest, parseDigest } from "../../layerfs/store/digest.ts";
import { storeError } from "../../layerfs/store/failure.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { Http, HttpResponse } from "../../registry/transport/request.ts";
import { defaultRetry, delayBefore, pause, type RetryPolicy } from "../../registry/transport/retry.ts";
import { tooLarge } from "./limit.ts";

export type ChecksumName = "sha256" | "sha384" | "sha512";

export interface Checksum {
  readonly algorithm: ChecksumName;
  /** Lower case hexadecimal. */
  readonly hex: string;
}

/** What a server said of a file; a later request asks whether it is still so. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

export interface FetchedFile extends Validators {
  readonly digest: Digest;
  readonly size: number;
}

export interface FetchOptions {
  /** The file to write; replaced. */
  readonly path: string;
  readonly known?: Validators;
  readonly checksum?: Checksum;
  /** Value of an Authorization header for the URL's own origin, where the URL itself has no credentials. */
  readonly authorization?: string;
  /** Bytes; more throws CTX_TOO_LARGE. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly retry?: RetryPolicy;
}

const mostRedirects = 10;
/** Bytes that must have come for the attempts to count anew. */
const worthwhile = 1024 * 1024;

/** The URL without credentials, and without its query's values: those of signed URLs are credentials, too. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search === "" ? "" : "?…"}`;
}

/**
 * Writes the file, or gives undefined when it is still what `known` says. Throws CTX_FETCH (with `status`), CTX_CHECKSUM,
 * CTX_TOO_LARGE, STORE_FULL, and the signal's reason.
 */
export async function fetchFile(url: URL, options: FetchOptions): Promise<FetchedFile | undefined> {
  const { openHttp } = await import("../../registry/transport/request.ts");
  const http = openHttp({ userAgent: "wbuild" });
  try {
    await using file = await open(options.path, "w", 0o600);
    const transfer = new Transfer(http, url, file, options);
    return await transfer.run();
  } catch (cause) {
    if (isWbuildError(cause) || options.signal.aborted) throw cause;
    if (["ENOSPC", "EDQUOT", "EFBIG"].includes((cause as NodeJS.ErrnoException).code ?? ""))
      throw storeError(cause, `keep ${shownUrl(url)}`, options.path);
    throw cause;
  } finally {
    await http.close();
  }
}

class Transfer {
  readonly #http: Http;
  readonly #url: URL;
  readonly #file: FileHandle;
  readonly #options: FetchOptions;
  #sha256: Hash = createHash("sha256");
  #checksum: Hash | undefined;
  #at = 0;
  #said: Validators = {};
  #size: number | undefined;

  constructor(http: Http, url: URL, file: FileHandle, options: FetchOptions) {
    this.#http = http;
    this.#url = url;
    this.#file = file;
    this.#options = options;
    this.#restart();
  }

  async run(): Promise<FetchedFile | undefined> {
    const { signal, retry = defaultRetry } = this.#options;
    let next = 2;
    let earned = 0;
    for (;;) {
      try {
        if (!(await this.#attempt())) return undefined;
        return this.#finish();
      } catch (error) {
        signal.throwIfAborted();
        if (this.#at - earned >= worthwhile) {
          earned = this.#at;
          next = 2;
        }
        const failure = this.#broken(error);
        const delay = delayBefore(next++, failure, retry);
        if (delay === undefined) throw failure;
        await pause(delay, signal);
      }
    }
  }

  /** False when nothing changed. */
  async #attempt(): Promise<boolean> {
    const resumes = this.#at > 0 && (this.#said.etag?.startsWith('"') || this.#said.lastModified !== undefined);
    if (!resumes) await this.#startOver();
    const response = await this.#ask(resumes ? this.#resuming() : this.#conditions());
    const { status, headers, body } = response;
    // Some servers give tags and do not look at those that they get.
    const { known } = this.#options;
    const isSame = status === 200 && headers.etag !== undefined && headers.etag === known?.etag;
    // Attack: a server that says "as you know it" of what nobody here ever had.
    if (((status === 304 && known !== undefined) || isSame) && !resumes) {
      cutOff(body);
      return false;
    }
    if (status === 206 && resumes && this.#isContinuation(headers["content-range"])) {
      // The rest of what was begun.
    } else if (status === 200) {
      await this.#startOver();
      const length = headers["content-length"];
      this.#size = length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
      const { etag, "last-modified": lastModified } = headers;
      this.#said = { ...(etag ? { etag } : {}), ...(lastModified ? { lastModified } : {}) };
    } else {
      cutOff(body);
      throw this.#refused(response);
    }
    if ((this.#size ?? 0) > this.#options.maxBytes) {
      cutOff(body);
      throw this.#tooLarge();
    }
    for await (const piece of body as AsyncIterable<Buffer>) await this.#write(piece);
    if (this.#size !== undefined && this.#at < this.#size) {
      throw new WbuildError("CTX_FETCH", `${this.#shown} ended after ${this.#at} of ${this.#size} bytes`, {
        facts: { url: this.#shown, errno: "REG_ENDED_EARLY", bytes: this.#at, expected: this.#size },
      });
    }
    return true;
  }

  get #shown(): string {
    return shownUrl(this.#url);
  }

  #conditions(): Record<string, string> {
    const { etag, lastModified } = this.#options.known ?? {};
    return {
      ...(etag === undefined ? {} : { "if-none-match": etag }),
      // A server that knows both goes by the tag (RFC 9110, 13.2.2).
      ...(lastModified === undefined ? {} : { "if-modified-since": lastModified }),
    };
  }

  #resuming(): Record<string, string> {
    const { etag, lastModified } = this.#said;
    return { range: `bytes=${this.#at}-`, "if-range": (etag?.startsWith('"') ? etag : lastModified) ?? "" };
  }

  #isContinuation(range: string | undefined): boolean {
    const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range ?? "") ?? [];
    return Number(from) === this.#at && (total === "*" || this.#size === undefined || Number(total) === this.#size);
  }

  /** The answer at the end of all redirects. */
  async #ask(headers: Record<string, string>): Promise<HttpResponse> {
    let url = this.#url;
    for (let count = 0; count <= mostRedirects; count++) {
      const authorization = url.origin === this.#url.origin ? this.#authorization() : {};
      const response = await this.#http.send({
        method: "GET",
        url,
        // As they lie there: a checksum is one over the file, not over what a server made of it.
        headers: { "accept-encoding": "identity", ...headers, ...authorization },
        signal: this.#options.signal,
      });
      const { location } = response.headers;
      if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return response;
      cutOff(response.body);
      url = this.#redirected(url, location);
    }
    throw new WbuildError("CTX_FETCH", `${this.#shown} redirects more than ${mostRedirects} times`, {
      facts: { url: this.#shown },
    });
  }

  #redirected(from: URL, location: string): URL {
    let url: URL | undefined;
    try {
      url = new URL(location, from);
    } catch {
      // Told below.
    }
    // Attack: a redirect to file: or to what else a client may know.
    if (url?.protocol === "http:" || url?.protocol === "https:") return url;
    throw new WbuildError("CTX_FETCH", `${this.#shown} redirects to what is no http URL`, {
      facts: { url: this.#shown },
    });
  }

  #authorization(): Record<string, string> {
    const { username, password } = this.#url;
    const { authorization } = this.#options;
    if (username === "" && password === "") return authorization === undefined ? {} : { authorization };
    const pair = `${unescaped(username)}:${unescaped(password)}`;
    return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
  }

  async #write(piece: Buffer): Promise<void> {
    if (this.#at + piece.length > this.#options.maxBytes) throw this.#tooLarge();
    this.#sha256.update(piece);
    this.#checksum?.update(piece);
    for (let at = 0; at < piece.length; ) {
      const { bytesWritten } = await this.#file.write(piece, at, piece.length - at, this.#at + at);
      at += bytesWritten;
    }
    this.#at += piece.length;
  }

  async #startOver(): Promise<void> {
    await this.#file.truncate(0);
    this.#restart();
  }

  #restart(): void {
    const { checksum } = this.#options;
    this.#at = 0;
    this.#size = undefined;
    this.#sha256 = createHash("sha256");
    // The usual algorithm is the digest's own.
    const isOther = checksum !== undefined && checksum.algorithm !== "sha256";
    this.#checksum = isOther ? createHash(checksum.algorithm) : undefined;
  }

  #finish(): FetchedFile {
    const { checksum } = this.#options;
    const sha256 = this.#sha256.digest("hex");
    const found = this.#checksum?.digest("hex") ?? sha256;
    if (checksum !== undefined && found !== checksum.hex) {
      throw new WbuildError(
        "CTX_CHECKSUM",
        `${this.#shown} has the checksum ${checksum.algorithm}:${found}, not ${checksum.algorithm}:${checksum.hex}`,
        { facts: { url: this.#shown, found, expected: checksum.hex } },
      );
    }
    const digest = parseDigest(`sha256:${sha256}`);
    return { ...this.#said, digest, size: this.#at };
  }

  #tooLarge(): WbuildError {
    return tooLarge(this.#shown, this.#options.maxBytes);
  }

  #refused({ status }: HttpResponse): WbuildError {
    const hint =
      status === 401 || status === 403
        ? "the server wants other credentials: --secret id=HTTP_AUTH_TOKEN_HOST gives it a token"
        : undefined;
    return new WbuildError("CTX_FETCH", `cannot fetch ${this.#shown}: the server answered ${status}`, {
      facts: { url: this.#shown, status },
      ...(hint === undefined ? {} : { hint }),
    });
  }

  #broken(error: unknown): unknown {
    if (isWbuildError(error)) return error;
    const cause = error as NodeJS.ErrnoException;
    if (cause.syscall === "write") return error;
    const errno = cause.code ?? (cause.cause as NodeJS.ErrnoException | undefined)?.code ?? "";
    return new WbuildError("CTX_FETCH", `cannot fetch ${this.#shown}: ${errno || cause.message}`, {
      facts: { url: this.#shown, errno },
      cause: error,
    });
  }
}

/** Nobody wants the rest; that it ends early is no failure. */
function cutOff(body: HttpResponse["body"]): void {
  body.on("error", () => undefined).destroy();
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
