/** Lists that a registry gives in pages: each names the next in its Link header (distribution specification, "Listing Tags"). */
import { parseJson } from "../oci/schema.ts";
import { type Operation, protocolError } from "./complaint.ts";
import type { Ask, Session } from "./session.ts";
import { askWhole, type WholeAnswer } from "./whole.ts";

export interface Page {
  /** What came with success; undefined when there is no list. */
  readonly content: object | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

export interface List {
  readonly path: string;
  readonly operation: Omit<Operation, "registry">;
  readonly scopes: readonly string[];
  /** Media type that is asked for. */
  readonly type: string;
  readonly accept?: Ask["accept"];
  /** What it is, for messages. */
  readonly what: string;
  /** Who asks can do without: success with something else than JSON is an absent list too. */
  readonly isOptional?: boolean;
}

/** Attack: a registry whose pages never end, or lead back, keeps its client for ever. */
const maxPages = 1000;
const maxPageBytes = 8 * 1024 * 1024;

/** One page after the other, fetched when it is asked for. Throws REG_PROTOCOL for pages that are none or do not end. */
export async function* pagesOf(session: Session, list: List): AsyncGenerator<Page> {
  const { operation, scopes } = list;
  const seen = new Set<string>();
  let path: string | URL | undefined = list.path;
  while (path !== undefined) {
    const key = String(path);
    if (seen.has(key) || seen.size === maxPages)
      throw protocolError(session.operation(operation), `the pages of the ${list.what} do not end`);
    seen.add(key);
    const ask: Omit<Ask, "isIdempotent"> = {
      method: "GET",
      path,
      operation,
      scopes,
      headers: { accept: list.type },
      ...(list.accept ? { accept: list.accept } : {}),
    };
    const answer: WholeAnswer = await askWhole(session, ask, maxPageBytes);
    const { status, headers, body: bytes } = answer;
    if (status < 200 || status > 299) {
      yield { content: undefined, headers };
      return;
    }
    if (bytes === undefined)
      throw protocolError(session.operation(operation), `the ${list.what} has more than ${maxPageBytes} bytes a page`);
    yield { content: read(bytes, list), headers };
    const link = nextOf(headers.link);
    path = link === undefined ? undefined : await session.locate(link, path, operation);
  }
}

function read(bytes: Uint8Array, { what, isOptional }: List): object | undefined {
  try {
    return parseJson(bytes, maxPageBytes, "REG_PROTOCOL", what);
  } catch (error) {
    if (isOptional === true) return undefined;
    throw error;
  }
}

/** The target of the link whose relation is `next` (RFC 8288); one header may hold several links. */
export function nextOf(header: string | undefined): string | undefined {
  if (header === undefined || header.length > 16 * 1024) return undefined;
  for (const [, target = "", parameters = ""] of header.matchAll(/<([^<>]*)>([^<]*)/g))
    if (/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\b)/i.test(parameters)) return target;
  return undefined;
}
