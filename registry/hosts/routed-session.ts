/**
 * A session that asks mirrors first: manifests and blobs that are read come from the first place that has them; all else
 * (uploads, tags, deletions, and whether a blob is there already) is the business of the registry itself.
 */
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { drain, type HttpResponse } from "../transport/request.ts";
import { type Ask, Session, type SessionOptions } from "../transport/session.ts";
import type { Route, Routes } from "./route.ts";

/** How a session for a place is had; the same place gives the same session, and with it its tokens. */
export type OpenPlace = (route: Route, retry: SessionOptions["retry"]) => Session;

/** A mirror that does not answer is not waited for long: the next place is. */
const mirrorAttempts = 2;
/** So many answers of a mirror may break off before it is left alone: what is asked again would go to it for ever. */
const maxBroken = 2;

export class RoutedSession extends Session {
  readonly #repository: string;
  readonly #find: () => Promise<Routes>;
  readonly #open: OpenPlace;
  #routes: Promise<Routes> | undefined;
  /** Mirrors that could not be reached are left alone by whoever comes later. */
  readonly #dead = new Set<Route>();
  readonly #broken = new Map<Route, number>();
  /** Which mirror gave what was asked for under a tag or digest. */
  readonly #givers = new Map<string, Route>();
  /** Mirrors for tags alone that gave one: its blobs are theirs, too. */
  readonly #chosen = new Set<Route>();

  constructor(options: SessionOptions, repository: string, find: () => Promise<Routes>, open: OpenPlace) {
    super(options);
    this.#repository = repository;
    this.#find = find;
    this.#open = open;
  }

  override async send(ask: Ask): Promise<HttpResponse> {
    const what = ask.isElsewhere === true ? undefined : readIn(ask, this.#repository);
    if (what !== undefined) return this.#read(ask, what, await this.#allowed());
    return this.#sendTo(await this.#target(ask.method !== "GET"), ask);
  }

  override async locate(...args: Parameters<Session["locate"]>): Promise<URL> {
    return this.#session(await this.#target(false)).locate(...args);
  }

  async #read(ask: Ask, what: "tag" | "digest", { pull, file }: Routes): Promise<HttpResponse> {
    const failures: { host: string; error: unknown }[] = [];
    const places = pull.filter((route) => this.#mayServe(route, what));
    for (const route of places) {
      const isLast = route === places.at(-1);
      try {
        const response = await this.#sendTo(route, ask);
        // HEAD and GET of some callers take refusals for answers; from a mirror they are not the last word.
        if (isLast || (response.status >= 200 && response.status < 300)) {
          if (what === "tag") this.#chosen.add(route);
          if (!isLast) {
            this.#givers.set(nameIn(ask), route);
            this.#watch(route, response);
          }
          return response;
        }
        await drain(response.body);
      } catch (error) {
        ask.signal?.throwIfAborted();
        this.options.signal?.throwIfAborted();
        failures.push({ host: route.host, error });
        if (!isLast && isDead(error)) this.#dead.add(route);
      }
    }
    const last = failures.at(-1)?.error;
    if (!isWbuildError(last))
      throw (
        last ??
        new WbuildError("REG_HOSTS", `${file ?? "the configuration"} names no host that serves ${this.#name()}`, {
          facts: { registry: this.registry, repository: this.#repository },
        })
      );
    throw failures.length === 1 ? last : withMirrors(last, failures.slice(0, -1), file);
  }

  /** Attack, or a broken cache: a mirror whose content is another would keep an image from everybody that it serves. */
  override distrust(name: string): boolean {
    const giver = this.#givers.get(name);
    if (!giver) return false;
    this.#givers.delete(name);
    this.#dead.add(giver);
    this.options.warn(`the mirror ${giver.host} gave wrong content of ${this.#name()}, and is asked no more`);
    return true;
  }

  #watch(route: Route, { body }: HttpResponse): void {
    body.once("error", (error) => {
      // Whoever has read enough ends the stream, too.
      if (error.name === "AbortError") return;
      const count = (this.#broken.get(route) ?? 0) + 1;
      this.#broken.set(route, count);
      if (count >= maxBroken) this.#dead.add(route);
    });
  }

  /** The route of what is no reading: uploads, and questions that only the registry itself can answer. */
  async #target(isPush: boolean): Promise<Route> {
    const { push, pull, file } = await this.#allowed();
    const route = push ?? (isPush ? undefined : pull.at(-1));
    if (route) return route;
    const where = file ?? "the configuration";
    throw new WbuildError("REG_HOSTS", `${where} names no host that takes pushes to ${this.#name()}`, {
      facts: { registry: this.registry, repository: this.#repository },
      hint: 'give one of its hosts the capability "push"',
    });
  }

  async #allowed(): Promise<Routes> {
    this.#routes ??= this.#find();
    const routes = await this.#routes;
    if (!routes.isBlocked) return routes;
    throw new WbuildError("REG_BLOCKED", `${this.#name()} is blocked by ${routes.file}`, {
      facts: { registry: this.registry, repository: this.#repository, file: routes.file },
    });
  }

  #mayServe(route: Route, what: "tag" | "digest"): boolean {
    if (this.#dead.has(route)) return false;
    return what === "tag" ? route.serves.tags : route.serves.digests || this.#chosen.has(route);
  }

  #session(route: Route): Session {
    const { retry } = this.options;
    const patience = { ...retry, attempts: Math.min(retry.attempts, mirrorAttempts) };
    return this.#open(route, route.isMirror ? patience : retry);
  }

  #sendTo(route: Route, ask: Ask): Promise<HttpResponse> {
    return this.#session(route).send(renamed(ask, this.#repository, route.repository));
  }

  #name(): string {
    return `${this.registry}/${this.#repository}`;
  }
}

/** What a request reads of this repository: a manifest by tag or digest, a blob. Undefined for all else. */
function readIn({ method, path }: Ask, repository: string): "tag" | "digest" | undefined {
  if (typeof path !== "string") return undefined;
  const [kind, name, more] = path.startsWith(`/v2/${repository}/`)
    ? path.slice(`/v2/${repository}/`.length).split("/")
    : [];
  if (name === undefined || more !== undefined) return undefined;
  if (kind === "blobs" && method === "GET") return "digest";
  // HEAD of a blob is what a push asks; a mirror's answer would leave the registry without it.
  if (kind !== "manifests" || (method !== "GET" && method !== "HEAD")) return undefined;
  return name.includes(":") ? "digest" : "tag";
}

/** The tag or digest at the end of a path that readIn knows. */
function nameIn({ path }: Ask): string {
  return typeof path === "string" ? path.slice(path.lastIndexOf("/") + 1) : "";
}

/** The same request at a place that has the repository under another name. */
function renamed(ask: Ask, from: string, to: string): Ask {
  if (from === to) return ask;
  const scopes = ask.scopes.map((scope) => scope.replace(`repository:${from}:`, () => `repository:${to}:`));
  const path =
    typeof ask.path === "string" && ask.path.startsWith(`/v2/${from}/`)
      ? `/v2/${to}/${ask.path.slice(`/v2/${from}/`.length)}`
      : ask.path;
  return { ...ask, path, scopes, operation: { ...ask.operation, repository: to } };
}

function isDead(error: unknown): boolean {
  return (["REG_UNREACHABLE", "REG_TIMEOUT", "REG_TLS"] as const).some((code) => isWbuildError(error, code));
}

function withMirrors(error: WbuildError, failures: { host: string; error: unknown }[], file: string | undefined) {
  const told = failures.map(({ host, error: why }) => `${host}: ${isWbuildError(why) ? why.message : "failed"}`);
  return new WbuildError(
    error.code,
    `${error.message}; mirrors of ${file} before that: ${told.join("; ").slice(0, 1000)}`,
    {
      facts: { ...error.facts, mirrors: failures.map(({ host }) => host) },
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
    },
  );
}
