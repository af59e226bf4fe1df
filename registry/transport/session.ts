/**
 * All requests to one registry: where it is, who we are to it, redirects, repetition, and errors that name the operation.
 * What the requests mean is the business of repository.ts and upload.ts.
 */
import { parseIndex, urlFromIndex } from "oci-registry-client/build/common.js";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { CredentialSource } from "../credentials.ts";
import type { HostTls, Route } from "../hosts/route.ts";
import { parseChallenges } from "./challenge.ts";
import { brokenError, isTlsCode, type Operation, protocolError, refusalError } from "./complaint.ts";
import type { Redactor } from "./redact.ts";
import { type Body, drain, type Http, type HttpResponse, isLoopback, readAll } from "./request.ts";
import { type RetryPolicy, withRetry } from "./retry.ts";
import { Authorizer } from "./token.ts";

export interface SessionOptions {
  readonly registry: string;
  readonly http: Http;
  readonly redactor: Redactor;
  readonly credentials: CredentialSource;
  readonly retry: RetryPolicy;
  /** See RegistryOptions. */
  readonly chunkBytes?: number | undefined;
  readonly plainHttp: readonly string[];
  /** `host[:port]` whose certificates are not checked, and which may speak plain http. */
  readonly insecure?: readonly string[];
  /** How the host's configuration wants this registry to be spoken to. */
  readonly place?: Place | undefined;
  /** See AuthorizerOptions. */
  readonly isLogin?: boolean;
  readonly signal: AbortSignal | undefined;
  warn(message: string): void;
}

export interface Place extends Pick<Route, "scheme" | "root" | "isInsecure" | "headers" | "namespace"> {
  certificates(): Promise<HostTls | undefined>;
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
  #base: Promise<URL> | undefined;
  #tls: Promise<{ readonly own: HostTls; readonly others: HostTls | undefined } | undefined> | undefined;

  constructor(options: SessionOptions) {
    this.options = options;
    this.registry = options.registry;
    this.#authorizer = new Authorizer({
      ...options,
      // Who asked for a registry without TLS has asked for its token service on the same host, too.
      mayBePlain: (host) =>
        [...options.plainHttp, ...(this.#isInsecure() || options.place?.scheme === "http" ? [this.registry] : [])].some(
          (plain) => plain === host || bareHost(plain) === bareHost(host),
        ),
      tlsFor: (url) => this.#tlsFor(url),
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
    const home = await this.base();
    const base = new URL(from, home);
    const text = location ?? "";
    if (text === "" || !URL.canParse(text, base.href))
      throw protocolError(this.operation(operation), "the registry gave no usable Location");
    const url = new URL(text, base);
    // Registries behind a proxy that does TLS for them may name themselves with http; they mean the same place.
    if (url.protocol === "http:" && base.protocol === "https:" && url.host === base.host) url.protocol = "https:";
    const isAllowed =
      url.protocol === "https:" ||
      (url.protocol === "http:" &&
        (isElsewhere ||
          home.protocol === "http:" ||
          isLoopback(url.hostname) ||
          this.options.plainHttp.includes(url.host)));
    // Attack: a registry with TLS that sends content or our upload over a readable connection, or to file: and the like.
    if (!isAllowed)
      throw new WbuildError("REG_INSECURE", `${this.registry} sends us to ${url.host} without TLS`, {
        facts: { registry: this.registry, host: url.host },
        hint: "if that network is trusted, allow it with --plain-http",
      });
    return url;
  }

  /** See Authorizer. */
  get refreshToken(): string | undefined {
    return this.#authorizer.refreshToken;
  }

  operation(operation: Omit<Operation, "registry">): Operation {
    return { registry: this.registry, ...operation };
  }

  /** Scheme and host. Throws REG_REFERENCE, or REG_UNREACHABLE for a loopback registry that does not answer. */
  base(): Promise<URL> {
    this.#base ??= this.#findBase();
    // A registry that is not up yet may be up at the next try.
    this.#base.catch(() => {
      this.#base = undefined;
    });
    return this.#base;
  }

  async #once(ask: Ask, signal: AbortSignal | undefined): Promise<HttpResponse> {
    const operation = this.operation(ask.operation);
    const base = await this.base();
    let url = this.#urlOf(ask.path, base);
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
    const body = typeof ask.body === "function" ? ask.body() : ask.body;
    try {
      return await this.options.http.send({
        method: ask.method,
        url,
        headers: { ...ask.headers, ...added },
        body,
        isSlow: ask.isSlow,
        tls: ask.isElsewhere ? undefined : await this.#tlsFor(url),
        signal,
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw brokenError(operation, error, this.options.redactor);
    }
  }

  async #refused(response: HttpResponse, operation: Operation): Promise<WbuildError> {
    const body = (await readAll(response.body, maxComplaintBytes).catch(() => undefined)) ?? new Uint8Array();
    return refusalError(operation, { ...response, body }, this.options.redactor);
  }

  async #findBase(): Promise<URL> {
    const { registry, plainHttp } = this.options;
    let index: ReturnType<typeof parseIndex>;
    try {
      index = parseIndex(registry);
    } catch {
      throw new WbuildError("REG_REFERENCE", `${JSON.stringify(registry)} is not the name of a registry`);
    }
    // The library takes any host with "::1" in it for this one; the scheme is therefore always ours to say.
    const plain = () => new URL(urlFromIndex(index, "http"));
    const secure = new URL(urlFromIndex(index, "https"));
    const scheme = this.options.place?.scheme;
    if (!index.official && (scheme === "http" || plainHttp.includes(registry))) return plain();
    if (this.#isInsecure()) this.options.warn(`the certificate of ${registry} is not checked`);
    if (scheme === "https") return secure;
    if (isLoopback(secure.hostname)) return (await this.#speaksPlain(plain())) ?? secure;
    return !index.official && this.#isInsecure() && !(await this.#speaksTls(secure)) ? plain() : secure;
  }

  #isInsecure(): boolean {
    const { insecure, place } = this.options;
    return place?.isInsecure === true || insecure?.includes(this.registry) === true;
  }

  /** A path of ours at this place; what the registry gave us as a URL is taken as it is. */
  #urlOf(path: string | URL, base: URL): URL {
    const { place } = this.options;
    if (typeof path !== "string" || !place) return new URL(path, base);
    const url = new URL(path.replace(/^\/v2(?=\/)/, place.root), base);
    if (place.namespace !== undefined) url.searchParams.set("ns", place.namespace);
    return url;
  }

  /**
   * Certificates for the registry and what runs on its host, such as its token service. Where it leads to otherwise its
   * authorities are trusted, too, but nobody is told who we are and everybody is checked.
   */
  async #tlsFor(url: URL): Promise<HostTls | undefined> {
    if (url.protocol !== "https:") return undefined;
    const tls = await this.#certificates();
    const home = await this.#base?.catch(() => undefined);
    const isOwn = !home || bareHost(url.host) === bareHost(home.host);
    return isOwn ? tls?.own : tls?.others;
  }

  #certificates() {
    this.#tls ??= this.#readTls();
    return this.#tls;
  }

  async #readTls() {
    const found = await this.options.place?.certificates();
    if (!found && !this.#isInsecure()) return undefined;
    const { ca, cert, key, skipVerify } = found ?? { ca: [], cert: [], key: [], skipVerify: false };
    const others = ca.length === 0 ? undefined : { ca, cert: [], key: [], skipVerify: false };
    return { own: { ca, cert, key, skipVerify: skipVerify || this.#isInsecure() }, others };
  }

  /** Does anything answer over TLS, whatever its certificate? */
  async #speaksTls(secure: URL): Promise<boolean> {
    const { http, signal } = this.options;
    try {
      const tls = (await this.#certificates())?.own;
      const response = await http.send({ method: "GET", url: new URL("/v2/", secure), headers: {}, tls, signal });
      await drain(response.body);
      return true;
    } catch (error) {
      signal?.throwIfAborted();
      if (isWbuildError(error)) throw error;
      return false;
    }
  }

  /** On loopback both kinds are usual: a question without any secret tells which one it is. */
  async #speaksPlain(plain: URL): Promise<URL | undefined> {
    const { http, signal } = this.options;
    try {
      const response = await http.send({ method: "GET", url: new URL("/v2/", plain), headers: {}, signal });
      await drain(response.body);
      // Servers with TLS answer 400 to plain words, or hang up.
      return response.status === 400 ? undefined : plain;
    } catch (error) {
      signal?.throwIfAborted();
      const failure = brokenError(this.operation({ doing: "connect" }), error, this.options.redactor);
      const { errno } = failure.facts;
      if (typeof errno === "string" && (/^(ECONNRESET|UND_ERR_SOCKET|EPIPE|HPE_)/.test(errno) || isTlsCode(errno)))
        return undefined;
      throw failure;
    }
  }
}

function bareHost(host: string): string {
  return host.replace(/:\d+$/, "");
}

function isRedirect(status: number, ask: Ask): boolean {
  if (ask.method === "GET" || ask.method === "HEAD") return [301, 302, 303, 307, 308].includes(status);
  return (status === 307 || status === 308) && (ask.body === undefined || typeof ask.body === "function");
}

function joined(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a && b ? AbortSignal.any([a, b]) : (a ?? b);
}
