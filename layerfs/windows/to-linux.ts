/**
 * A file of Windows as Linux has it: what COPY --from into a Linux image and exports keep of it. The other way shapeLayer gives
 * every file what Windows needs, and leaves out what only Linux knows.
 */
import type { Entry } from "../layer/entry.ts";

/**
 * Windows has no bit for programs: all files get it, as Docker has it for contexts from Windows hosts. Everything belongs to
 * root unless --chown says otherwise; descriptors and attributes stay behind.
 */
export function toLinux(entry: Entry): Entry {
  const { pax: _, ...plain } = entry;
  const mode = entry.type === "symlink" ? 0o777 : 0o755;
  const target = entry.type === "symlink" ? { target: linuxTarget(entry.target ?? "") } : {};
  return { ...plain, mode, uid: 0, gid: 0, ...target };
}

/** `..\a` → `../a`; `C:\a`, `\\?\C:\a` and `\??\C:\a` → `/a`. */
function linuxTarget(target: string): string {
  const text = target.replace(/^\\(?:\\\?|\?\?)\\(?=[A-Za-z]:)/, "").replaceAll("\\", "/");
  return /^[A-Za-z]:/.test(text) ? `/${text.slice(2).replace(/^\/+/, "")}` : text;
}
