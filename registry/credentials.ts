/**
 * Who we are to a registry: Docker's configuration file, its credential store and helpers, read and written as docker does.
 * Secrets pass through here and nowhere else; no message of this file quotes the file's content or a helper's output.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { WbuildError } from "../native/error.ts";
import { askHelper, type Credentials, callHelper } from "./credential-helper.ts";
import { type AuthEntry, changeAuths, type DockerConfig, readDockerConfig } from "./docker-config.ts";

/** Finds credentials for a registry's name; undefined means anonymous. */
export interface CredentialSource {
  find(registry: string): Promise<Credentials | undefined>;
}

export interface CredentialOptions {
  /** Folder of `config.json`; default `$DOCKER_CONFIG`, else `~/.docker`. */
  readonly folder?: string;
  /** Environment of helpers; default this process's. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Credentials from Docker's configuration. `find` throws REG_CREDENTIALS. The file is read once. */
export function dockerCredentials(options: CredentialOptions = {}): CredentialSource {
  let config: Promise<DockerConfig> | undefined;
  const found = new Map<string, Promise<Credentials | undefined>>();
  return {
    find(registry) {
      let answer = found.get(registry);
      if (!answer) {
        config ??= readDockerConfig(fileOf(options));
        answer = config.then((known) => lookUp(known, registry, options));
        found.set(registry, answer);
      }
      return answer;
    },
  };
}

/**
 * Stores credentials where docker would: in the registry's helper, else the default store, else the file.
 * Says where. They are not checked here, see RegistryClient.login. Throws REG_CREDENTIALS.
 */
export async function login(
  registry: string,
  credentials: Credentials,
  options: CredentialOptions = {},
): Promise<{ place: string; isPlain: boolean }> {
  const file = fileOf(options);
  const config = await readDockerConfig(file);
  const key = serverKey(registry);
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
  await changeAuths(file, (auths) => ({ ...auths, [key]: entry }));
  return { place: file, isPlain: true };
}

/** Forgets a registry's credentials everywhere that `login` could have put them. False when there were none. */
export async function logout(registry: string, options: CredentialOptions = {}): Promise<boolean> {
  const file = fileOf(options);
  const config = await readDockerConfig(file);
  const helper = helperOf(config, registry);
  let isKnown = false;
  if (helper !== undefined && (await askHelper(helper, serverKey(registry), envOf(options))) !== undefined) {
    await callHelper(helper, "erase", serverKey(registry), envOf(options));
    isKnown = true;
  }
  const keys = Object.keys(config.auths).filter((key) => hostOf(key) === hostOf(serverKey(registry)));
  if (keys.length > 0) {
    await changeAuths(file, (auths) =>
      Object.fromEntries(Object.entries(auths).filter(([key]) => !keys.includes(key))),
    );
    isKnown = true;
  }
  return isKnown;
}

async function lookUp(
  config: DockerConfig,
  registry: string,
  options: CredentialOptions,
): Promise<Credentials | undefined> {
  const helper = helperOf(config, registry);
  if (helper !== undefined) {
    const answer = await askHelper(helper, serverKey(registry), envOf(options));
    if (answer) return answer;
  }
  const key = serverKey(registry);
  const entry = config.auths[key] ?? Object.entries(config.auths).find(([other]) => hostOf(other) === hostOf(key))?.[1];
  return entry && fromEntry(entry, registry);
}

function fromEntry(entry: AuthEntry, registry: string): Credentials | undefined {
  let { username, password } = entry;
  if (entry.auth !== undefined && entry.auth !== "") {
    const decoded = Buffer.from(entry.auth, "base64").toString("utf8");
    const colon = decoded.indexOf(":");
    if (colon < 0)
      throw new WbuildError("REG_CREDENTIALS", `the entry of ${registry} in Docker's configuration has no user name`, {
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

/** Docker Hub's credentials lie under a name that is older than the current protocol. */
function serverKey(registry: string): string {
  return registry === "docker.io" ? "https://index.docker.io/v1/" : registry;
}

/** Keys of the file may be URLs; only their host counts. */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, "").split("/")[0] ?? "";
  return host === "index.docker.io" ? "docker.io" : host;
}

function helperOf(config: DockerConfig, registry: string): string | undefined {
  const own = Object.entries(config.credHelpers).find(([key]) => hostOf(key) === hostOf(serverKey(registry)));
  const helper = own?.[1] ?? config.credsStore;
  return helper === "" ? undefined : helper;
}

function fileOf(options: CredentialOptions): string {
  const env = envOf(options);
  const folder = options.folder ?? (env.DOCKER_CONFIG || join(env.HOME || homedir(), ".docker"));
  return join(folder, "config.json");
}

function envOf(options: CredentialOptions): NodeJS.ProcessEnv {
  return options.env ?? process.env;
}
