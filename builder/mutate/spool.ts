/** A tar's entries with their bytes in files of our naming: for when they are written in another order than they come in. */
import { createWriteStream, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Entry } from "../../layerfs/layer/entry.ts";

const smallBytes = 64 * 1024;

/** All of a small file. */
export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** Names of the tar never become names of files here, so none can lead out of the folder. */
export async function spoolFiles(entries: AsyncIterable<Entry>, folder: string): Promise<Entry[]> {
  await mkdir(folder, { recursive: true });
  const found: Entry[] = [];
  for await (const entry of entries) {
    if (entry.content?.kind !== "stream") {
      found.push(entry);
      continue;
    }
    const path = join(folder, String(found.length));
    // Most files are small, and a stream for each costs more than its bytes.
    if (entry.size <= smallBytes) writeFileSync(path, await bytesOf(entry.content.open()), { flag: "wx", mode: 0o600 });
    else await pipeline(entry.content.open(), createWriteStream(path, { flags: "wx", mode: 0o600 }));
    found.push({ ...entry, content: { kind: "file", path } });
  }
  return found;
}
