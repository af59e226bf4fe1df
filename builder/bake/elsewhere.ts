/** A definition that lies elsewhere: which operands name it, and what the paths of its targets mean then. */
import { posix } from "node:path";
import type { Target } from "./target.ts";
import { badValue } from "./value.ts";

/** A URL, or a repository as ssh names it. */
export function isElsewhere(path: string): boolean {
  return /^(https?|git|ssh):\/\/|^[\w-]+@[\w.-]+:|^github\.com\//.test(path);
}

export interface BakeOperands {
  /** Where the definition is; absent: in this folder. */
  readonly url?: string;
  /** What BAKE_CMD_CONTEXT is. */
  readonly context: string;
  readonly names: readonly string[];
}

/** `[URL [CONTEXT]] [TARGET...]`, where CONTEXT is a URL, too. */
export function bakeOperands(operands: readonly string[]): BakeOperands {
  const [url, context] = operands;
  if (url === undefined || !isElsewhere(url)) return { context: "cwd://", names: operands };
  if (context === undefined || !isElsewhere(context)) return { url, context: "cwd://", names: operands.slice(1) };
  return { url, context, names: operands.slice(2) };
}

/** Said by the target itself, or part of this build. */
const isFixed = (path: string) => isElsewhere(path) || /^(cwd|docker-image|oci-layout):\/\/|^target:/.test(path);

/**
 * The target with paths of the place that its definition came from: what it says of folders is within that place, as if it
 * were built there, and `cwd://` is the only way to this host. Throws BAKE_VALUE where `url` is no repository: of a tar there
 * is only the whole.
 */
export function relocated(target: Target, url: string): Target {
  const contexts = Object.entries(target.contexts ?? {}).map(([name, path]) => [name, within(url, path)]);
  return {
    ...target,
    context: within(url, target.context ?? "."),
    ...(contexts.length === 0 ? {} : { contexts: Object.fromEntries(contexts) }),
  };
}

function within(url: string, path: string): string {
  if (isFixed(path)) return path;
  // Attack: `../..` of a foreign file leads to what somebody else keeps beside it. It stops at the place's root.
  const inside = posix.resolve("/", path).slice(1);
  if (inside === "") return url;
  if (/^https?:/i.test(url) && !/^[^?#]*\.git(?:[?#]|$)/.test(url))
    throw badValue(`${JSON.stringify(path)} cannot be a context: only of a repository a folder can be one`);
  const query = /([?&]subdir=)([^&#]*)/.exec(url);
  if (query) return url.replace(query[0], () => `${query[1]}${posix.join(query[2] ?? "", encodeURIComponent(inside))}`);
  const hash = url.indexOf("#");
  const [place, fragment] = hash < 0 ? [url, ""] : [url.slice(0, hash), url.slice(hash + 1)];
  const colon = fragment.indexOf(":");
  const [ref, folder] = colon < 0 ? [fragment, ""] : [fragment.slice(0, colon), fragment.slice(colon + 1)];
  return `${place}#${ref}:${posix.join(folder, inside)}`;
}
