/**
 * From a registry's challenge to the Authorization header: Basic, or a Bearer token of the service that the registry names,
 * kept for its life (distribution's token authentication specification; OAuth2 for identity tokens).
 */
import * as v from "valibot";
import { WbuildError } from "../../native/error.ts";
import type { Credentials } from "../credential-helper.ts";
import type { CredentialSource } from "../credentials.ts";
import type { HostTls } from "../hosts/route.ts";
import type { Challenge } from "./challenge.ts";
import { brokenError, type Operation, refusalError } from "./complaint.ts";
import type { Redactor } from "./redact.ts";
import { type Http, type HttpRequest, isLoopback, readAll } from "./request.ts";
import { type RetryPolicy, withRetry } from "./retry.ts";

export interface AuthorizerOptions {
  readonly registry: string;
  readonly http: Http;
  readonly redactor: Redactor;
  readonly credentials: CredentialSource;
  readonly retry: RetryPolicy;
  readonly signal: AbortSignal | undefined;
  /** Ask the token service for a refresh token, too, as a login does that is to be kept. */
  readonly isLogin?: boolean | undefined;
  /** May this host be spoken to without TLS? */
  mayBePlain(host: string): boolean;
  /** Certificates for the token service. */
  tlsFor(url: URL): Promise<HostTls | undefined>;
}

interface Token {
  readonly header: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

const tokenSchema = v.looseObject({
  token: v.nullish(v.string()),
  access_token: v.nullish(v.string()),
  refresh_token: v.nullish(v.string()),
  // A service that writes it as text is no reason to have no token: the registry says when it has ended.
  expires_in: v.fallback(v.nullish(v.number()), undefined),
});
const maxTokenBytes = 1024 * 1024;
/** The specification's life of a token that does not tell its own. */
const defaultLifeSeconds = 60;
/** A token that is about to end is not sent on a long journey. */
const slackMs = 10_000;

/** One a registry. */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  /** By repository: an account may be for one of them alone. */
  readonly #basic = new Map<string | undefined, string>();
  #service: { readonly realm: URL; readonly service: string | undefined } | undefined;
  readonly #tokens = new Map<string, Promise<Token>>();
  /** What a token service gave in exchange for a refresh token that it took, which may be good for one use alone. */
  readonly #refreshed = new Map<string, string>();
  #refreshToken: string | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** The refresh token that the token service gave for a password; only with `isLogin`. */
  get refreshToken(): string | undefined {
    return this.#refreshToken;
  }

  /** The header for these scopes as far as it is known without asking the registry; fetches a token when one ran out. */
  async current(scopes: readonly string[], operation: Operation): Promise<string | undefined> {
    const basic = this.#basic.get(operation.repository);
    if (basic !== undefined) return basic;
    if (!this.#service) return undefined;
    return (await this.#token(scopes, operation)).header;
  }

  /**
   * The header that answers a 401. Undefined when there is nothing new to try: the refusal then stands.
   * `refused` is the header that was sent.
   */
  async answer(
    challenges: readonly Challenge[],
    scopes: readonly string[],
    refused: string | undefined,
    operation: Operation,
  ): Promise<string | undefined> {
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer) {
      this.#service = this.#readService(bearer, operation);
      const all = [...new Set([...scopes, ...(bearer.parameters.get("scope")?.split(" ").filter(Boolean) ?? [])])];
      // The token that was just refused must not come back from the cache.
      const kept = await this.#tokens.get(keyOf(scopes))?.catch(() => undefined);
      if (kept?.header === refused) this.#tokens.delete(keyOf(scopes));
      const { header } = await this.#token(scopes, operation, all);
      return header === refused ? undefined : header;
    }
    if (!challenges.some(({ scheme }) => scheme === "basic")) return undefined;
    const found = await this.#credentials(operation);
    if (found?.username === undefined || found.identityToken !== undefined) return undefined;
    const header = basicHeader(found, this.#options.redactor);
    if (header === refused) return undefined;
    this.#basic.set(operation.repository, header);
    return header;
  }

  #token(scopes: readonly string[], operation: Operation, asked = scopes): Promise<Token> {
    const key = keyOf(scopes);
    const kept = this.#tokens.get(key);
    const fresh = (async () => {
      const known = await kept?.catch(() => undefined);
      return known && known.until - slackMs > Date.now() ? known : this.#fetch(asked, operation);
    })();
    this.#tokens.set(key, fresh);
    // A failure is told to who waits now, and not kept for those who come later.
    fresh.catch(() => this.#tokens.get(key) === fresh && this.#tokens.delete(key));
    return fresh;
  }

  async #fetch(scopes: readonly string[], operation: Operation): Promise<Token> {
    const { registry, redactor, http, retry, signal } = this.#options;
    const found = await this.#credentials(operation);
    if (found?.registryToken !== undefined) return { header: `Bearer ${found.registryToken}`, until: Infinity };
    const asking: Operation = { ...operation, doing: `get a token to ${operation.doing}` };
    const request = this.#request(scopes, found);
    const bytes = await withRetry(retry, signal, async () => {
      try {
        const tls = await this.#options.tlsFor(request.url);
        const response = await http.send({ ...request, tls, signal });
        const body = await readAll(response.body, maxTokenBytes, http.timeoutMs);
        if (response.status === 200) return body;
        // 400 is what OAuth2 answers to a refresh token that has ended; for people that is a refused login.
        const status = response.status === 400 && found !== undefined ? 401 : response.status;
        throw refusalError(asking, { status, headers: response.headers, body: body ?? new Uint8Array() }, redactor);
      } catch (error) {
        signal?.throwIfAborted();
        throw brokenError(asking, error, redactor);
      }
    });
    const answer = v.safeParse(tokenSchema, parse(bytes));
    const token = (answer.success && (answer.output.token || answer.output.access_token)) || "";
    // The answer itself is never shown: what looks wrong to us may still hold a secret.
    if (!/^[\x21-\x7e]+$/.test(token))
      throw new WbuildError("REG_UNAUTHORIZED", `the token service of ${registry} answered without a usable token`, {
        facts: { registry, service: request.url.host },
        hint: "tell those who run the registry: this is no answer of a token service",
      });
    redactor.learn(token);
    this.#keepRefreshToken(answer.success ? answer.output.refresh_token : undefined, found);
    const life = (answer.success ? answer.output.expires_in : undefined) ?? defaultLifeSeconds;
    return { header: `Bearer ${token}`, until: Date.now() + Math.max(life, defaultLifeSeconds) * 1000 };
  }

  #keepRefreshToken(given: string | null | undefined, found: Credentials | undefined): void {
    if (!given) return;
    this.#options.redactor.learn(given);
    if (found?.identityToken !== undefined) this.#refreshed.set(found.identityToken, given);
    else if (this.#options.isLogin) this.#refreshToken = given;
  }

  #request(scopes: readonly string[], found: Credentials | undefined): HttpRequest {
    const { realm, service } = this.#service ?? { realm: new URL("https://invalid/"), service: undefined };
    const url = new URL(realm);
    if (found?.identityToken !== undefined) {
      const form = new URLSearchParams({
        grant_type: "refresh_token",
        service: service ?? "",
        client_id: "wbuild",
        scope: scopes.join(" "),
        refresh_token: this.#refreshed.get(found.identityToken) ?? found.identityToken,
      });
      const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" };
      return { method: "POST", url, headers, body: Buffer.from(form.toString()) };
    }
    if (service !== undefined) url.searchParams.set("service", service);
    for (const scope of scopes) url.searchParams.append("scope", scope);
    if (found?.username === undefined) return { method: "GET", url, headers: { accept: "application/json" } };
    url.searchParams.set("account", found.username);
    if (this.#options.isLogin) {
      url.searchParams.set("offline_token", "true");
      url.searchParams.set("client_id", "wbuild");
    }
    const authorization = basicHeader(found, this.#options.redactor);
    return { method: "GET", url, headers: { accept: "application/json", authorization } };
  }

  #readService(challenge: Challenge, operation: Operation) {
    const { registry, mayBePlain } = this.#options;
    const isLocal = isLoopback(new URL(`http://${registry}`).hostname);
    const text = challenge.parameters.get("realm") ?? "";
    const realm = URL.canParse(text) ? new URL(text) : undefined;
    if (!realm || (realm.protocol !== "https:" && realm.protocol !== "http:"))
      throw new WbuildError("REG_PROTOCOL", `${registry} names no token service that can be asked`, {
        facts: { registry, operation: operation.doing },
        hint: "tell those who run the registry: its challenge names the service in `realm`",
      });
    // Attack: a registry (or who sits before it) names an http: realm, and the password travels readable; or a realm on
    // this host, and what listens here gets a request and a password that were meant for others.
    if (realm.protocol === "http:" && !(isLocal && isLoopback(realm.hostname)) && !mayBePlain(realm.host))
      throw new WbuildError("REG_INSECURE", `${registry} names a token service without TLS: ${realm.host}`, {
        facts: { registry, service: realm.host },
        hint: "a password sent there could be read on its way; tell those who run the registry",
      });
    return { realm, service: challenge.parameters.get("service") };
  }

  async #credentials(operation: Operation): Promise<Credentials | undefined> {
    const { credentials, registry, redactor } = this.#options;
    const found = await credentials.find(registry, operation.repository);
    redactor.learn(found?.password);
    redactor.learn(found?.identityToken);
    redactor.learn(found?.registryToken);
    return found;
  }
}

function keyOf(scopes: readonly string[]): string {
  return [...scopes].sort().join(" ");
}

function basicHeader({ username = "", password = "" }: Credentials, redactor: Redactor): string {
  const encoded = Buffer.from(`${username}:${password}`).toString("base64");
  redactor.learn(encoded);
  return `Basic ${encoded}`;
}

function parse(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse(bytes?.toString("utf8") ?? "");
  } catch {
    return undefined;
  }
}
