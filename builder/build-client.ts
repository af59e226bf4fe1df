/** The registry client of one build. */
import type { ConnectionException } from "../layerfs/store/sources.ts";
import type { RegistryClient } from "../registry/client.ts";
import { parseReference } from "../registry/reference.ts";
import type { BuildRequest } from "./build-request.ts";

/** `host[:port]` that are spoken to otherwise than others. A client that is open reads both lists anew for each registry. */
export interface Exceptions {
  readonly plainHttp: string[];
  readonly insecure: string[];
}

/** What may be remembered of it with layers that are left in their registry. */
export function exceptionOf({ plainHttp, insecure }: BuildRequest): ConnectionException | undefined {
  return plainHttp ? "plain-http" : insecure ? "insecure" : undefined;
}

/** Registries that an output says may speak plain http. Throws REG_REFERENCE. */
export function insecureRegistries({ outputs, tags }: BuildRequest): string[] {
  return outputs.flatMap((output) =>
    "insecure" in output && output.insecure
      ? [...tags, ...output.names].map((name) => parseReference(name).registry)
      : [],
  );
}

/** What is allowed of the registry of this name, to which the request pushes. */
export function exceptionFor(name: string, request: BuildRequest): ConnectionException | undefined {
  return insecureRegistries(request).includes(parseReference(name).registry) ? "plain-http" : exceptionOf(request);
}

/** --plain-http and --insecure of a build mean every registry that it names: which those are is known when they are asked for. */
export async function clientOf(
  request: BuildRequest,
  open: (exceptions: Exceptions) => Promise<RegistryClient>,
): Promise<RegistryClient> {
  const exceptions: Exceptions = { plainHttp: [], insecure: [] };
  const client = await open(exceptions);
  if (!request.plainHttp && !request.insecure) return client;
  const repository: RegistryClient["repository"] = (reference, options) => {
    if (request.plainHttp) exceptions.plainHttp.push(reference.registry);
    if (request.insecure) exceptions.insecure.push(reference.registry);
    return client.repository(reference, options);
  };
  return { ...client, repository };
}
