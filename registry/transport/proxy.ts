/** Which proxy a request goes through: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, read as docker, skopeo and every Go program do. */
import { BlockList, isIP } from "node:net";
import { WbuildError } from "../../native/error.ts";

const defaultPorts: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/** The proxy's URL, with its user and password; undefined: none. Throws REG_UNREACHABLE for a proxy that is no URL. */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const given = env[name] || env[name.toLowerCase()];
  if (!given || isExempt(url, env.NO_PROXY || env.no_proxy || "")) return undefined;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `http://${given}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  // The value is not quoted: it may hold a password.
  if (!proxy || (proxy.protocol !== "http:" && proxy.protocol !== "https:"))
    throw new WbuildError("REG_UNREACHABLE", `the proxy that ${name} names is no http or https address`, {
      facts: { variable: name },
    });
  return proxy.href;
}

/**
 * True when NO_PROXY names the host: `*`, a domain with those below it, `.domain` or `*.domain` for those below it alone, an
 * address, or a network such as 10.0.0.0/8 (of addresses in URLs; names are not looked up for it). Each with a port, too.
 */
export function isExempt(url: URL, list: string): boolean {
  const host = url.hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
  const port = url.port || defaultPorts[url.protocol];
  return list
    .split(",")
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== "" && matches(entry, host, port));
}

function matches(entry: string, host: string, port: string | undefined): boolean {
  if (entry === "*") return true;
  const [network = "", bits] = entry.split("/");
  if (bits !== undefined) return isWithin(host, network, bits);
  const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry);
  const name = (isIP(entry) ? entry : (parts?.[1] ?? entry)).replace(/^\[|\]$/g, "");
  const wanted = isIP(entry) ? undefined : parts?.[2];
  if (wanted !== undefined && wanted !== port) return false;
  if (isIP(host)) return isIP(name) !== 0 && isWithin(host, name, isIP(name) === 6 ? "128" : "32");
  const below = name.replace(/^\*?\./, "");
  if (below === "") return false;
  return host.endsWith(`.${below}`) || (below === name && host === name);
}

function isWithin(host: string, network: string, bits: string): boolean {
  const family = isIP(network);
  const prefix = /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  if (family === 0 || isIP(host) !== family || prefix < 0 || prefix > (family === 6 ? 128 : 32)) return false;
  const block = new BlockList();
  const kind = family === 6 ? "ipv6" : "ipv4";
  block.addSubnet(network, prefix, kind);
  return block.check(host, kind);
}
