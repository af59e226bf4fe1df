/** Which files define a bake, and what they come to together. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { WbuildError } from "../../native/error.ts";
import { readCompose } from "./compose.ts";
import { type Definition, define, mergeDefinitions } from "./definition.ts";
import { type BakeDocument, type BakeFile, readDocuments } from "./document.ts";
import { BakeScope, type ScopeOptions } from "./scope.ts";

/** Looked for in this order, and laid on each other in it. */
const usualFiles: readonly string[] = [
  "compose.yaml",
  "compose.yml",
  "docker-compose.yml",
  "docker-compose.yaml",
  "docker-bake.json",
  "docker-bake.hcl",
  "docker-bake.override.json",
  "docker-bake.override.hcl",
];

const largest = 4 << 20;

export interface BakePlace {
  readonly folder: string;
  readonly stdin: () => Readable;
  /** Reads a file of the place elsewhere that was asked for; undefined for one that is not there. */
  readonly elsewhere?: (name: string) => Promise<string | undefined>;
}

/**
 * The named files, or the usual ones that are there. "-" is standard input, `cwd://x` lies in the folder also when the others
 * lie elsewhere. Throws BAKE_FILE.
 */
export async function readFiles(names: readonly string[], place: BakePlace): Promise<BakeFile[]> {
  const files: BakeFile[] = [];
  const mayMiss = names.length === 0;
  for (const given of mayMiss ? usualFiles : names) {
    const isOwn = given.startsWith("cwd://");
    const name = isOwn ? given.slice("cwd://".length) : given;
    const text =
      name === "-"
        ? await readAll(place.stdin())
        : place.elsewhere && !isOwn
          ? await fromElsewhere(name, place.elsewhere, mayMiss)
          : await readOne(join(name.startsWith("/") ? "/" : place.folder, name), mayMiss);
    if (text === undefined) continue;
    if (text.length > largest)
      throw new WbuildError("BAKE_FILE", `${name} is larger than 4 MiB`, { facts: { file: name } });
    files.push({ name, text });
  }
  if (files.length > 0) return files;
  throw new WbuildError("BAKE_FILE", `there is no bake file ${place.elsewhere ? "there" : "in this folder"}`, {
    hint: `write one of ${usualFiles.join(", ")}, or name another with -f`,
  });
}

async function fromElsewhere(name: string, read: NonNullable<BakePlace["elsewhere"]>, mayMiss: boolean) {
  const text = await read(name);
  if (text !== undefined || mayMiss) return text;
  throw new WbuildError("BAKE_FILE", `cannot read ${name}: it is not there`, {
    facts: { file: name },
    hint: `a file of this host is named cwd://${name}`,
  });
}

async function readOne(path: string, mayMiss: boolean): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (mayMiss && code === "ENOENT") return undefined;
    throw new WbuildError("BAKE_FILE", `cannot read ${path}: ${code === "ENOENT" ? "it is not there" : code}`, {
      cause,
      facts: { file: path },
    });
  }
}

async function readAll(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream) {
    parts.push(part as Buffer);
    size += (part as Buffer).length;
    if (size > largest) break;
  }
  return Buffer.concat(parts).toString("utf8");
}

export interface Bake {
  readonly definition: Definition;
  readonly scope: BakeScope;
}

/** Compose files first, then the others over them. Throws BAKE_SYNTAX, BAKE_VALUE, BAKE_LOOP. */
export async function readBake(files: readonly BakeFile[], options: ScopeOptions): Promise<Bake> {
  const isCompose = ({ name, text }: BakeFile) =>
    /\.ya?ml$/i.test(name) || (!/\.(json|hcl)$/i.test(name) && looksLikeCompose(text));
  let definition: Definition = { groups: new Map(), targets: new Map() };
  const env = { ...options.env, ...options.given };
  for (const { name, text } of files.filter(isCompose))
    definition = mergeDefinitions(definition, await readCompose(name, text, env));
  const document: BakeDocument = await readDocuments(files.filter((file) => !isCompose(file)));
  const scope = new BakeScope(document, options);
  scope.validate();
  return { definition: mergeDefinitions(definition, define(document, scope)), scope };
}

/** Of text without a name that tells: HCL never has a line like this. */
function looksLikeCompose(text: string): boolean {
  return /^services:/m.test(text);
}
