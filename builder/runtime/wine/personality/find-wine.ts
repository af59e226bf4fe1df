/** Finds the Wine of this host, wherever its packager put it, and says which of the host's folders it needs to run. */
import { execFile } from "node:child_process";
import { closeSync, lstatSync, openSync, readlinkSync, readSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Mount } from "../../../../native/core/spec.ts";
import { WbuildError } from "../../../../native/error.ts";

/** Absolute paths of this host. */
export interface Wine {
  /** The program that loads a Windows program: wine64, or wine where there is one for both widths. */
  readonly loader: string;
  readonly server: string;
  /** Folder of Wine's own DLLs and programs for 64-bit Windows. */
  readonly windows: string;
  /** Folder of their Linux halves. */
  readonly unix: string;
  /** wine.inf, code pages and fonts. */
  readonly data: string;
}

/** Where programs, DLLs and data of one installation are looked for. The first that is complete counts. */
export interface WinePlace {
  readonly programs: string;
  readonly libraries: readonly string[];
  readonly data: string;
}

const triplet = "x86_64-linux-gnu";

function prefixed(prefix: string): WinePlace {
  return {
    programs: `${prefix}/bin`,
    libraries: [`${prefix}/lib64/wine`, `${prefix}/lib/wine`, `${prefix}/lib/${triplet}/wine`],
    data: `${prefix}/share/wine`,
  };
}

/** Debian and Ubuntu; the packages of winehq.org; a build of one's own; other distributions. */
const winePlaces: readonly WinePlace[] = [
  { programs: "/usr/lib/wine", libraries: [`/usr/lib/${triplet}/wine`, "/usr/lib/wine"], data: "/usr/share/wine" },
  ...["/opt/wine-stable", "/opt/wine-staging", "/opt/wine-devel", "/usr/local", "/usr"].map(prefixed),
];

/** Undefined when this host has no Wine for 64-bit Windows programs. Only looks at files, runs nothing. */
export function findWine(places: readonly WinePlace[] = winePlaces): Wine | undefined {
  for (const { programs, libraries, data } of places) {
    // Scripts of these names choose between versions and set variables: what they start is what we want.
    const loader = ["wine64", "wine"].map((name) => join(programs, name)).find(isElf64);
    const server = ["wineserver64", "wineserver"].map((name) => join(programs, name)).find(isElf64);
    const folder = libraries.find(
      (each) => isFile(`${each}/x86_64-windows/ntdll.dll`) && isFile(`${each}/x86_64-unix/ntdll.so`),
    );
    if (!loader || !server || !folder || !isFile(`${data}/wine.inf`)) continue;
    return { loader, server, windows: `${folder}/x86_64-windows`, unix: `${folder}/x86_64-unix`, data };
  }
  return undefined;
}

/** The host's Wine. Throws WIN_NO_WINE. */
export function requireWine(): Wine {
  const wine = findWine();
  if (wine) return wine;
  throw new WbuildError(
    "WIN_NO_WINE",
    "steps of Windows images need Wine, and this host has none for 64-bit programs",
    {
      hint: "apt-get install wine64 (Debian, Ubuntu); `wbuild doctor` says what is found",
    },
  );
}

/** "8.0 (Debian 8.0~repack-4)": what Wine calls itself. Throws what the process throws. */
export async function wineVersion({ loader }: Wine): Promise<string> {
  // Wine asks where its user is at home before anything else, and crashes for one without a name in /etc/passwd.
  const { stdout } = await promisify(execFile)(loader, ["--version"], { env: { HOME: "/" }, timeout: 10_000 });
  return stdout.trim().replace(/^wine-/, "");
}

/**
 * The read-only binds under which Wine finds itself and the libraries that it loads, at the same paths as on the host, and
 * the links (`/lib` → `usr/lib`) that the container's root needs beside them.
 */
export function wineSurroundings(wine: Wine): { mounts: Mount[]; links: [path: string, target: string][] } {
  const folders = new Set<string>();
  const links: [string, string][] = [];
  for (const path of ["/lib", "/lib64"]) {
    const info = lstatSync(path, { throwIfNoEntry: false });
    if (info?.isSymbolicLink()) links.push([path, readlinkSync(path)]);
  }
  const isLinked = (path: string) => links.some(([link]) => path === link || path.startsWith(`${link}/`));
  for (const path of [`/usr/lib/${triplet}`, "/usr/lib64", `/lib/${triplet}`, "/lib64"]) {
    if (!isLinked(path) && isFolder(path)) folders.add(path);
  }
  for (const path of [wine.windows, wine.unix].map(dirname).concat(wine.data)) folders.add(path);
  // glibc reads C.UTF-8 from a folder. Without it Wine takes names of files for ASCII and cannot make any other.
  for (const path of ["/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8"]) if (isFolder(path)) folders.add(path);
  // All of /usr/bin is more than Wine needs to see of its host: the two programs are bound alone.
  const files = new Set([wine.loader, wine.server]);
  const paths = [...folders, ...files];
  const outermost = paths.filter((path) => !paths.some((other) => path.startsWith(`${other}/`)));
  return { mounts: outermost.sort().map((path) => hostBind(path)), links };
}

/** A read-only bind of a host's path, inside at the same place or at `target`. */
export function hostBind(source: string, target = source): Mount {
  return { kind: "bind", source, target, readonly: true };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** A 64-bit program for Linux (System V ABI, "ELF Header": e_ident[EI_CLASS] is 2). */
function isElf64(path: string): boolean {
  const head = elfHead(path);
  return head.readUInt32BE(0) === 0x7f454c46 && head[4] === 2;
}

/** Whether a little-endian ELF program is linked for one address (ET_EXEC, 2) and not for any (ET_DYN, 3). */
export function hasFixedAddress(path: string): boolean {
  return elfHead(path).readUInt16LE(16) === 2;
}

/** The first 18 bytes of a file, with zeros behind what is shorter or not there. */
function elfHead(path: string): Buffer {
  const head = Buffer.alloc(18);
  if (!isFile(path)) return head;
  const fd = openSync(path, "r");
  try {
    readSync(fd, head);
    return head;
  } finally {
    closeSync(fd);
  }
}
