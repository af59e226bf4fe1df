/**
 * Docker's configuration file, and podman's auth.json of the same shape: read with bounds, replaced in one step. All that is not ours in it stays as it was.
 * No message quotes its content, which is secrets.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, open, realpath, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";
import { WbuildError } from "../native/error.ts";

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
/** One registry's entry. */
export type AuthEntry = v.InferOutput<typeof entrySchema>;
export type DockerConfig = v.InferOutput<typeof configSchema>;

/** The file's content; a file that is not there is an empty one. Throws REG_CREDENTIALS. */
export async function readDockerConfig(file: string): Promise<DockerConfig> {
  const raw = await readRaw(file);
  const result = v.safeParse(configSchema, raw);
  if (result.success) return result.output;
  throw new WbuildError("REG_CREDENTIALS", `the file of credentials ${file} has an unexpected shape`);
}

async function readRaw(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new WbuildError("REG_CREDENTIALS", `cannot read the file of credentials ${file}`, { cause: error });
  }
  if (text.length > maxConfigBytes)
    throw new WbuildError("REG_CREDENTIALS", `the file of credentials ${file} is larger than ${maxConfigBytes} bytes`);
  if (text.trim() === "") return {};
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  } catch {
    // No cause: the parser's message quotes what it read, which may be a password.
  }
  throw new WbuildError("REG_CREDENTIALS", `the file of credentials ${file} is not a JSON object`);
}

/** Reads the file afresh, changes `auths` alone, and replaces the file in one step; all else in it stays as it was. */
export async function changeAuths(
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
    throw new WbuildError("REG_CREDENTIALS", `cannot write the file of credentials ${file}`, { cause: error });
  }
}
