/** What `sign` and `verify` share: key files and their passwords, and the images that are named. */
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { WbuildError } from "../../native/error.ts";
import type { RegistryClient } from "../../registry/client.ts";
import type { Repository } from "../../registry/repository.ts";
import { ask } from "./ask.ts";
import type { Cli } from "./command.ts";
import { parseVariables } from "./flags/values.ts";

/** No key and no trusted root comes near. */
const maxFileBytes = 4 * 1024 * 1024;

/** The bytes of a file, or of a variable written as `env://NAME`. Throws CLI_VALUE. */
export async function readGiven(cli: Cli, flag: string, text: string): Promise<Buffer> {
  const name = /^env:\/\/(\w+)$/.exec(text)?.[1];
  if (name !== undefined) {
    const value = cli.env[name];
    if (!value) throw new WbuildError("CLI_VALUE", `${flag} names the variable ${name}, which is not set`);
    return Buffer.from(value);
  }
  try {
    await using file = await open(resolve(cli.cwd, text));
    const { size } = await file.stat();
    if (size > maxFileBytes) throw new WbuildError("CLI_VALUE", `${flag}: ${text} has ${size} bytes, too many`);
    return await file.readFile();
  } catch (error) {
    if (error instanceof WbuildError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new WbuildError("CLI_VALUE", `${flag}: ${text} cannot be read${code ? ` (${code})` : ""}`);
  }
}

/** The password of a private key: `$COSIGN_PASSWORD`, also when it is empty, else what is typed; twice for a new one. */
export async function passwordFor(cli: Cli, isNew = false): Promise<string> {
  const given = cli.env.COSIGN_PASSWORD;
  const otherwise = ["the private key's password", "put it into $COSIGN_PASSWORD"] as const;
  const password = given ?? (await ask(cli, { text: "Password of the private key: ", echo: false, otherwise }));
  if (password !== "") cli.keepSecret(password);
  if (given === undefined && isNew) {
    const again = await ask(cli, { text: "Once more: ", echo: false, otherwise });
    if (again !== password) throw new WbuildError("CLI_USAGE", "the two passwords differ");
  }
  return password;
}

/** `-a KEY=VALUE`, repeated. Throws CLI_VALUE. */
export function parseClaims(texts: readonly string[] = []): Record<string, string> {
  for (const text of texts)
    if (!text.includes("="))
      throw new WbuildError("CLI_VALUE", `-a ${JSON.stringify(text)} is not of the form NAME=VALUE`);
  return parseVariables("-a", texts, {});
}

export interface NamedImage {
  readonly repository: Repository;
  readonly descriptor: Descriptor;
  /** A tag was given, not a digest. */
  readonly isByTag: boolean;
}

/** What a name means in its registry now; `isTarget` as RegistryClient has it. Throws as Repository.resolve does. */
export async function findNamed(client: RegistryClient, text: string, isTarget = false): Promise<NamedImage> {
  const { parseReference } = await import("../../registry/reference.ts");
  const reference = parseReference(text);
  const repository = client.repository(reference, { isTarget });
  const descriptor = await repository.resolve(reference.digest ?? reference.tag ?? "latest");
  return { repository, descriptor, isByTag: reference.digest === undefined };
}

/** Names of registries in image names: for --plain-http. */
export async function registriesOf(texts: readonly string[]): Promise<string[]> {
  const { parseReference } = await import("../../registry/reference.ts");
  return texts.map((text) => parseReference(text).registry);
}
