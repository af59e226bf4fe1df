/** What a build, or the planning of one, gets of a command's session. */
import type { RegistryClient } from "../../registry/client.ts";
import { clientOf } from "../build-client.ts";
import type { BuildRequest } from "../build-request.ts";
import type { BuildWorld } from "../plan-request.ts";
import type { Cli } from "./command.ts";
import type { ProgressFlags } from "./flags/flags.ts";
import type { Session } from "./session.ts";

export async function worldOf(session: Session, cli: Cli, flags: ProgressFlags): Promise<BuildWorld> {
  return {
    store: await session.store(),
    report: await session.report(flags),
    signal: cli.signal,
    stdin: () => cli.stdin,
    stdout: cli.stdout,
  };
}

export function registryOf(request: BuildRequest, session: Session): Promise<RegistryClient> {
  return clientOf(request, (exceptions) => session.registry(exceptions));
}
