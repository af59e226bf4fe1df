/** The files that may hold credentials, in the order in which they are asked; what `login` keeps goes to the first. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export interface CredentialOptions {
  /** Folder of `config.json`; default `$DOCKER_CONFIG`, else `~/.docker`. */
  readonly folder?: string;
  /** Environment of helpers; default this process's. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface AuthFile {
  readonly path: string;
  /** Docker's own, not podman's: keys with a path stand for their whole host. */
  readonly isDocker: boolean;
}

/**
 * `$REGISTRY_AUTH_FILE` alone when it is set, as for skopeo. Else Docker's config.json, then podman's auth.json of this login
 * session (`$XDG_RUNTIME_DIR`), then the one of this user.
 */
export function authFiles(options: CredentialOptions = {}): readonly AuthFile[] {
  const env = options.env ?? process.env;
  if (env.REGISTRY_AUTH_FILE && options.folder === undefined)
    return [{ path: env.REGISTRY_AUTH_FILE, isDocker: false }];
  const home = env.HOME || homedir();
  const runtime = env.XDG_RUNTIME_DIR || `/run/containers/${process.getuid?.() ?? 0}`;
  const config = env.XDG_CONFIG_HOME?.startsWith("/") ? env.XDG_CONFIG_HOME : join(home, ".config");
  const docker = join(options.folder ?? (env.DOCKER_CONFIG || join(home, ".docker")), "config.json");
  const podman = [join(runtime, "containers/auth.json"), join(config, "containers/auth.json")];
  return [
    { path: docker, isDocker: true },
    // In a folder of another user (root's, seen from a namespace) they do not exist for us.
    ...podman.filter((path) => existsSync(path)).map((path) => ({ path, isDocker: false })),
  ];
}
