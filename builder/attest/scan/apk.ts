/** Packages of apk, Alpine's package manager: one text file of records with letters for names. */
import { mostFiles, mostPackages, type Package, plain, present, type Scene } from "../package.ts";

const databases = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

export async function scanApk(scene: Scene): Promise<Package[]> {
  // Newer images have the second, and a link of the first name's folder.
  for (const path of databases) {
    const text = await scene.text(path);
    if (text !== undefined) return readApk(text, path);
  }
  return [];
}

/** The records of an `installed` file. What has no name or version is left out. */
export function readApk(text: string, foundIn: string): Package[] {
  const found: Package[] = [];
  let room = mostFiles;
  for (const record of text.split(/\r?\n\r?\n/)) {
    const fields = new Map<string, string>();
    const files: string[] = [];
    let folder = "";
    for (const line of record.split(/\r?\n/)) {
      const [letter, value] = [line.slice(0, 1), line.slice(2)];
      if (line[1] !== ":") continue;
      if (letter === "F") folder = value;
      else if (letter === "R" && room-- > 0) files.push(folder === "" ? value : `${folder}/${value}`);
      else if (!fields.has(letter)) fields.set(letter, value);
    }
    const [name, version] = [plain(fields.get("P"), 200), plain(fields.get("V"), 200)];
    if (!name || !version || found.length === mostPackages) continue;
    const origin = plain(fields.get("o"), 200);
    found.push({
      ecosystem: "apk",
      name,
      version,
      foundIn,
      files,
      ...present({
        architecture: plain(fields.get("A"), 50),
        licence: plain(fields.get("L")),
        description: plain(fields.get("T")),
        homepage: plain(fields.get("U")),
        supplier: plain(fields.get("m"), 300),
        source: origin === undefined || origin === name ? undefined : { name: origin },
      }),
    });
  }
  return found;
}
