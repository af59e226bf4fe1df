/**
 * All requests to one registry: where it is, who we are to it, redirects, repetition, and errors that name the operation.
 * What the requests mean is the business of repository.ts and upload.ts.
 */
import { WbuildError } from "../../native/error.ts";
import type { CredentialSource } from "../credentials.ts";
import { BegunBody } from "./begun-body.ts";
import { parseChallenges } from "./challenge.ts";
import { brokenError, type Operation, protocolError, refusalError } from "./complaint.ts";
import type { Body } from "./exchange.ts";
import { Home, type HomeOptions } from "./home.ts";
import { drain, type HttpResponse, isLoopback, readAll } from "./request.ts";
import { type RetryPolicy, withRetry } from "./retry.ts";
import { Authorizer } from "./token.ts";

export interface SessionOptions extends HomeOptions {
  readonly credentials: CredentialSource;
  readonly retry: RetryPolicy;
  /** See RegistryOptions. */
  readonly chunkBytes?: number | undefined;
  /** See AuthorizerOptions. */
  readonly isLogin?: boolean;
}

export interface Ask {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Absolute path at the registry, or a whole URL that the registry gave (an upload's Location). */
  readonly path: string | URL;
  readonly operation: Omit<Operation, "registry">;
  /** Token scopes, such as `repository:team/app:pull`. */
  readonly scopes: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** A function, so that a request can be repeated; a plain iterable can be sent once only. */
  readonly body?: Body | (() => Body);
  /** Statuses besides 2xx that are an answer and not a failure. */
  readonly accept?: readonly number[];
  /** Repeat after transient failures: only for requests whose repetition changes nothing. */
  readonly isIdempotent: boolean;
  /**
   * `path` is neither the registry nor its business: no credentials go there, whatever its address, and plain http will
   * do, since only content comes whose digest is known.
   */
  readonly isElsewhere?: boolean;
  /** See HttpRequest. */
  readonly isSlow?: boolean;
  readonly signal?: AbortSignal | undefined;
}

const maxRedirects = 5;
const maxComplaintBytes = 64 * 1024;

export class Session {
  readonly registry: string;
  readonly options: SessionOptions;
  readonly #authorizer: Authorizer;
  readonly #home: Home;

  constructor(options: SessionOptions) {
    this.options = options;
    this.registry = options.registry;
    this.#home = new Home(options);
    this.#authorizer = new Authorizer({
      ...options,
      mayBePlain: (host) => this.#home.mayBePlain(host),
      tlsFor: (url) => this.#home.tlsFor(url),
    });
    for (const value of Object.values(options.place?.headers ?? {})) options.redactor.learn(value);
  }

  /** Resolves with an accepted answer whose body is the caller's to read. Throws the codes of complaint.ts. */
  async send(ask: Ask): Promise<HttpResponse> {
    const { retry } = this.options;
    const signal = joined(this.options.signal, ask.signal);
    const once = () => this.#once(ask, signal);
    return ask.isIdempotent ? withRetry(retry, signal, once) : once();
  }

  /** An absolute URL for what the registry gave as Location (relative or absolute). Throws REG_PROTOCOL, REG_INSECURE. */
  async locate(
    location: string | undefined,
    from: URL | string,
    operation: Omit<Operation, "registry">,
    isElsewhere = false,
  ): Promise<URL> {
    const home = await this.#base(this.operation(operation));
    const base = new URL(from, home);
    const text = location ?? "";
    if (text === "" || !URL.canParse(text, base.href))
      throw protocolError(this.operation(operation), "the registry gave no usable Location");
    const url = new URL(text, base);
    // Registries behind a proxy that does TLS for them may name themselves with http; they mean the same place.
    if (url.protocol === "http:" && base.protocol === "https:" && url.host === base.host) url.protocol = "https:";
    if (url.protocol !== "https:" && url.protocol !== "http:")
      throw new WbuildError("REG_INSECURE", `${this.registry} sends us to an address of the kind ${url.protocol}`, {
        facts: { registry: this.registry },
        hint: "no registry has a reason for that; something on the way changes what it says",
      });
    const isAllowed =
      url.protocol === "https:" ||
      isElsewhere ||
      home.protocol === "http:" ||
      (isLoopback(url.hostname) && isLoopback(home.hostname)) ||
      this.options.plainHttp.includes(url.host);
    // Attack: a registry with TLS that sends content or our upload over a readable connection; or one far away that sends
    // us to what listens on this host, which trusts whoever asks from here.
    if (!isAllowed)
      throw new WbuildError("REG_INSECURE", `${this.registry} sends us to ${url.host} without TLS`, {
        facts: { registry: this.registry, host: url.host },
        hint: "if that network is trusted, allow it with --plain-http",
      });
    return url;
  }

  /** See Repository. A place that stands alone has no other. */
  distrust(_name: string): boolean {
    return false;
  }

  /** See Authorizer. */
  get refreshToken(): string | undefined {
    return this.#authorizer.refreshToken;
  }

  operation(operation: Omit<Operation, "registry">): Operation {
    return { registry: this.registry, ...operation };
  }

  /** Scheme and host. Throws REG_REFERENCE; REG_UNREACHABLE and its kin for a loopback registry that does not answer. */
  async #base(operation: Operation): Promise<URL> {
    try {
      return await this.#home.base();
    } catch (error) {
      this.options.signal?.throwIfAborted();
      throw brokenError(operation, error, this.options.redactor);
    }
  }

  async #once(ask: Ask, signal: AbortSignal | undefined): Promise<HttpResponse> {
    const operation = this.operation(ask.operation);
    const base = await this.#base(operation);
    let url = this.#home.urlOf(ask.path, base);
    let mayAnswer = typeof ask.body === "function" || ask.body === undefined || ask.body instanceof Uint8Array;
    let better: string | undefined;
    for (let redirects = 0; ; ) {
      // Attack: credentials for this registry must not reach whom it redirects to (CVE-2020-15157 and its kin).
      const isHome = ask.isElsewhere !== true && url.origin === base.origin;
      const authorization = isHome ? (better ?? (await this.#authorizer.current(ask.scopes, operation))) : undefined;
      const added = { ...(isHome ? this.options.place?.headers : {}), ...(authorization && { authorization }) };
      const response = await this.#dispatch(ask, url, added, operation, signal);
      const { status, headers } = response;
      if ((status >= 200 && status < 300) || ask.accept?.includes(status)) return response;
      if (status === 401 && isHome && mayAnswer) {
        mayAnswer = false;
        const challenges = parseChallenges(headers["www-authenticate"] ?? "");
        better = await this.#authorizer.answer(challenges, ask.scopes, authorization, operation);
        if (better !== undefined) {
          await drain(response.body);
          continue;
        }
      }
      if (!isRedirect(status, ask)) throw await this.#refused(response, operation);
      await drain(response.body);
      if (++redirects > maxRedirects) throw protocolError(operation, `more than ${maxRedirects} redirects`);
      url = await this.locate(headers.location, url, ask.operation, ask.isElsewhere);
    }
  }

  async #dispatch(
    ask: Ask,
    url: URL,
    added: Readonly<Record<string, string>>,
    operation: Operation,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    signal?.throwIfAborted();
    const given = typeof ask.body === "function" ? ask.body() : ask.body;
    const body = given === undefined || given instanceof Uint8Array ? given : new BegunBody(given);
    try {
      if (body instanceof BegunBody) await body.begin(signal);
      return await this.options.http.send({
        method: ask.method,
        url,
        headers: { ...ask.headers, ...added },
        body,
        isSlow: ask.isSlow,
        tls: ask.isElsewhere ? undefined : await this.#home.tlsFor(url),
        signal,
      });
    } catch (error) {
      if (body instanceof BegunBody) body.giveUp();
      signal?.throwIfAborted();
      throw brokenError(operation, error, this.options.redactor);
    }
  }

  async #refused(response: HttpResponse, operation: Operation): Promise<WbuildError> {
    const body = (await readAll(response.body, maxComplaintBytes).catch(() => undefined)) ?? new Uint8Array();
    return refusalError(operation, { ...response, body }, this.options.redactor);
  }
}

function isRedirect(status: number, ask: Ask): boolean {
  if (ask.method === "GET" || ask.method === "HEAD") return [301, 302, 303, 307, 308].includes(status);
  return (status === 307 || status === 308) && (ask.body === undefined || typeof ask.body === "function");
}

function joined(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a && b ? AbortSignal.any([a, b]) : (a ?? b);
}
