/** What a scan finds: packages, whoever put them there, and the files that belong to them. Shapes and words only. */
import type { Entry } from "../../layerfs/layer/entry.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";

export type Ecosystem = "deb" | "apk" | "rpm" | "npm" | "pypi" | "golang" | "windows" | "pe";

export interface Package {
  readonly ecosystem: Ecosystem;
  readonly name: string;
  readonly version: string;
  readonly architecture?: string;
  /** As the package says it: an SPDX expression, or words that only look like one. */
  readonly licence?: string;
  readonly supplier?: string;
  readonly description?: string;
  readonly homepage?: string;
  /** What it was built from, where that has another name or version. */
  readonly source?: { readonly name: string; readonly version?: string };
  /** Part of a package URL's qualifiers: an rpm's epoch. */
  readonly epoch?: number;
  /** The file of the image that tells of it. */
  readonly foundIn: string;
  /** Paths of the image that it says are its own; some may not be there any more. */
  readonly files: readonly string[];
}

/** Bounds of what a database may tell; the attack is a small image whose list fills the memory. */
export const mostPackages = 200_000;
export const mostFiles = 500_000;

/** The system that the packages are for, from os-release or the registry. */
export interface System {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly foundIn: string;
}

/** The image's files as scanners see them. */
export interface Scene {
  readonly tree: Tree;
  /** Every entry of the tree by its path, in byte order. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** All bytes of a regular file, links followed; undefined when there is none, or it is larger than `limit`. */
  bytes(path: string, limit?: number): Promise<Buffer | undefined>;
  text(path: string, limit?: number): Promise<string | undefined>;
  /** What could not be looked at: the list says so itself. */
  note(text: string): void;
}

/** Foreign text for a document: one line, without control characters, no longer than `most`. */
export function plain(text: string | undefined, most = 1000): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: foreign text must not steer a terminal
  const clean = text?.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]+/gu, " ").trim();
  if (clean === undefined || clean === "") return undefined;
  // A cut through a pair would leave half a character, which no URL can hold.
  return clean.slice(0, most).replace(/[\ud800-\udbff]$/, "");
}

/** The members that have a value. */
export function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
