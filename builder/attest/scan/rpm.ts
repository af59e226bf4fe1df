/** Packages of rpm: Fedora, Red Hat, SUSE and their kin. */
import type { Package, Scene } from "../package.ts";
import { readRpmHeader } from "./rpm-header.ts";
import { bdbHeaders, ndbHeaders, sqliteHeaders } from "./rpm-stores.ts";

const folders = ["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"];
const kinds = [
  ["rpmdb.sqlite", sqliteHeaders],
  ["Packages.db", ndbHeaders],
  ["Packages", bdbHeaders],
] as const;
const largestDatabase = 512 * 1024 * 1024;

/** The first database that is there: the folders are mostly links to one another. */
export async function scanRpm(scene: Scene): Promise<Package[]> {
  for (const folder of folders) {
    for (const [name, headersOf] of kinds) {
      const path = `${folder}/${name}`;
      const bytes = await scene.bytes(path, largestDatabase);
      if (bytes === undefined || bytes.length === 0) continue;
      const log = name === "rpmdb.sqlite" ? await scene.bytes(`${path}-wal`, largestDatabase) : undefined;
      return await read(scene, path, headersOf(bytes, log));
    }
  }
  return [];
}

async function read(scene: Scene, path: string, headers: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
  const found: Package[] = [];
  let budget = largestDatabase * 2;
  try {
    for await (const header of headers) {
      // The attack: a small database whose entries all name the same large value.
      budget -= header.length + 64;
      if (budget < 0) {
        scene.note(`${path} has more headers than it has room for: the rest was not read`);
        break;
      }
      const one = readRpmHeader(header, path);
      if (one) found.push(one);
    }
  } catch {
    // SQLite's own words may quote the file's bytes.
    scene.note(`${path} is damaged: the list of rpm packages is not complete`);
  }
  return found;
}
