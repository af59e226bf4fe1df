/**
 * Which registry values make Windows' version functions say the version that an image was made for. Measured with Wine 8.0;
 * docs/windows.md has the table.
 */
import type { HiveValue } from "../../../../layerfs/hive/key.ts";

export interface VersionValue {
  /** Below HKEY_LOCAL_MACHINE, without CurrentControlSet. */
  readonly key: string;
  readonly value: HiveValue;
}

/** What `wbuild base windows` says it is, and Wine where an image says nothing: Windows Server 2022. */
export const defaultOsVersion = "10.0.20348.0";

const key = "Software\\Microsoft\\Windows NT\\CurrentVersion";

/** `10.0.20348.2700` in its four numbers; missing ones are 0. Undefined for what is no version. */
export function parseOsVersion(text: string): readonly [number, number, number, number] | undefined {
  if (!/^\d{1,9}(\.\d{1,9}){1,3}$/.test(text)) return undefined;
  const [major = 0, minor = 0, build = 0, revision = 0] = text.split(".").map(Number);
  return [major, minor, build, revision];
}

/**
 * For the registry of a session, over what the image has: Wine takes the version from `CurrentVersion` and
 * `CurrentBuildNumber` as long as HKCU\Software\Wine has no `Version`. So `CurrentVersion` must be "10.0", where Windows
 * itself keeps "6.3" for programs of its youth: never let it into a layer. The revision is only ever read from `UBR`.
 * Of what is no version nothing is said.
 */
export function versionValues(osVersion: string): VersionValue[] {
  const version = parseOsVersion(osVersion);
  if (!version) return [];
  const [major, minor, build, revision] = version;
  return [
    ["CurrentVersion", text(`${major}.${minor}`)],
    ["CurrentBuild", text(String(build))],
    ["CurrentBuildNumber", text(String(build))],
    ["CurrentMajorVersionNumber", number(major)],
    ["CurrentMinorVersionNumber", number(minor)],
    ["UBR", number(revision)],
  ].map(([name, value]) => ({ key, value: { name, ...(value as Omit<HiveValue, "name">) } as HiveValue }));
}

function text(value: string): Omit<HiveValue, "name"> {
  return { type: 1, data: Buffer.from(`${value}\0`, "utf16le") };
}

function number(value: number): Omit<HiveValue, "name"> {
  const data = Buffer.alloc(4);
  data.writeUInt32LE(value >>> 0);
  return { type: 4, data };
}
