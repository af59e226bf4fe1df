/** A zip archive as the tar that it could have been, a file at a time: what unpacks layers safely then unpacks it, too. */
import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { WbuildError } from "../../native/error.ts";
import { zipContent, zipEntries } from "./zip.ts";

/** Bytes of the tar. Throws WIN_ARCHIVE; so do links, which a zip of a Windows program does not have. */
export async function* zipAsTar(file: FileHandle): AsyncGenerator<Uint8Array> {
  const { pack } = await import("tar-stream");
  const tar = pack();
  const fill = async () => {
    const folders = new Set<string>();
    for (const entry of await zipEntries(file)) {
      const { name, type, size, mtimeSeconds } = entry;
      const header = { name, mtime: new Date(mtimeSeconds * 1000), uid: 0, gid: 0 };
      if (type === "directory") {
        // Some archives say a folder twice, which no layer may.
        if (name === "" || folders.has(name)) continue;
        folders.add(name);
        tar.entry({ ...header, type: "directory", mode: 0o755 });
        continue;
      }
      if (type === "symlink") throw new WbuildError("WIN_ARCHIVE", `${JSON.stringify(name)} in the archive is a link`);
      await pipeline(Readable.from(zipContent(file, entry)), tar.entry({ ...header, type: "file", size, mode: 0o644 }));
    }
    tar.finalize();
  };
  fill().catch((error: Error) => tar.destroy(error));
  yield* tar as AsyncIterable<Uint8Array>;
}
