/** Where a helper program is. System folders are searched too: an ordinary user's PATH often lacks them. */
import { accessSync, constants } from "node:fs";

/** Absolute path of an executable, or undefined. */
export function findProgram(name: string): string | undefined {
  if (name === "") return undefined;
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
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
