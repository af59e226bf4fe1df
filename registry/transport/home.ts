/** Where a registry is, as seen from here: its scheme and host, the paths there, and the certificates to use on the way. */
import { parseIndex, urlFromIndex } from "oci-registry-client/build/common.js";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { HostTls, Route } from "../hosts/route.ts";
import { brokenError, isTlsCode } from "./complaint.ts";
import type { Redactor } from "./redact.ts";
import { drain, type Http, isLoopback } from "./request.ts";

export interface Place extends Pick<Route, "scheme" | "root" | "isInsecure" | "headers" | "namespace"> {
  certificates(): Promise<HostTls | undefined>;
}

export interface HomeOptions {
  readonly registry: string;
  readonly http: Http;
  readonly redactor: Redactor;
  /** `host[:port]` that are spoken to over plain http. */
  readonly plainHttp: readonly string[];
  /** `host[:port]` whose certificates are not checked, and which may speak plain http. */
  readonly insecure?: readonly string[];
  /** How the host's configuration wants this registry to be spoken to. */
  readonly place?: Place | undefined;
  readonly signal: AbortSignal | undefined;
  warn(message: string): void;
}

export class Home {
  readonly #options: HomeOptions;
  #base: Promise<URL> | undefined;
  #tls: Promise<{ readonly own: HostTls; readonly others: HostTls | undefined } | undefined> | undefined;

  constructor(options: HomeOptions) {
    this.#options = options;
  }

  /** Scheme and host. Throws REG_REFERENCE, and for a loopback registry that does not answer what Http.send throws. */
  base(): Promise<URL> {
    this.#base ??= this.#findBase();
    // A registry that is not up yet may be up at the next try.
    this.#base.catch(() => {
      this.#base = undefined;
    });
    return this.#base;
  }

  /** Who asked for a registry without TLS has asked for its token service on the same host, too. */
  mayBePlain(host: string): boolean {
    const { plainHttp, place, registry } = this.#options;
    const plain = this.#isInsecure() || place?.scheme === "http" ? [...plainHttp, registry] : plainHttp;
    return plain.some((one) => one === host || bareHost(one) === bareHost(host));
  }

  async #findBase(): Promise<URL> {
    const { registry, plainHttp } = this.#options;
    let index: ReturnType<typeof parseIndex>;
    try {
      index = parseIndex(registry);
    } catch {
      throw new WbuildError("REG_REFERENCE", `${JSON.stringify(registry)} is not the name of a registry`);
    }
    // The library takes any host with "::1" in it for this one; the scheme is therefore always ours to say.
    const plain = () => new URL(urlFromIndex(index, "http"));
    const secure = new URL(urlFromIndex(index, "https"));
    const scheme = this.#options.place?.scheme;
    if (!index.official && (scheme === "http" || plainHttp.includes(registry))) return plain();
    if (this.#isInsecure()) this.#options.warn(`the certificate of ${registry} is not checked`);
    if (scheme === "https") return secure;
    if (isLoopback(secure.hostname)) return (await this.#speaksPlain(plain())) ?? secure;
    return !index.official && this.#isInsecure() && !(await this.#speaksTls(secure)) ? plain() : secure;
  }

  #isInsecure(): boolean {
    const { insecure, place } = this.#options;
    return place?.isInsecure === true || insecure?.includes(this.#options.registry) === true;
  }

  /** A path of ours at this place; what the registry gave us as a URL is taken as it is. */
  urlOf(path: string | URL, base: URL): URL {
    const { place } = this.#options;
    if (typeof path !== "string" || !place) return new URL(path, base);
    const url = new URL(path.replace(/^\/v2(?=\/)/, place.root), base);
    if (place.namespace !== undefined) url.searchParams.set("ns", place.namespace);
    return url;
  }

  /**
   * Certificates for the registry and what runs on its host, such as its token service. Where it leads to otherwise its
   * authorities are trusted, too, but nobody is told who we are and everybody is checked.
   */
  async tlsFor(url: URL): Promise<HostTls | undefined> {
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
    const found = await this.#options.place?.certificates();
    if (!found && !this.#isInsecure()) return undefined;
    const { ca, cert, key, skipVerify } = found ?? { ca: [], cert: [], key: [], skipVerify: false };
    const others = ca.length === 0 ? undefined : { ca, cert: [], key: [], skipVerify: false };
    return { own: { ca, cert, key, skipVerify: skipVerify || this.#isInsecure() }, others };
  }

  /** Does anything answer over TLS, whatever its certificate? */
  async #speaksTls(secure: URL): Promise<boolean> {
    const { http, signal } = this.#options;
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
    const { http, signal } = this.#options;
    try {
      const response = await http.send({ method: "GET", url: new URL("/v2/", plain), headers: {}, signal });
      await drain(response.body);
      // Servers with TLS answer 400 to plain words, or hang up.
      return response.status === 400 ? undefined : plain;
    } catch (error) {
      signal?.throwIfAborted();
      const { registry, redactor } = this.#options;
      const { errno } = brokenError({ registry, doing: "connect" }, error, redactor).facts;
      if (typeof errno === "string" && (/^(ECONNRESET|EPIPE|HPE_)/.test(errno) || isTlsCode(errno))) return undefined;
      // Who asked has a better name for what was to be done.
      throw error;
    }
  }
}

function bareHost(host: string): string {
  return host.replace(/:\d+$/, "");
}
