/**
 * Who we are to a registry: Docker's configuration file, its credential store and helpers, and podman's auth.json, read and
 * written as their makers do. Secrets pass through here and nowhere else; no message quotes a file or a helper's output.
 */
import { WbuildError } from "../native/error.ts";
import { type AuthFile, authFiles, type CredentialOptions } from "./auth-files.ts";
import { askHelper, type Credentials, callHelper, listHelper } from "./credential-helper.ts";
import { type AuthEntry, changeAuths, type DockerConfig, readDockerConfig } from "./docker-config.ts";

/** Finds credentials for a registry's name, and for one repository there; undefined means anonymous. */
export interface CredentialSource {
  find(registry: string, repository?: string): Promise<Credentials | undefined>;
}

export type { CredentialOptions } from "./auth-files.ts";

/** Credentials from the files of this host. `find` throws REG_CREDENTIALS. The files are read once. */
export function dockerCredentials(options: CredentialOptions = {}): CredentialSource {
  const files = authFiles(options).map((file) => ({ ...file, config: undefined as Promise<DockerConfig> | undefined }));
  const found = new Map<string, Promise<Credentials | undefined>>();
  const search = async (registry: string, repository: string | undefined) => {
    for (const file of files) {
      file.config ??= readDockerConfig(file.path);
      const answer = await lookUp(await file.config, file, registry, repository, envOf(options));
      if (answer) return answer;
    }
    return undefined;
  };
  return {
    find(registry, repository) {
      const key = repository === undefined ? registry : `${registry}/${repository}`;
      let answer = found.get(key);
      if (!answer) {
        answer = search(registry, repository);
        found.set(key, answer);
      }
      return answer;
    },
  };
}

/**
 * Stores credentials in `$REGISTRY_AUTH_FILE`, else where docker would: in the registry's helper, else the default store,
 * else the file. Says where. They are not checked here, see RegistryClient.checkLogin. Throws REG_CREDENTIALS.
 */
export async function login(
  registry: string,
  credentials: Credentials,
  options: CredentialOptions = {},
): Promise<{ place: string; isPlain: boolean }> {
  const file = ownFile(options);
  const config = await readDockerConfig(file.path);
  const key = serverKey(registry, file);
  const { username = "", password = "", identityToken } = credentials;
  const helper = helperOf(config, registry);
  if (helper !== undefined) {
    const entry =
      identityToken === undefined
        ? { ServerURL: key, Username: username, Secret: password }
        : { ServerURL: key, Username: "<token>", Secret: identityToken };
    await callHelper(helper, "store", JSON.stringify(entry), envOf(options));
    return { place: `docker-credential-${helper}`, isPlain: false };
  }
  const auth = Buffer.from(`${username}:${identityToken === undefined ? password : ""}`).toString("base64");
  const entry = identityToken === undefined ? { auth } : { auth, identitytoken: identityToken };
  await changeAuths(file.path, (auths) => ({ ...auths, [key]: entry }));
  return { place: file.path, isPlain: true };
}

/** What `logout` did: whether there was something to forget, and files of other programs that still know the registry. */
export interface Forgotten {
  readonly isKnown: boolean;
  readonly remains: readonly string[];
}

/** Forgets a registry's credentials everywhere that `login` could have put them. Throws REG_CREDENTIALS. */
export async function logout(registry: string, options: CredentialOptions = {}): Promise<Forgotten> {
  const file = ownFile(options);
  const config = await readDockerConfig(file.path);
  const helper = helperOf(config, registry);
  let isKnown = false;
  const key = serverKey(registry, file);
  if (helper !== undefined && (await askHelper(helper, key, envOf(options))) !== undefined) {
    await callHelper(helper, "erase", key, envOf(options));
    isKnown = true;
  }
  const keys = Object.keys(config.auths).filter((other) => isOf(other, registry, file));
  if (keys.length > 0) {
    await changeAuths(file.path, (auths) =>
      Object.fromEntries(Object.entries(auths).filter(([other]) => !keys.includes(other))),
    );
    isKnown = true;
  }
  const remains: string[] = [];
  for (const other of authFiles(options).filter(({ path }) => path !== file.path)) {
    const { auths } = await readDockerConfig(other.path);
    if (Object.keys(auths).some((name) => isOf(name, registry, other))) remains.push(other.path);
  }
  return { isKnown, remains };
}

/** Forgets the credentials for every registry: those of the file, and all that its helpers keep. Says which. Throws REG_CREDENTIALS. */
export async function logoutAll(options: CredentialOptions = {}): Promise<string[]> {
  const file = ownFile(options);
  const config = await readDockerConfig(file.path);
  const forgotten = new Set(Object.keys(config.auths).map(hostOf));
  const env = envOf(options);
  const erase = async (helper: string, server: string) => {
    await callHelper(helper, "erase", server, env);
    forgotten.add(hostOf(server));
  };
  if (config.credsStore)
    for (const server of await listHelper(config.credsStore, env)) await erase(config.credsStore, server);
  // Only what the file gives to a helper is its: others may keep theirs in the same one.
  for (const [registry, helper] of Object.entries(config.credHelpers)) {
    const server = serverKey(hostOf(registry), file);
    if (helper !== "" && (await askHelper(helper, server, env)) !== undefined) await erase(helper, server);
  }
  if (Object.keys(config.auths).length > 0) await changeAuths(file.path, () => ({}));
  return [...forgotten].sort();
}

async function lookUp(
  config: DockerConfig,
  file: AuthFile,
  registry: string,
  repository: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  const helper = helperOf(config, registry);
  if (helper !== undefined) {
    const answer = await askHelper(helper, serverKey(registry, file), env);
    if (answer) return answer;
  }
  const entry = entryOf(config.auths, file, registry, repository);
  return entry && fromEntry(entry, registry, file.path);
}

/** `HOST/NAMESPACE/REPOSITORY`, then each folder above, then HOST: containers-auth.json(5). */
function entryOf(
  auths: DockerConfig["auths"],
  file: AuthFile,
  registry: string,
  repository: string | undefined,
): AuthEntry | undefined {
  const names = new Map(Object.entries(auths).map(([key, entry]) => [plainKey(key), entry]));
  const parts = repository === undefined ? [] : repository.split("/");
  for (let count = parts.length; count > 0; count--) {
    const entry = names.get([registry, ...parts.slice(0, count)].join("/"));
    if (entry) return entry;
  }
  const exact = auths[serverKey(registry, file)] ?? names.get(registry);
  // Docker takes a key with any path for the whole host; podman's files give such a key to its namespace alone.
  return exact ?? (file.isDocker ? Object.entries(auths).find(([key]) => hostOf(key) === registry)?.[1] : undefined);
}

function fromEntry(entry: AuthEntry, registry: string, file: string): Credentials | undefined {
  let { username, password } = entry;
  if (entry.auth !== undefined && entry.auth !== "") {
    const decoded = Buffer.from(entry.auth, "base64").toString("utf8");
    const colon = decoded.indexOf(":");
    if (colon < 0)
      throw new WbuildError("REG_CREDENTIALS", `the entry of ${registry} in ${file} has no user name`, {
        hint: `log in again with: wbuild login ${registry}`,
      });
    username = decoded.slice(0, colon);
    // Docker pads passwords of long ago with zero bytes.
    password = decoded.slice(colon + 1).replace(/\0+$/, "");
  }
  const credentials: Credentials = {
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(entry.identitytoken ? { identityToken: entry.identitytoken } : {}),
    ...(entry.registrytoken ? { registryToken: entry.registrytoken } : {}),
  };
  return Object.keys(credentials).length === 0 ? undefined : credentials;
}

/** Docker Hub's credentials lie under a name that is older than the current protocol; podman uses the name of today. */
function serverKey(registry: string, { isDocker }: AuthFile): string {
  return registry === "docker.io" && isDocker ? "https://index.docker.io/v1/" : registry;
}

/** Keys of the file may be URLs; only their host counts. */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, "").split("/")[0] ?? "";
  return host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}

/** A key as `HOST` or `HOST/NAMESPACE`; what stands behind the host of a URL (`/v1/`) is no namespace. */
function plainKey(key: string): string {
  const [, ...path] = key.split("/");
  const isUrl = /^https?:\/\//.test(key) || /^v[12]$/.test(path[0] ?? "");
  return isUrl || path.length === 0 ? hostOf(key) : [hostOf(key), ...path].join("/").replace(/\/+$/, "");
}

/** Is this key the registry's own? A namespace's is not, where it has a meaning. */
function isOf(key: string, registry: string, { isDocker }: AuthFile): boolean {
  return (isDocker ? hostOf(key) : plainKey(key)) === registry;
}

function helperOf(config: DockerConfig, registry: string): string | undefined {
  const own = Object.entries(config.credHelpers).find(([key]) => hostOf(key) === registry);
  const helper = own?.[1] ?? config.credsStore;
  return helper === "" ? undefined : helper;
}

function ownFile(options: CredentialOptions): AuthFile {
  return authFiles(options)[0] as AuthFile;
}

function envOf(options: CredentialOptions): NodeJS.ProcessEnv {
  return options.env ?? process.env;
}
