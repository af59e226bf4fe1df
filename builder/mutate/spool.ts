/** A tar's entries with their bytes in files of our naming: for when they are written in another order than they come in. */
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Entry } from "../../layerfs/layer/entry.ts";

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
    await pipeline(entry.content.open(), createWriteStream(path, { flags: "wx", mode: 0o600 }));
    found.push({ ...entry, content: { kind: "file", path } });
  }
  return found;
}
