/**
 * Where a helper program is: in the system's folders first, then in PATH. An ordinary user's PATH often lacks /usr/sbin, and
 * npm puts node_modules/.bin before everything, where `nft` may be something else altogether.
 */
import { accessSync, constants } from "node:fs";

/** Absolute path of an executable, or undefined. */
export function findProgram(name: string): string | undefined {
  if (name === "") return undefined;
  const folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", ...(process.env.PATH ?? "").split(":")];
  for (const folder of folders) {
    if (!folder.startsWith("/")) continue;
    const path = `${folder}/${name}`;
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Look further.
    }
  }
  return undefined;
}
