/**
 * Which hosts a repository's name leads to on this machine: registries.conf, else hosts.toml, else the registry itself; and
 * the certificates of each. Files are looked at when a name is first asked for.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { certificatesOf } from "./certs.ts";
import { containerdRoutes } from "./containerd-hosts.ts";
import { type ContainersConf, containersRoutes, readContainersConf } from "./containers-conf.ts";
import { directRoute, type HostTls, type Routes } from "./route.ts";

export interface Hosts {
  /** Throws REG_HOSTS for a file that cannot be used, REG_TLS for a certificate that it names. */
  routes(host: string, repository: string): Promise<Routes>;
  /** What certs.d has for a host. Throws REG_TLS. */
  certificates(host: string): Promise<HostTls | undefined>;
}

export interface HostsOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Where the machine's own files begin; default `/`. */
  readonly root?: string;
}

/** `$WBUILD_CERTS_D` is a folder of HOST[:PORT] that is looked at before all others. Opens nothing yet. */
export function openHosts({ env = process.env, root = "/" }: HostsOptions = {}): Hosts {
  const config = env.XDG_CONFIG_HOME?.startsWith("/") ? env.XDG_CONFIG_HOME : join(env.HOME || homedir(), ".config");
  const own = env.WBUILD_CERTS_D ? [env.WBUILD_CERTS_D] : [];
  const containerd = [...own, join(root, "etc/containerd/certs.d")];
  const certificates = [
    ...own,
    join(config, "containers/certs.d"),
    join(root, "etc/containers/certs.d"),
    join(config, "docker/certs.d"),
    join(root, "etc/docker/certs.d"),
    join(root, "etc/containerd/certs.d"),
  ];
  let conf: Promise<ContainersConf> | undefined;
  return {
    async routes(host, repository) {
      conf ??= readContainersConf({
        named: env.CONTAINERS_REGISTRIES_CONF || undefined,
        user: join(config, "containers"),
        host: join(root, "etc/containers"),
      });
      return (
        containersRoutes(await conf, host, repository) ??
        (await containerdRoutes(containerd, host, repository)) ??
        direct(host, repository)
      );
    },
    async certificates(host) {
      // Docker looks for Docker Hub by its name, podman by its address.
      const names = host === "docker.io" ? [host, "registry-1.docker.io"] : [host];
      for (const name of names) {
        const found = await certificatesOf(name, certificates);
        if (found) return found;
      }
      return undefined;
    },
  };
}

function direct(host: string, repository: string): Routes {
  const route = directRoute(host, repository);
  return { pull: [route], push: route, file: undefined, isBlocked: false };
}
