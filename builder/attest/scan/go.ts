/** Modules of Go: of programs that no other package brought, which is how they come into images. */
import type { Entry } from "../../../layerfs/layer/entry.ts";
import { type Package, plain, type Scene } from "../package.ts";
import { readGoBuildInfo } from "./go-build-info.ts";

const largestProgram = 1024 * 1024 * 1024;
/** The first bytes of a program for Linux and for Windows. */
const starts = { linux: Buffer.from("\x7fELF", "latin1"), windows: Buffer.from("MZ", "latin1") };

/** `owned`: paths whose packages are known already. */
export async function scanGo(scene: Scene, os: "linux" | "windows", owned: ReadonlySet<string>): Promise<Package[]> {
  const found = new Map<string, Package & { readonly files: string[] }>();
  const add = (path: string, version: string, foundIn: string) => {
    const name = plain(path, 500);
    if (name === undefined) return undefined;
    const id = `${name}@${version}`;
    const one = found.get(id) ?? { ecosystem: "golang", name, version: plain(version, 200) ?? "", foundIn, files: [] };
    found.set(id, one);
    return one;
  };
  for (const [path, entry] of scene.entries) {
    if (owned.has(path) || !isProgram(entry, os)) continue;
    const bytes = await programBytes(scene, entry, starts[os]);
    const info = bytes && readGoBuildInfo(bytes);
    if (!info) continue;
    if (info.main) add(info.main.path, info.main.version, path)?.files.push(path);
    add("stdlib", info.go, path);
    for (const { path: module, version } of info.dependencies) add(module, version, path);
  }
  return [...found.values()];
}

function isProgram({ type, mode, path, size }: Entry, os: "linux" | "windows"): boolean {
  if (type !== "file" || size < 4096) return false;
  return os === "windows" ? /\.exe$/i.test(path) && !/^windows\//i.test(path) : (mode & 0o111) !== 0;
}

/** All of it when it begins as a program does; of a script no more than its first piece is read. */
async function programBytes({ tree, note }: Scene, entry: Entry, start: Buffer): Promise<Buffer | undefined> {
  const parts: Uint8Array[] = [];
  for await (const part of tree.read(entry)) {
    if (parts.length === 0 && !start.equals(part.subarray(0, start.length))) return undefined;
    if (parts.length === 0 && entry.size > largestProgram) {
      note(`${plain(entry.path) ?? ""} is larger than any program and was not read`);
      return undefined;
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}
