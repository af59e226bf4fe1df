/**
 * Configuration of other programs in TOML: read with bounds, checked against a schema. No message quotes what stands
 * there, since headers of hosts.toml are secrets.
 */
import { readFileSync, statSync } from "node:fs";
import * as v from "valibot";
import { WbuildError } from "../../native/error.ts";

const maxBytes = 1024 * 1024;

/** A file's text; undefined when it is not there. Throws REG_HOSTS. */
export async function readConfig(path: string): Promise<string | undefined> {
  try {
    const { size } = statSync(path);
    if (size > maxBytes) throw configError(path, `it is larger than ${maxBytes} bytes`);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof WbuildError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw configError(path, "it cannot be read", error);
  }
}

/** TOML text as what a schema wants. `path` is for messages. Throws REG_HOSTS, with line and column, or the key. */
export async function parseToml<T extends v.GenericSchema>(
  path: string,
  text: string,
  schema: T,
): Promise<v.InferOutput<T>> {
  // Loaded late: most hosts have no such file.
  const { parse, TomlError } = await import("smol-toml");
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    // No cause: the parser's message quotes the lines around, which may be a header with a token.
    const at = error instanceof TomlError ? ` (line ${error.line}, column ${error.column})` : "";
    throw configError(path, `it is no valid TOML${at}`);
  }
  const result = v.safeParse(schema, document);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const key = issue.path?.map((item) => String(item.key)).join(".") ?? "";
  throw configError(path, `${key.slice(0, 100) || "its content"} is not what is expected there`);
}

/** REG_HOSTS: a file that says where registries are cannot be used. */
export function configError(path: string, why: string, cause?: unknown): WbuildError {
  return new WbuildError("REG_HOSTS", `the configuration of registries ${path} cannot be used: ${why}`, {
    facts: { file: path },
    ...(cause === undefined ? {} : { cause }),
  });
}
