/** The hives of real systems that the tests read when they are there (testdata beside the checkout), and listings of hives. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExecutionContext } from "ava";
import type { Hive, HiveKey } from "../../../../layerfs/hive/key.ts";

const folder = fileURLToPath(new URL("../../../../../shared/testdata/hives/", import.meta.url));

/** Why tests on real hives are skipped, undefined when they are there. */
export const absent = existsSync(folder) ? undefined : "there are no real hives beside the checkout";

/** The bytes of a real hive; `name.xz` is unpacked. */
export function real(name: string): Buffer {
  const path = join(folder, name);
  if (existsSync(path)) return readFileSync(path);
  return execFileSync("xz", ["-dc", `${path}.xz`], { maxBuffer: 1 << 28 });
}

/** All that are sound, if dirty. */
export const soundHives = [
  "BigDataHive",
  "EmptyHive",
  "ExtendedASCIIHive",
  "ManySubkeysHive",
  "MultiSzHive",
  "NTUSER.DAT",
  "NewFlagsHive",
  "SAM",
  "SYSTEM_WIN_10_1709",
  "StringValuesHive",
  "System_Delta",
  "UsrClass.dat",
] as const;

/** A file with these bytes in a folder that goes when the test has ended. */
export function fileWith(t: ExecutionContext, bytes: Uint8Array): string {
  const at = mkdtempSync(join(tmpdir(), "wbuild-hive-"));
  t.teardown(() => rmSync(at, { recursive: true, force: true }));
  const path = join(at, "hive");
  writeFileSync(path, bytes);
  return path;
}

/** Every field of every key and value, one line each; values in the order of their names. */
export function fullListing(hive: Hive): string[] {
  const lines: string[] = [];
  const walk = (key: HiveKey, path: string) => {
    const { lastWrite, flags, userFlags, layer, inheritClass, predefinedHandle } = key;
    const [className, security] = [hex(key.className), hex(key.security)];
    lines.push(
      [path, lastWrite, flags, userFlags, layer, inheritClass, predefinedHandle, className, security].join(" "),
    );
    const values = key.values().map((value) => {
      return `${path} : ${JSON.stringify(value.name)} ${value.type} ${value.tombstone ?? ""} ${hex(value.data)}`;
    });
    lines.push(...values.sort());
    for (const subkey of key.subkeys()) walk(subkey, `${path}\\${JSON.stringify(subkey.name)}`);
  };
  walk(hive.root, "");
  return lines;
}

export function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "none" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
