/**
 * Parts of blobs whose transfer broke off, so that the next one goes on: temporary files with the digest in their name.
 * Whose session is dead may be taken over; nobody believes what is in them before the whole was verified.
 */
import { readdirSync, renameSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { type Digest, hexOf } from "./digest.ts";
import { isMissing, storeError } from "./failure.ts";
import type { Layout } from "./layout.ts";
import { gated, liveSessions } from "./session.ts";

/** How long a part waits for the next try before it is a leftover like any other. */
const keptMs = 24 * 3_600_000;

/** What the names of a blob's parts end with. */
export function partialEnding(digest: Digest): string {
  return `-${hexOf(digest)}.part`;
}

/** A part of a blob that somebody may still want. `mtimeMs` and `now` are milliseconds since 1970. */
export function isKeptPartial(name: string, mtimeMs: number, now: number): boolean {
  return name.endsWith(".part") && now - mtimeMs < keptMs;
}

/** Files that this process is filling right now. */
const busy = new Set<string>();

/**
 * Takes over the largest part of a blob that nobody is filling, as `path`, whose name is this session's and which does
 * not exist yet. Resolves with its bytes; 0 when there is none. Until `release` nobody else in this process takes it.
 */
export function claimPartial(layout: Layout, digest: Digest, path: string): { size: number; release(): void } {
  busy.add(path);
  const release = () => {
    busy.delete(path);
  };
  try {
    const own = basename(path).split("-")[0] ?? "";
    const found = readdirSync(layout.temp)
      .filter((name) => name.endsWith(partialEnding(digest)) && !busy.has(join(layout.temp, name)))
      .map((name) => ({ name, session: name.split("-")[0] ?? "", size: sizeOf(join(layout.temp, name)) }))
      .sort((a, b) => b.size - a.size);
    if (found.length === 0) return { size: 0, release };
    const { ids } = gated(layout, "exclusive", () => liveSessions(layout));
    for (const { name, session, size } of found) {
      if (session !== own && ids.has(session)) continue;
      // Of several that want it one gets it: a rename succeeds once.
      if (renamed(join(layout.temp, name), path)) return { size, release };
    }
    return { size: 0, release };
  } catch (cause) {
    release();
    throw storeError(cause, "look for a part of a blob", layout.temp);
  }
}

function renamed(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw cause;
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
