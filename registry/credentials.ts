/**
 * Who we are to a registry: Docker's configuration file, its credential store and helpers, read and written as docker does.
 * Secrets pass through here and nowhere else; no message of this file quotes the file's content or a helper's output.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, realpath, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { WbuildError } from "../native/error.ts";

export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  /** A refresh token, given instead of a password. */
  readonly identityToken?: string;
  /** A bearer token that is used as it is. */
  readonly registryToken?: string;
}

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

const maxConfigBytes = 1024 * 1024;
const secret = v.exactOptional(v.pipe(v.string(), v.maxLength(256 * 1024)));
const entrySchema = v.looseObject({
  auth: secret,
  username: secret,
  password: secret,
  identitytoken: secret,
  registrytoken: secret,
});
const configSchema = v.looseObject({
  auths: v.optional(v.record(v.string(), entrySchema), {}),
  credsStore: v.exactOptional(v.string()),
  credHelpers: v.optional(v.record(v.string(), v.string()), {}),
});
type Config = v.InferOutput<typeof configSchema>;

/** Credentials from Docker's configuration. `find` throws REG_CREDENTIALS. The file is read once. */
export function dockerCredentials(options: CredentialOptions = {}): CredentialSource {
  let config: Promise<Config> | undefined;
  const found = new Map<string, Promise<Credentials | undefined>>();
  return {
    find(registry) {
      let answer = found.get(registry);
      if (!answer) {
        config ??= readConfig(fileOf(options));
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
  const config = await readConfig(file);
  const key = serverKey(registry);
  const { username = "", password = "", identityToken } = credentials;
  const helper = helperOf(config, registry);
  if (helper !== undefined) {
    const entry =
      identityToken === undefined
        ? { ServerURL: key, Username: username, Secret: password }
        : { ServerURL: key, Username: "<token>", Secret: identityToken };
    await callHelper(helper, "store", JSON.stringify(entry), options);
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
  const config = await readConfig(file);
  const helper = helperOf(config, registry);
  let isKnown = false;
  if (helper !== undefined && (await askHelper(helper, registry, options)) !== undefined) {
    await callHelper(helper, "erase", serverKey(registry), options);
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

async function lookUp(config: Config, registry: string, options: CredentialOptions): Promise<Credentials | undefined> {
  const helper = helperOf(config, registry);
  if (helper !== undefined) {
    const answer = await askHelper(helper, registry, options);
    if (answer) return answer;
  }
  const key = serverKey(registry);
  const entry = config.auths[key] ?? Object.entries(config.auths).find(([other]) => hostOf(other) === hostOf(key))?.[1];
  return entry && fromEntry(entry, registry);
}

function fromEntry(entry: v.InferOutput<typeof entrySchema>, registry: string): Credentials | undefined {
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

function helperOf(config: Config, registry: string): string | undefined {
  const own = Object.entries(config.credHelpers).find(([key]) => hostOf(key) === hostOf(serverKey(registry)));
  const helper = own?.[1] ?? config.credsStore;
  return helper === "" ? undefined : helper;
}

const helperAnswer = v.looseObject({ Username: v.optional(v.string(), ""), Secret: v.optional(v.string(), "") });

async function askHelper(
  helper: string,
  registry: string,
  options: CredentialOptions,
): Promise<Credentials | undefined> {
  const output = await callHelper(helper, "get", serverKey(registry), options);
  if (output === undefined) return undefined;
  let answer: v.InferOutput<typeof helperAnswer>;
  try {
    answer = v.parse(helperAnswer, JSON.parse(output));
  } catch {
    throw new WbuildError("REG_CREDENTIALS", `docker-credential-${helper} gave an answer that is not understood`);
  }
  if (answer.Secret === "") return undefined;
  return answer.Username === "<token>"
    ? { identityToken: answer.Secret }
    : { username: answer.Username, password: answer.Secret };
}

/** Runs a helper with a secret or name on its input. Undefined: it knows nothing of that registry. Never logged. */
async function callHelper(
  helper: string,
  action: "get" | "store" | "erase",
  input: string,
  options: CredentialOptions,
): Promise<string | undefined> {
  // Attack: a configuration that names "../../tmp/x" as its helper would have us run a program outside of PATH.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(helper))
    throw new WbuildError(
      "REG_CREDENTIALS",
      `${JSON.stringify(helper.slice(0, 100))} is not a credential helper's name`,
    );
  const { execFile } = await import("node:child_process");
  const program = `docker-credential-${helper}`;
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [action],
      { timeout: 60_000, maxBuffer: maxConfigBytes, env: options.env ?? process.env, encoding: "utf8" },
      (error, stdout) => {
        if (!error) return resolve(stdout);
        // The helpers' protocol has no other way to say it than these words.
        if (/credentials not found|credentials server URL|no credentials/i.test(stdout)) return resolve(undefined);
        const isMissing = error.code === ("ENOENT" as unknown);
        const why = isMissing ? "is not installed" : error.killed ? "took too long" : `failed (${error.code})`;
        reject(
          new WbuildError("REG_CREDENTIALS", `credential helper ${program} ${why}`, {
            facts: { helper: program, action },
            hint: "Docker's config.json names it under credsStore or credHelpers",
          }),
        );
      },
    );
    // A helper that ends before it reads is told by its exit code, not by the broken pipe.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

function fileOf(options: CredentialOptions): string {
  const env = options.env ?? process.env;
  const folder = options.folder ?? (env.DOCKER_CONFIG || join(env.HOME || homedir(), ".docker"));
  return join(folder, "config.json");
}

async function readConfig(file: string): Promise<Config> {
  const raw = await readRaw(file);
  const result = v.safeParse(configSchema, raw);
  if (result.success) return result.output;
  throw new WbuildError("REG_CREDENTIALS", `Docker's configuration ${file} has an unexpected shape`);
}

async function readRaw(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new WbuildError("REG_CREDENTIALS", `cannot read Docker's configuration ${file}`, { cause: error });
  }
  if (text.length > maxConfigBytes)
    throw new WbuildError("REG_CREDENTIALS", `Docker's configuration ${file} is larger than ${maxConfigBytes} bytes`);
  if (text.trim() === "") return {};
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  } catch {
    // No cause: the parser's message quotes what it read, which may be a password.
  }
  throw new WbuildError("REG_CREDENTIALS", `Docker's configuration ${file} is not a JSON object`);
}

/** Reads the file afresh, changes `auths` alone, and replaces the file in one step; all else in it stays as it was. */
async function changeAuths(
  file: string,
  change: (auths: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    // A link (dotfiles kept elsewhere) stays a link; what it points at is replaced.
    const target = await realpath(file).catch(() => file);
    const config = await readRaw(target);
    const auths = change((config.auths ?? {}) as Record<string, unknown>);
    const text = `${JSON.stringify({ ...config, auths }, undefined, "\t")}\n`;
    const temporary = `${target}.${randomBytes(6).toString("hex")}`;
    try {
      const handle = await open(temporary, "wx", 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  } catch (error) {
    if (error instanceof WbuildError) throw error;
    throw new WbuildError("REG_CREDENTIALS", `cannot write Docker's configuration ${file}`, { cause: error });
  }
}
