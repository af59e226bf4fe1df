/** Packages of dpkg: Debian, Ubuntu and their kin; also images without dpkg that keep one file a package (distroless). */

import { mostFiles, type Package, plain, present, type Scene } from "../package.ts";
import { firstLine, readParagraphs } from "./fields.ts";

const status = "var/lib/dpkg/status";
const parts = "var/lib/dpkg/status.d";
const info = "var/lib/dpkg/info";

export async function scanDeb(scene: Scene): Promise<Package[]> {
  const found: Package[] = [];
  const text = await scene.text(status);
  const room = { files: mostFiles };
  for (const each of readDpkg(text ?? "", status))
    found.push({ ...each, ...(await more(scene, each, lists(each), room)) });
  for (const path of scene.entries.keys()) {
    if (!path.startsWith(`${parts}/`) || path.endsWith(".md5sums")) continue;
    for (const each of readDpkg((await scene.text(path)) ?? "", path))
      found.push({ ...each, ...(await more(scene, each, [`${path}.md5sums`], room)) });
  }
  return found;
}

/** The installed packages of a dpkg status file; half installed and removed ones are none. */
export function readDpkg(text: string, foundIn: string): Package[] {
  return readParagraphs(text).flatMap((fields): Package[] => {
    const [name, version] = [plain(fields.get("package"), 200), plain(fields.get("version"), 200)];
    const state = fields.get("status");
    // "hold ok installed" is as installed as "install ok installed".
    if (!name || !version || (state !== undefined && !/ installed$/.test(state))) return [];
    return [
      {
        ecosystem: "deb",
        name,
        version,
        foundIn,
        files: [],
        ...present({
          architecture: plain(fields.get("architecture"), 50),
          supplier: plain(fields.get("maintainer"), 300),
          description: plain(firstLine(fields.get("description"))),
          homepage: plain(fields.get("homepage")),
          source: sourceOf(fields.get("source")),
        }),
      },
    ];
  });
}

/** `glibc (2.36-9)`, or the name alone. */
function sourceOf(text: string | undefined): Package["source"] {
  const found = /^(\S{1,200})(?:\s+\((\S{1,200})\))?$/.exec(text ?? "");
  const name = plain(found?.[1]);
  if (name === undefined) return undefined;
  return { name, ...present({ version: plain(found?.[2]) }) };
}

/** Of packages that may be there for several architectures, the list has the architecture in its name. */
function lists({ name, architecture }: Package): string[] {
  return [`${info}/${name}.list`, `${info}/${name}:${architecture ?? ""}.list`];
}

async function more(scene: Scene, { name }: Package, places: readonly string[], room: { files: number }) {
  const files: string[] = [];
  for (const place of room.files > 0 ? places : []) {
    const text = await scene.text(place);
    if (text === undefined) continue;
    // `.list` has absolute paths, folders too; `.md5sums` a sum and a relative path.
    for (const line of text.split("\n")) {
      const path = line.replace(/^[0-9a-f]{32} {2}/, "").replace(/^\.?\/+/, "");
      if (path !== "" && path !== "." && room.files-- > 0) files.push(path);
    }
  }
  const copyright = await scene.text(`usr/share/doc/${name}/copyright`, 1024 * 1024);
  return { files, ...present({ licence: copyright === undefined ? undefined : licenceOf(copyright) }) };
}

/** Debian's short names that SPDX spells otherwise (copyright-format 1.0, "License short names"). */
const spellings: Readonly<Record<string, string>> = {
  expat: "MIT",
  "bsd-2-clause": "BSD-2-Clause",
  "bsd-3-clause": "BSD-3-Clause",
  "bsd-4-clause": "BSD-4-Clause",
  isc: "ISC",
  zlib: "Zlib",
  "apache-2.0": "Apache-2.0",
  "apache-2": "Apache-2.0",
  "cc0-1.0": "CC0-1.0",
  "mpl-2.0": "MPL-2.0",
  "artistic-2": "Artistic-2.0",
  "bsl-1": "BSL-1.0",
};

/** `GPL-2+` → `GPL-2.0-or-later`. */
function spdxName(short: string): string {
  const gnu = /^(A?GPL|LGPL|GFDL)-(\d(?:\.\d)?)(?:\.0)?(\+?)$/i.exec(short);
  if (!gnu) return spellings[short.toLowerCase()] ?? short;
  const [, family = "", number = "", later] = gnu;
  return `${family.toUpperCase()}-${number.includes(".") ? number : `${number}.0`}-${later ? "or-later" : "only"}`;
}

/** Every licence that a machine-readable copyright file names, joined; undefined for one in prose. */
export function licenceOf(copyright: string): string | undefined {
  const paragraphs = readParagraphs(copyright);
  if (paragraphs[0]?.get("format") === undefined) return undefined;
  const names = new Set<string>();
  for (const fields of paragraphs) {
    const line = firstLine(fields.get("license"))?.trim() ?? "";
    for (const name of line.split(/\s+(?:and|or)\s+|\s*,\s*/i))
      if (/^[A-Za-z0-9.+-]{1,60}$/.test(name)) names.add(spdxName(name));
  }
  if (names.size === 0 || names.size > 40) return undefined;
  return [...names].sort().join(" AND ");
}
