/** A tar of a file system as lines, and what two of them differ in. */
import type { Entry } from "../../layerfs/layer/entry.ts";
import { readTar } from "../../layerfs/layer/read.ts";
import { digestOf } from "../../layerfs/store/digest.ts";

/** Texts up to this long stand in the line. */
const longest = 80;

/** Path → line, without the root. */
export type Listing = ReadonlyMap<string, string>;

/** `onFile` is told the time of each file and link, in nanoseconds since 1970. */
export async function listTar(
  bytes: AsyncIterable<Uint8Array>,
  onFile: (path: string, mtimeNs: bigint) => void = () => {},
): Promise<Listing> {
  const lines = new Map<string, string>();
  for await (const entry of readTar(bytes)) {
    if (entry.path === "") continue;
    lines.set(entry.path, await lineOf(entry));
    if (entry.type === "file" || entry.type === "symlink") onFile(entry.path, entry.mtimeNs);
  }
  return new Map([...lines].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function lineOf(entry: Entry): Promise<string> {
  const { path, type, mode, uid, gid, target, device } = entry;
  const kind = { directory: "dir", symlink: "link", hardlink: "hard", character: "char" }[type as string] ?? type;
  const head = `${mode.toString(8)} ${uid}:${gid} ${kind} ${path}`;
  if (target !== undefined) return `${head} -> ${target}`;
  if (device) return `${head} ${device.major},${device.minor}`;
  if (type !== "file") return head;
  const parts: Uint8Array[] = [];
  if (entry.content?.kind === "stream") for await (const part of entry.content.open()) parts.push(part);
  const bytes = Buffer.concat(parts);
  const text = bytes.toString("utf8");
  if (bytes.length === 0) return head;
  const isText = bytes.length <= longest && Buffer.from(text).equals(bytes);
  return `${head} ${isText ? `= ${JSON.stringify(text)}` : digestOf(bytes).slice(0, 19)}`;
}

/** What is new or other in `after`, and `- path` for what is gone. */
export function changesBetween(before: Listing, after: Listing): string[] {
  const changed = new Map<string, string>();
  for (const [path, line] of after) if (before.get(path) !== line) changed.set(path, line);
  for (const path of before.keys()) if (!after.has(path)) changed.set(path, `- ${path}`);
  return [...changed].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
}
