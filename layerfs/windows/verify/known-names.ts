/** The names in Windows layers that mean something to importers (folded: compare with foldPath). */
import { type DeltaName, deltaNames, deltaPath, hivesFolder } from "../deltas.ts";
import { foldPath } from "../names.ts";

export const baseHives = ["SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULT"] as const;
export type BaseHiveName = (typeof baseHives)[number];

const configFolder = "FILES/WINDOWS/SYSTEM32/CONFIG/";
const bcd = "UTILITYVM/FILES/EFI/MICROSOFT/BOOT/BCD";

export type HiveRole =
  | { readonly kind: "base"; readonly hive: BaseHiveName }
  | { readonly kind: "delta"; readonly hive: DeltaName }
  | { readonly kind: "bcd" };

/** Which hive of an import the entry at this path is; undefined for all others. */
export function hiveRole(parts: readonly string[], isBase: boolean): HiveRole | undefined {
  const folded = foldPath(parts.join("/"));
  if (!isBase) {
    const hive = parts[0] === hivesFolder ? deltaNames.find((name) => folded === foldPath(deltaPath(name))) : undefined;
    return hive === undefined ? undefined : { kind: "delta", hive };
  }
  if (folded === bcd) return { kind: "bcd" };
  const hive = baseHives.find((name) => folded === configFolder + name);
  return hive === undefined ? undefined : { kind: "base", hive };
}

const hostNames = new Set(
  [
    ...[
      "tombstones.txt",
      "blank.vhdx",
      "blank-base.vhdx",
      "sandbox.vhdx",
      "SystemTemplate.vhdx",
      "SystemTemplateBase.vhdx",
    ],
    ...[
      "layout",
      "bcd.bak",
      "bcd.log.bak",
      "bcd.log1.bak",
      "bcd.log2.bak",
      "layerchain.json",
      "layerId",
      "uvmbuildversion",
    ],
  ].map(foldPath),
);

/** True for what Windows makes beside a layer's trees on its own disk, and for the base hives that it makes in Hives. */
export function isHostFile(parts: readonly string[]): boolean {
  const last = foldPath(parts.at(-1) ?? "");
  if (last.endsWith(".$WCIDIRS$")) return true;
  if (parts.length === 2 && parts[0] === hivesFolder) return last.endsWith("_BASE");
  return parts.length === 1 && (hostNames.has(last) || /^SYSTEMTEMPLATE.*\.VHDX$/.test(last));
}

const machineFolders = new Set(["System Volume Information", "WcSandboxState", "$Recycle.Bin"].map(foldPath));

/** True at and below the folders of the machine itself. */
export function isMachineFolder(parts: readonly string[]): boolean {
  return parts[0] === "Files" && parts.length > 1 && machineFolders.has(foldPath(parts[1] ?? ""));
}

/** Where files, and so links and deletions, can be. */
export function isContent(parts: readonly string[]): boolean {
  return parts[0] === "Files" ? parts.length > 1 : parts[0] === "UtilityVM" && parts[1] === "Files" && parts.length > 2;
}
