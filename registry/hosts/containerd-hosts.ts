/**
 * hosts.toml of containerd: for one registry the hosts that are asked in its place, what each can do, and how each is
 * spoken to. containerd, "Registry Configuration".
 */
import { dirname, join, resolve } from "node:path";
import * as v from "valibot";
import { readPem } from "./certs.ts";
import { directRoute, type HostTls, isHost, type Route, type Routes } from "./route.ts";
import { configError, parseToml, readConfig } from "./toml.ts";

const texts = v.union([v.string(), v.array(v.string())]);
const hostFields = {
  capabilities: v.optional(v.array(v.picklist(["pull", "resolve", "push", "referrers"])), []),
  ca: v.optional(texts, []),
  client: v.optional(v.union([v.string(), v.array(texts)]), []),
  skip_verify: v.optional(v.boolean(), false),
  header: v.optional(v.record(v.string(), texts), {}),
  override_path: v.optional(v.boolean(), false),
};
const hostSchema = v.looseObject(hostFields);
const fileSchema = v.looseObject({
  ...hostFields,
  server: v.optional(v.string(), ""),
  host: v.optional(v.record(v.string(), hostSchema), {}),
});
type HostConfig = v.InferOutput<typeof hostSchema>;

/**
 * The routes that the file for a registry names: `HOST_PORT_/hosts.toml`, `HOST:PORT/hosts.toml` or `_default/hosts.toml`
 * of the first folder that has one. Undefined: no file speaks of it. Throws REG_HOSTS, REG_TLS.
 */
export async function containerdRoutes(
  folders: readonly string[],
  host: string,
  repository: string,
): Promise<Routes | undefined> {
  if (!isHost(host)) return undefined;
  const names = [host.replace(/:(\d+)$/, "_$1_"), host, "_default"];
  for (const path of folders.flatMap((folder) => names.map((name) => join(folder, name, "hosts.toml")))) {
    const text = await readConfig(path);
    if (text !== undefined) return parseHosts(path, text, host, repository);
  }
  return undefined;
}

/** What one hosts.toml says of a repository. Certificates that it names are read. Throws REG_HOSTS, REG_TLS. */
export async function parseHosts(path: string, text: string, host: string, repository: string): Promise<Routes> {
  const { server, host: hosts, ...root } = await parseToml(path, text, fileSchema);
  const routes: { route: Route; canPush: boolean }[] = [];
  for (const [address, config] of Object.entries(hosts))
    routes.push(await routeTo(path, address, config, { host, repository, isMirror: true }));
  // What stands outside of the tables is about the registry itself, or the server that is to take its place.
  routes.push(await routeTo(path, server || defaultServer(host), root, { host, repository, isMirror: false }));
  return {
    pull: routes.map(({ route }) => route).filter(({ serves }) => serves.tags || serves.digests),
    push: routes.find(({ canPush }) => canPush)?.route,
    file: path,
    isBlocked: false,
  };
}

async function routeTo(
  path: string,
  address: string,
  config: HostConfig,
  asked: { host: string; repository: string; isMirror: boolean },
): Promise<{ route: Route; canPush: boolean }> {
  const url = urlOf(path, address);
  const can = (what: "pull" | "resolve" | "push") =>
    config.capabilities.length === 0 || config.capabilities.includes(what);
  const own = url.host === "registry-1.docker.io" ? "docker.io" : url.host;
  const tls = await tlsOf(path, config);
  const isSame = own === asked.host && address === defaultServer(asked.host);
  return {
    route: {
      ...directRoute(own, asked.repository),
      // The registry itself is found as always when nothing else is said of it.
      ...(isSame ? {} : { scheme: url.protocol === "http:" ? "http" : "https" }),
      root: rootOf(url, config.override_path),
      headers: headersOf(path, config),
      ...(tls === undefined ? {} : { tls }),
      ...(own === asked.host ? {} : { namespace: asked.host }),
      isMirror: asked.isMirror,
      serves: { tags: can("resolve"), digests: can("pull") },
    },
    canPush: can("push"),
  };
}

function defaultServer(host: string): string {
  return host === "docker.io" ? "https://registry-1.docker.io" : `https://${host}`;
}

function urlOf(path: string, address: string): URL {
  const hasScheme = /^https?:\/\//.test(address);
  const isHere = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?:[:/]|$)/.test(address);
  const text = hasScheme ? address : `${isHere ? "http" : "https"}://${address}`;
  const isOther = !hasScheme && address.includes("://");
  const url = !isOther && URL.canParse(text) ? new URL(text) : undefined;
  if (url && isHost(url.host) && `${url.username}${url.password}${url.search}${url.hash}` === "") return url;
  // Not quoted: what makes it wrong is often a user and a password.
  throw configError(path, "a host is no address: http(s)://HOST[:PORT][/PATH] is expected");
}

function rootOf(url: URL, isOverridden: boolean): string {
  const path = url.pathname.replace(/\/+$/, "");
  return isOverridden || path.endsWith("/v2") ? path : `${path}/v2`;
}

function headersOf(path: string, { header }: HostConfig): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    const text = typeof value === "string" ? value : value.join(", ");
    // Attack: a value with a line break would add headers, or a request, of its own.
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(name) || !/^[\t\x20-\x7e]*$/.test(text))
      throw configError(path, "a header is not one that HTTP knows");
    headers[name.toLowerCase()] = text;
  }
  return headers;
}

/** `client` is a file with both, a list of such files, or a list of pairs. Paths are relative to the file's folder. */
async function tlsOf(path: string, config: HostConfig): Promise<HostTls | undefined> {
  const read = (name: string) => readPem(resolve(dirname(path), name));
  const authorities = typeof config.ca === "string" ? [config.ca] : config.ca;
  const given = typeof config.client === "string" ? [config.client] : config.client;
  const pairs = given.map((one): readonly string[] => (typeof one === "string" ? [one] : one));
  if (pairs.some(([cert, , more]) => !cert || more !== undefined))
    throw configError(path, "client must be a file, or pairs of certificate and key");
  if (authorities.length + pairs.length === 0 && !config.skip_verify) return undefined;
  return {
    ca: await Promise.all(authorities.map(read)),
    cert: await Promise.all(pairs.map(([cert = ""]) => read(cert))),
    key: await Promise.all(pairs.map(([cert = "", key]) => read(key || cert))),
    skipVerify: config.skip_verify,
  };
}
