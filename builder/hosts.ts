/** Which hosts an image's name leads to on this machine, for people and programs. */
import { homedir } from "node:os";
import { openHosts } from "../registry/hosts/lookup.ts";
import type { Route } from "../registry/hosts/route.ts";
import { formatName, parseReference } from "../registry/reference.ts";

export interface HostLine {
  /** Where, as a URL; `https` stands for what is found out on loopback, too. */
  readonly url: string;
  readonly use: "mirror" | "registry" | "push";
  /** What is special about it, such as `certificates are not checked`. */
  readonly notes: readonly string[];
}

export interface HostsOfName {
  readonly name: string;
  /** The file that speaks of this name; absent: none does. */
  readonly file?: string;
  readonly isBlocked: boolean;
  /** In the order of asking. */
  readonly hosts: readonly HostLine[];
}

/** Reads the configuration, asks nobody. Throws REG_REFERENCE, REG_HOSTS, REG_TLS. */
export async function hostsOf(text: string, env: NodeJS.ProcessEnv): Promise<HostsOfName> {
  const reference = parseReference(text);
  const hosts = openHosts({ env });
  const { pull, push, file, isBlocked } = await hosts.routes(reference.registry, reference.repository);
  const lineOf = async (route: Route, use: HostLine["use"]): Promise<HostLine> => {
    const tls = await hosts.certificates(route.host);
    const [tags, digests] = [route.serves.tags, route.serves.digests];
    return {
      url: `${route.scheme ?? "https"}://${addressOf(route.host)}${route.root}/${route.repository}`,
      use,
      notes: [
        ...(use === "push" || (tags && digests) ? [] : [tags ? "for tags alone" : "for digests alone"]),
        ...(route.isInsecure || route.tls?.skipVerify ? ["its certificate is not checked"] : []),
        ...(route.isInsecure ? ["http where there is no TLS"] : []),
        ...([...(tls?.ca ?? []), ...(route.tls?.ca ?? [])].length > 0 ? ["authorities of its own"] : []),
        ...([...(tls?.cert ?? []), ...(route.tls?.cert ?? [])].length > 0 ? ["a client certificate"] : []),
        // The values are secrets.
        ...(Object.keys(route.headers).length > 0 ? [`headers: ${Object.keys(route.headers).join(", ")}`] : []),
      ],
    };
  };
  const lines = await Promise.all(pull.map((route) => lineOf(route, route.isMirror ? "mirror" : "registry")));
  return {
    name: formatName(reference),
    ...(file === undefined ? {} : { file: file.replace(env.HOME || homedir(), "~") }),
    isBlocked,
    hosts: [...lines, ...(push ? [await lineOf(push, "push")] : [])],
  };
}

/** Docker Hub's images are on another host than their names say. */
function addressOf(host: string): string {
  return host === "docker.io" ? "registry-1.docker.io" : host;
}

/** A line for each host, in the order of asking. */
export function printHosts({ name, file, isBlocked, hosts }: HostsOfName): string {
  const head = isBlocked ? `${name} is blocked by ${file}\n` : `${name}${file === undefined ? "" : `, by ${file}`}\n`;
  const lines = hosts.map(({ url, use, notes }) => {
    const what = { mirror: "pull, mirror", registry: "pull", push: "push" }[use];
    return `  ${what.padEnd(12)}  ${url}${notes.length > 0 ? ` (${notes.join("; ")})` : ""}\n`;
  });
  return isBlocked ? head : head + lines.join("");
}
