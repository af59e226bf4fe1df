/** The product's source files, and what each imports. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const top = fileURLToPath(new URL("../..", import.meta.url));
const rooms = ["builder", "layerfs", "registry", "native"];

/** Paths relative to the top, with '/', sorted. */
export function sourceFiles(...endings: string[]): string[] {
  return rooms
    .flatMap((room) => readdirSync(join(top, room), { recursive: true }).map((name) => `${room}/${String(name)}`))
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort();
}

export function read(file: string): string {
  return readFileSync(join(top, file), "utf8");
}

/** Our own files that a file imports in any way: import, export from, import type, import(), typeof import(). */
export function importsOf(file: string, text: string = read(file)): string[] {
  const found = new Set<string>();
  for (const [, path = ""] of text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g))
    found.add(normalize(relative(top, join(top, dirname(file), path))));
  return [...found].sort();
}
