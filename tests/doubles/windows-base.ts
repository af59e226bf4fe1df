/**
 * A small image of Windows' own shape: files with attributes and descriptors, five hives in System32\config, no Hives/. Its tar
 * is made by tar-stream, so that readers are tried with bytes that our writer did not make.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Pack } from "tar-stream";
import type { HiveKey } from "../../layerfs/hive/key.ts";
import { writeHive } from "../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../layerfs/hive/tree.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { parseSddl } from "../../layerfs/windows/sddl.ts";
import { encodeSecurity } from "../../layerfs/windows/security.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { packedTar } from "./packed-tar.ts";

/** Owner and rights of system folders: nobody may change them, so whoever repeats such a folder must not invent others. */
const systemSddl =
  "O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464G:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;0x1200a9;;;BU)";
export const systemSecurity = base64(systemSddl);
/** 2020-09-13T12:26:40.0012345Z, with the hundreds of nanoseconds that Windows has. */
export const systemCreated = "1600000000.0012345";

function base64(sddl: string): string {
  return Buffer.from(encodeSecurity(parseSddl(sddl))).toString("base64");
}

export interface BaseFile {
  /** `/`-separated, below C:; a trailing `/` makes a folder. */
  readonly path: string;
  readonly content?: string | Uint8Array;
  /** Win32 attributes; usual: 16 of folders, 32 of files. */
  readonly attributes?: number;
  /** A junction's or symlink's target, as Windows spells it. */
  readonly target?: string;
  readonly isJunction?: boolean;
}

export interface WindowsBaseOptions {
  /** Reference; usual: `test.example/windows:1`. */
  readonly name?: string;
  /** Usual: 10.0.20348.2700. */
  readonly version?: string;
  readonly features?: readonly string[];
  /** Beside the usual ones. */
  readonly files?: readonly BaseFile[];
  /** Laid over the usual container config. */
  readonly config?: object;
}

/** Path of keys below a hive's root → values. */
export type Keys = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** A hive with these keys, each value a REG_SZ. */
export function hiveBytes(keys: Keys): Uint8Array {
  const root = new KeyTree("ROOT");
  for (const [path, values] of Object.entries(keys)) {
    let key = root;
    for (const name of path.split("\\")) {
      const known: HiveKey | undefined = key.subkey(name);
      key = known instanceof KeyTree ? known : key.setSubkey(new KeyTree(name));
    }
    for (const [name, text] of Object.entries(values))
      key.setValue({ name, type: 1, data: Buffer.from(`${text}\0`, "utf16le") });
  }
  return writeHive(hiveOf(root));
}

const hives: Readonly<Record<string, Keys>> = {
  SYSTEM: {
    "ControlSet001\\Control\\Session Manager\\Environment": { Path: "C:\\Windows\\system32;C:\\Windows" },
    Select: { Current: "1" },
  },
  SOFTWARE: { "Microsoft\\Windows NT\\CurrentVersion": { ProductName: "Windows Server 2022", CurrentBuild: "20348" } },
  SAM: { "SAM\\Domains\\Account": {} },
  SECURITY: { Policy: {} },
  DEFAULT: { "Control Panel\\Desktop": { Wallpaper: "" } },
};

const usualFiles: readonly BaseFile[] = [
  { path: "License.txt", content: "none\r\n" },
  { path: "Program Files/" },
  { path: "Program Files/Common Files/", attributes: 17 },
  { path: "Program Files/Common Files/shared.dll", content: "MZ shared", attributes: 33 },
  { path: "Users/" },
  { path: "Users/ContainerAdministrator/" },
  { path: "Windows/" },
  { path: "Windows/System32/" },
  { path: "Windows/System32/tool.exe", content: "MZ tool" },
  { path: "Windows/System32/config/" },
  ...Object.entries(hives).map(([name, keys]) => ({
    path: `Windows/System32/config/${name}`,
    content: hiveBytes(keys),
  })),
  { path: "Documents and Settings", target: "C:\\Users", isJunction: true, attributes: 0x2416 },
];

/** The layer's tar, uncompressed. */
export function windowsBaseTar(more: readonly BaseFile[] = []): Promise<Buffer> {
  return packedTar((tar) => writeBase(tar, more));
}

function writeBase(tar: Pack, more: readonly BaseFile[]): void {
  const mtime = new Date(1_600_000_000_000);
  const add = (
    name: string,
    type: "file" | "directory" | "symlink",
    attributes: number,
    file: Partial<BaseFile> = {},
  ) => {
    const pax: Record<string, string> = {
      "MSWINDOWS.fileattr": String(attributes),
      "MSWINDOWS.rawsd": systemSecurity,
      "LIBARCHIVE.creationtime": systemCreated,
      ...(file.isJunction ? { "MSWINDOWS.mountpoint": "1" } : {}),
    };
    const mode = { file: 0o100000, directory: 0o040000, symlink: 0o160000 }[type];
    const linkname = file.target === undefined ? {} : { linkname: file.target };
    const content = Buffer.from(file.content ?? "");
    const header = { name, type, mode, mtime, pax, ...linkname };
    if (type === "file") tar.entry(header, content);
    else tar.entry(header);
  };
  add("Files", "directory", 16);
  for (const file of [...usualFiles, ...more]) {
    const isFolder = file.path.endsWith("/");
    const name = `Files/${file.path.replace(/\/$/, "")}`;
    if (file.target !== undefined) add(name, "symlink", file.attributes ?? 0x400, file);
    else add(name, isFolder ? "directory" : "file", file.attributes ?? (isFolder ? 16 : 32), file);
  }
}

/** Writes the base as an OCI layout folder that `wbuild load` and skopeo read. Gives the image's reference. */
export async function windowsBaseLayout(folder: string, options: WindowsBaseOptions = {}): Promise<string> {
  const { name = "test.example/windows:1", version = "10.0.20348.2700", features } = options;
  const blobs = join(folder, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (bytes: Uint8Array, mediaType: string) => {
    const digest = digestOf(bytes);
    await writeFile(join(blobs, digest.slice("sha256:".length)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const putJson = (value: unknown, mediaType: string) => put(Buffer.from(JSON.stringify(value)), mediaType);
  const tar = await windowsBaseTar(options.files);
  const layer = await put(gzipSync(tar), mediaTypes.ociLayerGzip);
  const platform = {
    os: "windows",
    architecture: "amd64",
    "os.version": version,
    ...(features === undefined ? {} : { "os.features": features }),
  };
  const created = "2024-01-01T00:00:00Z";
  const config = await putJson(
    {
      created,
      ...platform,
      config: { User: "ContainerAdministrator", Cmd: ["c:\\windows\\system32\\cmd.exe"], ...options.config },
      rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
      history: [{ created, created_by: `Apply image ${version}` }],
    },
    mediaTypes.ociConfig,
  );
  const manifest = await putJson(
    { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] },
    mediaTypes.ociManifest,
  );
  const annotations = { "org.opencontainers.image.ref.name": name, "io.containerd.image.name": name };
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ ...manifest, platform, annotations }],
  };
  await writeFile(join(folder, "index.json"), JSON.stringify(index));
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return name;
}
