/** The three files that a container gets from its run-time and not from its image: resolv.conf, hosts, hostname. */
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Addresses of the `nameserver` lines. */
export function nameServers(resolvConf: string): string[] {
  const found: string[] = [];
  for (const line of resolvConf.split("\n")) {
    const match = /^\s*nameserver\s+(\S+)/.exec(line);
    if (match?.[1] !== undefined) found.push(match[1]);
  }
  return found;
}

const isLoopback = (address: string) => /^127\./.test(address) || address === "::1";
const isIpv4 = (address: string) => /^\d+\.\d+\.\d+\.\d+$/.test(address);

/** Without the name servers that a network of its own cannot reach. */
function without(resolvConf: string, unreachable: (address: string) => boolean): string {
  const kept = resolvConf.split("\n").filter((line) => {
    const match = /^\s*nameserver\s+(\S+)/.exec(line);
    return match?.[1] === undefined || !unreachable(match[1]);
  });
  return kept.join("\n");
}

/**
 * The host's resolv.conf, as it is for `host` and `none`. In a network of its own a resolver on the host's loopback (systemd's
 * 127.0.0.53) is out of reach: then the servers behind it, from systemd's own list; or, where there are none, a warning.
 * `sources` are the two files' texts.
 */
export function resolvConf(
  network: "host" | "none" | "veth" | "pasta",
  sources: { readonly host: string; readonly upstream: string },
  warn: (text: string) => void,
): string {
  if (network === "host" || network === "none") return sources.host;
  // The veth pair carries IPv4 only.
  const unreachable = (address: string) => isLoopback(address) || (network === "veth" && !isIpv4(address));
  for (const text of [sources.host, sources.upstream]) {
    if (nameServers(text).some((address) => !unreachable(address))) return without(text, unreachable);
  }
  const listed = nameServers(sources.host);
  warn(
    listed.length === 0
      ? "this host names no resolver in /etc/resolv.conf: names cannot be looked up in the step's own network"
      : `this host's resolver (${listed.join(", ")}) cannot be reached from the step's own network: use --network host to look up names`,
  );
  return sources.host;
}

export function resolvSources(): { host: string; upstream: string } {
  return {
    host: readOrEmpty("/etc/resolv.conf"),
    upstream: readOrEmpty("/run/systemd/resolve/resolv.conf"),
  };
}

/** This host's first address that is not loopback: what `host-gateway` means. */
function hostAddress(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const address of addresses ?? []) if (address.family === "IPv4" && !address.internal) return address.address;
  }
  return "127.0.0.1";
}

/** /etc/hosts: loopback names, the container's own name, then what the caller adds; the host's own names on the host's network. */
export function hostsFile(
  hostname: string,
  extra: readonly (readonly [name: string, address: string])[],
  onHostNetwork: boolean,
): string {
  const lines = [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
  ];
  const text = onHostNetwork ? readOrEmpty("/etc/hosts").trimEnd() : "";
  const base = text === "" ? lines : text.split("\n");
  const own = hostname === "" ? [] : [`127.0.1.1\t${hostname}`];
  const added = extra.map(([name, address]) => `${address === "host-gateway" ? hostAddress() : address}\t${name}`);
  return `${[...base, ...own, ...added].join("\n")}\n`;
}
