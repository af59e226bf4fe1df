/** RegistryClient: the door to registries. It opens nothing until something is asked, and loads its transport only then. */
import type { ConnectionException } from "../layerfs/store/sources.ts";
import { isWbuildError, WbuildError } from "../native/error.ts";
import type { Credentials } from "./credential-helper.ts";
import { type CredentialSource, dockerCredentials } from "./credentials.ts";
import { type Hosts, openHosts } from "./hosts/lookup.ts";
import { directRoute, type Route, targetOnly } from "./hosts/route.ts";
import { RoutedSession } from "./hosts/routed-session.ts";
import { isLocalOnly, localRegistry, type Reference } from "./reference.ts";
import { openRepository } from "./remote-repository.ts";
import type { Repository } from "./repository.ts";
import type { Place } from "./transport/home.ts";
import { Redactor } from "./transport/redact.ts";
import { drain, openHttp } from "./transport/request.ts";
import { defaultRetry, type RetryPolicy } from "./transport/retry.ts";
import { Session } from "./transport/session.ts";

export interface RegistryOptions {
  /** `host[:port]` that are spoken to without TLS. Loopback needs no mention: there both kinds are tried. */
  readonly plainHttp?: readonly string[];
  /** `host[:port]` whose certificates are not checked, and which may speak plain http. */
  readonly insecure?: readonly string[];
  /** PEM of certificate authorities besides those that this host trusts. */
  readonly ca?: string;
  /** Milliseconds without any progress after which a connection counts as dead; default 60,000. */
  readonly fetchTimeoutMs?: number;
  readonly userAgent: string;
  warn(message: string): void;
  /** Default: Docker's configuration. */
  readonly credentials?: CredentialSource;
  /** Default: registries.conf, hosts.toml and certs.d of this host. */
  readonly hosts?: Hosts;
  readonly retry?: Partial<RetryPolicy>;
  /** Bytes of a piece when a blob has to be pushed in pieces; default 16 MiB. */
  readonly chunkBytes?: number;
  /** Ends everything that is under way. */
  readonly signal?: AbortSignal;
}

export interface RegistryClient extends AsyncDisposable {
  /**
   * `isTarget`: who is going to change what is there. Then nothing is asked of mirrors, whose answers would be about another
   * place. `exception`: what is allowed of the connection to this registry, whatever the client was opened with.
   * Throws REG_LOCAL_ONLY for images that are made on this host.
   */
  repository(
    reference: Pick<Reference, "registry" | "repository">,
    options?: { readonly isTarget?: boolean; readonly exception?: ConnectionException | undefined },
  ): Repository;
  /**
   * Does the registry accept these credentials? Throws REG_UNAUTHORIZED if not. Nothing is stored. What is to be stored
   * comes back: a refresh token in place of the password when the token service gives one.
   */
  checkLogin(registry: string, credentials: Credentials): Promise<Credentials>;
  close(): Promise<void>;
}

/**
 * A client for any number of registries. It keeps connections and tokens until it is closed, and asks a registry nothing
 * before the first request of a repository does.
 */
export function openRegistry(options: RegistryOptions): RegistryClient {
  const redactor = new Redactor();
  const http = openHttp({ ca: options.ca, timeoutMs: options.fetchTimeoutMs, userAgent: options.userAgent });
  const credentials = options.credentials ?? dockerCredentials();
  const hosts = options.hosts ?? openHosts();
  const told = new Set<string>();
  const common = {
    http,
    redactor,
    credentials,
    plainHttp: options.plainHttp ?? [],
    insecure: options.insecure ?? [],
    retry: { ...defaultRetry, ...options.retry },
    chunkBytes: options.chunkBytes,
    signal: options.signal,
    warn(message: string) {
      if (!told.has(message)) options.warn(message);
      told.add(message);
    },
  };
  const places = new Map<string, Session>();
  const open = (route: Route, retry: RetryPolicy, exceptions: object): Session => {
    // The name of the repository does not make another place: its tokens have scopes.
    const key = JSON.stringify({ ...route, repository: "", serves: "", ...exceptions });
    let session = places.get(key);
    if (!session) {
      session = new Session({ ...common, ...exceptions, registry: route.host, retry, place: placeOf(route, hosts) });
      places.set(key, session);
    }
    return session;
  };
  const sessions = new Map<string, Session>();

  const close = () => http.close();
  return {
    repository({ registry, repository }, { isTarget = false, exception } = {}) {
      refuseLocal(registry, repository);
      const key = `${registry}/${repository} ${isTarget} ${exception}`;
      const exceptions = {
        ...(exception === "plain-http" ? { plainHttp: [...common.plainHttp, registry] } : {}),
        ...(exception === "insecure" ? { insecure: [...common.insecure, registry] } : {}),
      };
      let session = sessions.get(key);
      if (!session) {
        session = new RoutedSession(
          { ...common, registry },
          repository,
          async () => {
            const routes = await hosts.routes(registry, repository);
            return isTarget ? targetOnly(routes) : routes;
          },
          (route, retry) => open(route, retry, exceptions),
        );
        sessions.set(key, session);
      }
      return openRepository(session, repository);
    },
    async checkLogin(registry, given) {
      refuseLocal(registry);
      const only: CredentialSource = { find: async () => given };
      const place = placeOf(await loginRoute(hosts, registry), hosts);
      const session = new Session({ ...common, registry, credentials: only, place, isLogin: true });
      await checkLogin(session);
      const identityToken = session.refreshToken;
      if (identityToken === undefined) return given;
      return { identityToken, ...(given.username === undefined ? {} : { username: given.username }) };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** How the registry itself is spoken to; a mirror has a login of its own. Throws REG_BLOCKED, REG_HOSTS. */
async function loginRoute(hosts: Hosts, registry: string): Promise<Route> {
  // Any repository will do for what is said of the whole host.
  const { pull, push, isBlocked, file } = await hosts.routes(registry, "login");
  if (isBlocked)
    throw new WbuildError("REG_BLOCKED", `${registry} is blocked by ${file}`, { facts: { registry, file } });
  const all = push ? [push, ...pull] : pull;
  return all.find(({ host }) => host === registry) ?? directRoute(registry, "login");
}

/** A route's own certificates beside those that certs.d has for its host. */
function placeOf(route: Route, hosts: Hosts): Place {
  return {
    ...route,
    async certificates() {
      const found = await hosts.certificates(route.host);
      const { tls } = route;
      if (!found || !tls) return tls ?? found;
      return {
        ca: [...tls.ca, ...found.ca],
        cert: [...tls.cert, ...found.cert],
        key: [...tls.key, ...found.key],
        skipVerify: tls.skipVerify,
      };
    },
  };
}

/** GET /v2/ is the protocol's own question for this (distribution specification, "Determining Support"). */
async function checkLogin(session: Session): Promise<void> {
  try {
    const response = await session.send({
      method: "GET",
      path: "/v2/",
      operation: { doing: "log in" },
      scopes: [],
      isIdempotent: true,
    });
    await drain(response.body);
  } catch (error) {
    if (!isWbuildError(error, "REG_UNAUTHORIZED")) throw error;
    throw new WbuildError("REG_UNAUTHORIZED", error.message, {
      facts: error.facts,
      hint: "check the user name and the password or token",
    });
  }
}

function refuseLocal(registry: string, repository?: string): void {
  if (!isLocalOnly({ registry })) return;
  const name = repository === undefined ? registry : `${registry}/${repository}`;
  const base = repository === "linux" || repository === "windows" || repository === "debian" ? repository : "linux";
  throw new WbuildError("REG_LOCAL_ONLY", `${name} is made on this host and comes from no registry`, {
    facts: { registry: localRegistry, ...(repository === undefined ? {} : { repository }) },
    hint: `make it with: wbuild base ${base}`,
  });
}
