/** Packages of Python: the metadata that every installer leaves beside the modules (PyPA, "Recording installed projects"). */

import { type Package, plain, present, type Scene } from "../package.ts";
import { firstLine, readParagraphs } from "./fields.ts";

const metadata = /(?:^|\/)([^/]+\.dist-info\/METADATA|[^/]+\.egg-info(?:\/PKG-INFO)?)$/;
const largest = 8 * 1024 * 1024;

export async function scanPython(scene: Scene): Promise<Package[]> {
  const found: Package[] = [];
  for (const [path, entry] of scene.entries) {
    const own = entry.type === "file" ? metadata.exec(path)?.[1] : undefined;
    if (own === undefined) continue;
    const one = readMetadata((await scene.text(path, largest)) ?? "", path);
    if (!one) continue;
    const folder = path.slice(0, path.length - own.length);
    const record = own.endsWith("/METADATA")
      ? await scene.text(`${path.slice(0, -"METADATA".length)}RECORD`, largest)
      : undefined;
    const files = record === undefined ? [path] : readRecord(record, folder);
    found.push({ ...one, files });
  }
  return found;
}

/** The headers of METADATA or PKG-INFO; undefined without name and version. */
export function readMetadata(text: string, foundIn: string): Package | undefined {
  const [fields] = readParagraphs(text);
  const [name, version] = [plain(fields?.get("name"), 200), plain(fields?.get("version"), 200)];
  if (!fields || !name || !version) return undefined;
  const licence = plain(fields.get("license-expression")) ?? plain(firstLine(fields.get("license")), 200);
  return {
    ecosystem: "pypi",
    name,
    version,
    foundIn,
    files: [foundIn],
    ...present({
      licence: licence === "UNKNOWN" ? undefined : licence,
      supplier: plain(fields.get("author"), 300) ?? plain(fields.get("author-email"), 300),
      description: plain(firstLine(fields.get("summary"))),
      homepage: plain(fields.get("home-page")),
    }),
  };
}

/** Paths of a RECORD, as paths of the image; those that lead out of it are left out. */
export function readRecord(text: string, folder: string): string[] {
  const found: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const quoted = /^"((?:[^"]|"")*)"/.exec(line)?.[1]?.replaceAll('""', '"');
    const name = quoted ?? line.split(",", 1)[0] ?? "";
    if (name === "") continue;
    const parts: string[] = [];
    let isInside = true;
    for (const part of `${name.startsWith("/") ? "" : folder}${name}`.split("/")) {
      if (part === "" || part === ".") continue;
      if (part !== "..") parts.push(part);
      else if (parts.pop() === undefined) isInside = false;
    }
    if (isInside && parts.length > 0) found.push(parts.join("/"));
  }
  return found;
}
