/** Requests to a cache service and to the storage that it names: repetition, bounds, and no secret in any message. */
import { WbuildError } from "../../native/error.ts";
import { Redactor } from "../../registry/transport/redact.ts";
import { type Http, type HttpResponse, openHttp, readAll } from "../../registry/transport/request.ts";
import { defaultRetry, delayBefore, parseRetryAfter, pause, withRetry } from "../../registry/transport/retry.ts";

export interface GhaRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  readonly url: URL;
  /** What it is for: `reserve an entry`. */
  readonly doing: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Statuses besides 2xx that are an answer. */
  readonly accept?: readonly number[];
  /** The service itself, which gets the token; storage has its rights in the URL. */
  readonly isService?: boolean;
}

/** Bytes of a service's answer; they hold a few names and URLs. */
const maxAnswerBytes = 1024 * 1024;

export class GhaHttp {
  readonly #http: Http;
  readonly #token: string;
  readonly #redactor = new Redactor();
  readonly #signal: AbortSignal;

  constructor(token: string, signal: AbortSignal) {
    this.#http = openHttp({ userAgent: "wbuild" });
    this.#token = token;
    this.#redactor.learn(token);
    this.#signal = signal;
  }

  /** The answer's JSON, or undefined for a status of `accept` and for an empty answer. Throws CACHE_SERVICE. */
  async json(request: GhaRequest): Promise<{ status: number; body: unknown }> {
    return withRetry(defaultRetry, this.#signal, async () => {
      const response = await this.#send(request);
      const bytes = await this.#whole(response, request);
      if (response.status === 204 || bytes.length === 0) return { status: response.status, body: undefined };
      try {
        return { status: response.status, body: JSON.parse(bytes.toString("utf8")) as unknown };
      } catch {
        if (request.accept?.includes(response.status)) return { status: response.status, body: undefined };
        throw this.#failure(request, "answered with what is no JSON");
      }
    });
  }

  /** A request whose answer's body does not matter. */
  async done(request: GhaRequest): Promise<number> {
    return withRetry(defaultRetry, this.#signal, async () => {
      const response = await this.#send(request);
      await this.#whole(response, request);
      return response.status;
    });
  }

  /** Content of known size; what breaks off is resumed by ranges. Its digest is the receiver's to check. */
  async *download(url: () => Promise<URL>, size: number, doing: string): AsyncGenerator<Uint8Array> {
    let at = 0;
    for (let next = 2; at < size; ) {
      const request = { method: "GET", url: await url(), doing, headers: { range: `bytes=${at}-` } } as const;
      try {
        const response = await this.#send(request);
        let skip = response.status === 206 ? 0 : at;
        for await (const part of response.body as AsyncIterable<Uint8Array>) {
          const fresh = part.subarray(Math.min(skip, part.length));
          skip -= part.length - fresh.length;
          if (at + fresh.length > size)
            throw this.#failure(request, `sent more than the ${size} bytes there should be`);
          at += fresh.length;
          if (fresh.length > 0) yield fresh;
        }
        if (at < size) throw this.#failure(request, `sent ${at} of ${size} bytes`, { errno: "REG_ENDED_EARLY" });
      } catch (error) {
        this.#signal.throwIfAborted();
        const failure = error instanceof WbuildError ? error : this.#broken(request, error);
        const delay = delayBefore(next++, failure, defaultRetry);
        if (delay === undefined) throw failure;
        await pause(delay, this.#signal);
      }
    }
  }

  /** A URL that the service gave. Throws CACHE_SERVICE for none, and for one that would carry content in the clear. */
  storage(text: unknown, service: URL, doing: string): URL {
    const url = typeof text === "string" && text.length < 16_384 && URL.canParse(text) ? new URL(text) : undefined;
    // Attack: a service with TLS that has layers sent to, or fetched from, whoever listens in between; or file: and such.
    if (url?.protocol === "https:" || (url?.protocol === "http:" && service.protocol === "http:")) return url;
    throw this.#failure({ url: service, doing }, "gave no usable address");
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async #send(request: GhaRequest): Promise<HttpResponse> {
    const { method, url, headers, body, accept = [], isService } = request;
    let response: HttpResponse;
    try {
      response = await this.#http.send({
        method,
        url,
        headers: {
          ...(isService ? { authorization: `Bearer ${this.#token}` } : {}),
          ...(body ? { "content-length": String(body.length) } : {}),
          ...headers,
        },
        ...(body ? { body } : {}),
        isSlow: method !== "GET",
        signal: this.#signal,
      });
    } catch (error) {
      this.#signal.throwIfAborted();
      throw this.#broken(request, error);
    }
    const { status } = response;
    if ((status >= 200 && status < 300) || accept.includes(status)) return response;
    const said = (await readAll(response.body, 4096).catch(() => undefined))?.toString("utf8") ?? "";
    const retryAfterMs = parseRetryAfter(response.headers["retry-after"], Date.now());
    const more = { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    throw this.#failure(
      request,
      `answered ${status}${said === "" ? "" : `: ${this.#redactor.clean(said, 200)}`}`,
      more,
    );
  }

  async #whole(response: HttpResponse, request: GhaRequest): Promise<Buffer> {
    const bytes = await readAll(response.body, maxAnswerBytes).catch((error: unknown) => {
      throw this.#broken(request, error);
    });
    if (bytes) return bytes;
    throw this.#failure(request, `answered with more than ${maxAnswerBytes} bytes`);
  }

  #broken(request: Pick<GhaRequest, "url" | "doing">, error: unknown): WbuildError {
    const { code, message } = error as NodeJS.ErrnoException;
    const errno = code === undefined ? {} : { errno: code };
    return this.#failure(request, `cannot be reached: ${this.#redactor.clean(code ?? message ?? "", 100)}`, errno);
  }

  #failure({ url, doing }: Pick<GhaRequest, "url" | "doing">, what: string, facts: object = {}): WbuildError {
    return new WbuildError("CACHE_SERVICE", `cannot ${doing}: the cache service ${url.host} ${what}`, {
      facts: { host: url.host, ...facts },
    });
  }
}
