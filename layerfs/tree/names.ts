/** Paths of a tree: their parts, and the byte order in which names are listed. */
import { bytesOfName } from "../../native/addon/raw-bytes.ts";

/** Order of the names' bytes. Differs from the order of strings only where one of them leaves the first 55,296 characters. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    return x < 0xd800 && y < 0xd800 ? x - y : Buffer.compare(bytesOfName(a), bytesOfName(b));
  }
  return a.length - b.length;
}

/** The clean path's folder; "" for what lies in the root. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function joinPath(folder: string, name: string): string {
  return folder === "" ? name : name === "" ? folder : `${folder}/${name}`;
}

/** The components of a clean path; none for the root. */
export function partsOf(path: string): string[] {
  return path === "" ? [] : path.split("/");
}
