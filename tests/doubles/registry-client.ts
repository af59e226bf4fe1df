/** Clients of registries as most tests want them: without accounts, silent, and quick to try again. */
import type { ExecutionContext } from "ava";
import { openRegistry, type RegistryClient, type RegistryOptions } from "../../registry/client.ts";
import { parseReference } from "../../registry/reference.ts";
import type { Repository } from "../../registry/repository.ts";

export function anonymousClient(options: Partial<RegistryOptions> = {}): RegistryClient {
  return openRegistry({
    userAgent: "wbuild-test/1",
    warn() {},
    credentials: { find: async () => undefined },
    ...options,
    retry: { baseMs: 1, capMs: 2, ...options.retry },
  });
}

/** One that is closed when the test ends. */
export function clientFor(t: ExecutionContext, options?: Partial<RegistryOptions>): RegistryClient {
  const client = anonymousClient(options);
  t.teardown(() => client.close());
  return client;
}

/** `team/app` of a registry, and the client that speaks to it. */
export function openApp(
  host: string,
  options?: Partial<RegistryOptions>,
): { readonly client: RegistryClient; readonly repository: Repository } & AsyncDisposable {
  const client = anonymousClient(options);
  const repository = client.repository(parseReference(`${host}/team/app`));
  return { client, repository, [Symbol.asyncDispose]: client.close };
}
