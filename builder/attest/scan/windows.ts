/** Software of a Windows image: what installers wrote to the registry, and programs that say in themselves what they are. */
import type { HiveKey } from "../../../layerfs/hive/key.ts";
import { type Package, plain, present, type Scene, type System } from "../package.ts";
import { readPeVersion } from "./pe-version.ts";

const uninstall = [
  "Microsoft\\Windows\\CurrentVersion\\Uninstall",
  "WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall",
];
const program = /\.(?:exe|dll|ocx|cpl|scr|sys)$/i;
/** What lies there is the system itself, which has one entry of its own. */
const ofSystem = /^windows\//i;
const largestProgram = 256 * 1024 * 1024;

/** What "Apps & features" would list: HKLM's Uninstall keys, of 64 and 32 bits. */
export function scanUninstall(software: HiveKey): Package[] {
  const found: Package[] = [];
  for (const path of uninstall) {
    for (const key of keyAt(software, path)?.subkeys() ?? []) {
      const name = plain(textOf(key, "DisplayName"), 300);
      if (name === undefined) continue;
      found.push({
        ecosystem: "windows",
        name,
        version: plain(textOf(key, "DisplayVersion"), 100) ?? "",
        foundIn: `HKLM\\SOFTWARE\\${path}\\${plain(key.name, 300) ?? ""}`,
        files: [],
        ...present({
          supplier: plain(textOf(key, "Publisher"), 300),
          description: plain(textOf(key, "Comments")),
          homepage: plain(textOf(key, "URLInfoAbout")),
          architecture: path.startsWith("WOW6432Node") ? "x86" : undefined,
        }),
      });
    }
  }
  return found;
}

/** The system, as the registry names it; `osVersion` is what the image's configuration says. */
export function windowsSystem(software: HiveKey | undefined, osVersion: string | undefined): System | undefined {
  const path = "Microsoft\\Windows NT\\CurrentVersion";
  const key = software && keyAt(software, path);
  const name = plain(key && textOf(key, "ProductName"), 200);
  const version = osVersion ?? plain(key && textOf(key, "CurrentBuild"), 50);
  if (name === undefined && version === undefined) return undefined;
  return { id: "windows", name: name ?? "Windows", version: version ?? "", foundIn: `HKLM\\SOFTWARE\\${path}` };
}

/** Programs and libraries outside of Windows' own folder by their version resources, those of one product together. */
export async function scanPrograms(scene: Scene): Promise<Package[]> {
  const products = new Map<string, Package & { readonly files: string[] }>();
  for (const [path, entry] of scene.entries) {
    if (entry.type !== "file" || !program.test(path) || ofSystem.test(path)) continue;
    const bytes = await scene.bytes(path, largestProgram);
    const info = bytes && readPeVersion(bytes);
    if (!info) continue;
    const word = (name: string) => plain(info.strings.get(name), 300);
    const name = word("ProductName") ?? word("FileDescription") ?? word("InternalName");
    const version = word("ProductVersion") ?? info.productVersion ?? word("FileVersion") ?? info.fileVersion;
    if (name === undefined || version === undefined) continue;
    const supplier = word("CompanyName");
    const id = JSON.stringify([name, version, supplier]);
    const known = products.get(id);
    if (known) known.files.push(path);
    else {
      const description = word("FileDescription");
      const more = present({ supplier, description: description === name ? undefined : description });
      products.set(id, { ecosystem: "pe", name, version, foundIn: path, files: [path], ...more });
    }
  }
  return [...products.values()];
}

function keyAt(root: HiveKey, path: string): HiveKey | undefined {
  return path.split("\\").reduce<HiveKey | undefined>((key, name) => key?.subkey(name), root);
}

/** REG_SZ and REG_EXPAND_SZ, up to the first NUL. */
function textOf(key: HiveKey, name: string): string | undefined {
  const value = key.value(name);
  if (!value || (value.type !== 1 && value.type !== 2)) return undefined;
  const text = Buffer.from(value.data).toString("utf16le");
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}
