/** RegistryClient: the door to registries. It opens nothing until something is asked, and loads its transport only then. */
import { isWbuildError, WbuildError } from "../native/error.ts";
import type { Credentials } from "./credential-helper.ts";
import { type CredentialSource, dockerCredentials } from "./credentials.ts";
import { isLocalOnly, localRegistry, type Reference } from "./reference.ts";
import { openRepository, type Repository } from "./repository.ts";
import { Redactor } from "./transport/redact.ts";
import { drain, type Http, openHttp } from "./transport/request.ts";
import { defaultRetry, type RetryPolicy } from "./transport/retry.ts";
import { Session } from "./transport/session.ts";

export interface RegistryOptions {
  /** `host[:port]` that are spoken to without TLS. Loopback needs no mention: there both kinds are tried. */
  readonly plainHttp?: readonly string[];
  /** `host[:port]` whose certificates are not checked. */
  readonly insecure?: readonly string[];
  /** PEM of certificate authorities besides those that this host trusts. */
  readonly ca?: string;
  /** Milliseconds without any progress after which a connection counts as dead; default 60,000. */
  readonly fetchTimeoutMs?: number;
  readonly userAgent: string;
  warn(message: string): void;
  /** Default: Docker's configuration. */
  readonly credentials?: CredentialSource;
  readonly retry?: Partial<RetryPolicy>;
  /** Ends everything that is under way. */
  readonly signal?: AbortSignal;
}

export interface RegistryClient extends AsyncDisposable {
  /** Throws REG_LOCAL_ONLY for images that are made on this host. */
  repository(reference: Pick<Reference, "registry" | "repository">): Repository;
  /** Does the registry accept these credentials? Throws REG_UNAUTHORIZED if not. Nothing is stored. */
  checkLogin(registry: string, credentials: Credentials): Promise<void>;
  close(): Promise<void>;
}

export function openRegistry(options: RegistryOptions): RegistryClient {
  const redactor = new Redactor();
  const http = openHttp({
    insecure: options.insecure,
    ca: options.ca,
    timeoutMs: options.fetchTimeoutMs,
    userAgent: options.userAgent,
  });
  const credentials = options.credentials ?? dockerCredentials();
  const sessions = new Map<string, Session>();
  for (const host of options.insecure ?? []) options.warn(`the certificate of ${host} is not checked`);

  const close = () => http.close();
  return {
    repository({ registry, repository }) {
      refuseLocal(registry, repository);
      let session = sessions.get(registry);
      if (!session) {
        session = openSession(registry, { ...options, credentials }, http, redactor);
        sessions.set(registry, session);
      }
      return openRepository(session, repository);
    },
    async checkLogin(registry, given) {
      refuseLocal(registry);
      const only: CredentialSource = { find: async () => given };
      await checkLogin(openSession(registry, { ...options, credentials: only }, http, redactor));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function openSession(
  registry: string,
  options: RegistryOptions & { readonly credentials: CredentialSource },
  http: Http,
  redactor: Redactor,
): Session {
  return new Session({
    registry,
    http,
    redactor,
    credentials: options.credentials,
    retry: { ...defaultRetry, ...options.retry },
    plainHttp: options.plainHttp ?? [],
    signal: options.signal,
    warn: options.warn,
  });
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
