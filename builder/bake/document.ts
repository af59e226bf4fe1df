/** What bake files say, several laid on each other, before anything is evaluated: variables, functions, groups, targets. */
import { WbuildError } from "../../native/error.ts";
import { compile, parseHcl, type Raw } from "./syntax.ts";

export interface BakeFile {
  readonly name: string;
  readonly text: string;
}

/** A block of HCL with one label, or an entry of the same meaning in JSON. */
export interface Block {
  readonly file: string;
  readonly name: string;
  readonly body: ReadonlyMap<string, Raw>;
}

export interface Variable extends Block {
  readonly validations: readonly ReadonlyMap<string, Raw>[];
}

export interface BakeDocument {
  readonly variables: readonly Variable[];
  readonly functions: readonly Block[];
  readonly groups: readonly Block[];
  readonly targets: readonly Block[];
  /** `NAME = value` outside of blocks: the value of a variable. */
  readonly attributes: ReadonlyMap<string, Raw>;
}

const kinds = ["variable", "function", "group", "target"] as const;

/** Reads HCL and JSON files in order. Throws BAKE_SYNTAX. */
export async function readDocuments(files: readonly BakeFile[]): Promise<BakeDocument> {
  const variables: Variable[] = [];
  const blocks = { function: [] as Block[], group: [] as Block[], target: [] as Block[] };
  const attributes = new Map<string, Raw>();
  for (const { name: file, text } of files) {
    const content = isJson(file, text) ? parseJson(file, text) : await parseHcl(file, text);
    for (const [key, value] of Object.entries(content)) {
      const kind = kinds.find((one) => one === key);
      if (!kind) {
        attributes.set(key, await compile(file, value));
        continue;
      }
      for (const [name, body] of bodies(file, kind, value)) {
        const { validation, ...rest } = body;
        if (kind === "variable") {
          const validations = await Promise.all(
            [validation ?? []].flat().map((one) => compileBody(file, one as object)),
          );
          variables.push({ file, name, body: await compileBody(file, rest), validations });
        } else blocks[kind].push({ file, name, body: await compileBody(file, body) });
      }
    }
  }
  return { variables, functions: blocks.function, groups: blocks.group, targets: blocks.target, attributes };
}

function isJson(file: string, text: string): boolean {
  return /\.json$/i.test(file) || (!/\.hcl$/i.test(file) && /^\s*\{/.test(text));
}

function parseJson(file: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (cause) {
    throw new WbuildError("BAKE_SYNTAX", `${file} is no valid JSON: ${(cause as Error).message}`, {
      facts: { file },
      cause,
    });
  }
  throw new WbuildError("BAKE_SYNTAX", `${file} holds no JSON object`, { facts: { file } });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Each labelled body; the parser gives a list of those with one label, JSON mostly a lone one. */
function* bodies(file: string, kind: string, value: unknown): Generator<[name: string, body: Record<string, unknown>]> {
  for (const labelled of [value].flat()) {
    if (!isObject(labelled))
      throw new WbuildError("BAKE_SYNTAX", `${file}: a ${kind} needs a name`, { facts: { file } });
    for (const [name, all] of Object.entries(labelled)) {
      for (const body of [all].flat()) {
        if (!isObject(body))
          throw new WbuildError("BAKE_SYNTAX", `${file}: ${kind} ${JSON.stringify(name)} is no block`, {
            facts: { file, name },
          });
        yield [name, body];
      }
    }
  }
}

async function compileBody(file: string, body: object): Promise<ReadonlyMap<string, Raw>> {
  const entries = Object.entries(body).map(async ([name, value]) => [name, await compile(file, value)] as const);
  return new Map(await Promise.all(entries));
}
