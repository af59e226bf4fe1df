/** What the operating system and SQLite say when the store fails, told as WbuildErrors. */
import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { isWbuildError, WbuildError } from "../../native/error.ts";

function codeOf(cause: unknown): string {
  // Native functions tell errno among their facts.
  if (isWbuildError(cause, "LAYER_IO")) return String(cause.facts.errno ?? "");
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** True when the failure is "no such file" (or a folder of its path is missing or is none). */
export function isMissing(cause: unknown): boolean {
  const code = codeOf(cause);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Free bytes for ordinary users on the file system of the nearest folder that exists. */
function freeBytes(path: string): number | undefined {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { bavail, bsize } = statfsSync(at);
      return bavail * bsize;
    } catch {
      if (at === dirname(at)) return undefined;
    }
  }
}

/** True when somebody else owns it, or the folder that it would be in. */
function isForeign(path: string): boolean {
  for (const at of [path, dirname(path)])
    try {
      return statSync(at).uid !== process.getuid?.();
    } catch {
      // Not there, or not to be seen: the folder above may tell.
    }
  return false;
}

const full = new Set(["ENOSPC", "EDQUOT", "EFBIG", "SQLITE_FULL"]);
const denied = new Set([
  "EACCES",
  "EPERM",
  "EROFS",
  "SQLITE_READONLY",
  "SQLITE_CANTOPEN",
  "SQLITE_PERM",
  "SQLITE_AUTH",
]);

/**
 * Wraps a failure of the host: STORE_FULL (with path and free bytes), STORE_DENIED, STORE_CORRUPT, STORE_BUSY, else STORE_IO.
 * A WbuildError of another room or of ours passes as it is; LAYER_IO of native code is told as the store's. `doing` reads like "write a blob".
 */
export function storeError(cause: unknown, doing: string, path: string): WbuildError {
  if (isWbuildError(cause) && cause.code !== "LAYER_IO") return cause;
  const code = codeOf(cause);
  const family = code.startsWith("SQLITE_") ? (code.match(/^SQLITE_[A-Z]+/)?.[0] ?? code) : code;
  if (full.has(family) || code === "SQLITE_IOERR_WRITE" || code === "SQLITE_IOERR_FSYNC") {
    const free = freeBytes(path);
    return new WbuildError("STORE_FULL", `no space left to ${doing}: ${path} has ${free ?? "unknown"} bytes free`, {
      facts: { path, freeBytes: free, reason: code },
      hint: "free some space, or run `wbuild prune` to drop build cache and unpacked layers",
      cause,
    });
  }
  if (denied.has(family)) {
    return new WbuildError("STORE_DENIED", `not allowed to ${doing}: ${path}`, {
      facts: { path, reason: code },
      hint: isForeign(path)
        ? "it belongs to another user, as after `sudo wbuild`: have its owner remove it, or set WBUILD_HOME to a folder of your own"
        : "set WBUILD_HOME to a folder that you may write",
      cause,
    });
  }
  if (family === "SQLITE_CORRUPT" || family === "SQLITE_NOTADB") {
    return new WbuildError("STORE_CORRUPT", `the index of the store is damaged: ${path}`, {
      facts: { path, reason: code },
      hint: "move this folder away; images can be pulled or built again",
      cause,
    });
  }
  if (family === "SQLITE_BUSY" || family === "SQLITE_LOCKED") {
    return new WbuildError("STORE_BUSY", `another process kept the store locked for too long: ${path}`, {
      facts: { path, reason: code },
      hint: "look for a wbuild process that hangs, then try again",
      cause,
    });
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  const isNowhere = ["ENOENT", "ENOTDIR", "ELOOP", "EEXIST", "ENAMETOOLONG"].includes(code);
  return new WbuildError("STORE_IO", `cannot ${doing}: ${why}`, {
    facts: { path, reason: code },
    ...(isNowhere ? { hint: "set WBUILD_HOME to a folder that can be made or written" } : {}),
    cause,
  });
}
