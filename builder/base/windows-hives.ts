/**
 * The hives of a Windows base image: tables of our own, and of Wine's registry what says nothing of Wine: file types, time
 * zones, code pages, how a desktop looks. A step sees Wine's other keys below these and never in a layer.
 */
import { readFileSync } from "node:fs";
import type { HiveKey } from "../../layerfs/hive/key.ts";
import { writeHive } from "../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../layerfs/hive/tree.ts";
import { readWineText } from "../../layerfs/hive/wine-text.ts";
import { parseSddl } from "../../layerfs/windows/sddl.ts";
import { encodeSecurity } from "../../layerfs/windows/security.ts";
import { wineControlSet } from "../runtime/wine/registry/session-trees.ts";
import { addKeys, copyKeys, findKey, type KeyTable, openKey, stamp } from "./registry-keys.ts";
import { samKeys, securityKeys, softwareKeys, systemKeys, userKeys } from "./windows-keys.ts";

/** Everybody may read; what Windows 10 and later put on these roots, without capabilities. */
const usual = "O:BAG:SYD:PAI(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CIIO;KA;;;CO)(A;CI;KR;;;BU)(A;CI;KR;;;AC)";
/** Passwords and secrets: nobody but the system. */
const closed = "O:BAG:SYD:PAI(A;CI;KA;;;SY)(A;CI;RCWD;;;BA)";

interface Recipe {
  readonly table: KeyTable;
  readonly sddl: string;
  readonly minor: 3 | 5;
  /** Parts of Wine's registry: where from, and where to. */
  readonly copies?: readonly (readonly [from: HiveKey | undefined, to: string])[];
}

export interface HiveOptions {
  /** Wine's own texts, as paths. */
  readonly registry: { readonly system: string; readonly user: string };
  readonly version: readonly [number, number, number, number];
  readonly epochSeconds: number;
}

/** Bytes by path below `Files/`. */
export function baseHives({ registry, version, epochSeconds }: HiveOptions): Map<string, Uint8Array> {
  const machine = readWineText(readFileSync(registry.system)).root;
  const user = readWineText(readFileSync(registry.user)).root;
  const classes = findKey(machine, "Software\\Classes");
  const controlSet = wineControlSet(findKey(machine, "System"));
  const nt = "Microsoft\\Windows NT\\CurrentVersion";
  const fileTypes = (classes?.subkeys() ?? []).filter(({ name }) => /^\.|file$|^MIME$/i.test(name));
  const account: Omit<Recipe, "minor"> = {
    table: userKeys,
    sddl: usual,
    copies: [
      ...["AppEvents", "Control Panel", "Keyboard Layout"].map((path) => [findKey(user, path), path] as const),
      ...["Explorer\\User Shell Folders"].map((path) => {
        const at = `Software\\Microsoft\\Windows\\CurrentVersion\\${path}`;
        return [findKey(user, at), at] as const;
      }),
    ],
  };
  const recipes: Readonly<Record<string, Recipe>> = {
    SYSTEM: {
      table: systemKeys,
      sddl: usual,
      minor: 5,
      // The zone, too: Wine has its own name for UTC, and would change another one in the first step.
      copies: ["Control\\Nls", "Control\\TimeZoneInformation"].map((path) => [
        controlSet && findKey(controlSet, path),
        `ControlSet001\\${path}`,
      ]),
    },
    SOFTWARE: {
      table: softwareKeys(version),
      sddl: usual,
      minor: 5,
      copies: [
        ...fileTypes.map((key) => [key, `Classes\\${key.name}`] as const),
        ...["FontSubstitutes", "Time Zones"].map(
          (name) => [findKey(machine, `Software\\${nt}\\${name}`), `${nt}\\${name}`] as const,
        ),
      ],
    },
    SAM: { table: samKeys, sddl: closed, minor: 3 },
    SECURITY: { table: securityKeys, sddl: closed, minor: 3 },
    DEFAULT: { ...account, minor: 5 },
  };
  const time = BigInt(epochSeconds + 11_644_473_600) * 10_000_000n;
  const config = "Windows/System32/config";
  const out = new Map(
    Object.entries(recipes).map(([name, recipe]) => [
      `${config}/${name}`,
      written(recipe, time, `\\SystemRoot\\System32\\Config\\${name}`),
    ]),
  );
  out.set("Users/Default/NTUSER.DAT", written({ ...account, minor: 3 }, time, "\\??\\C:\\Users\\Default\\NTUSER.DAT"));
  return out;
}

function written({ table, sddl, minor, copies = [] }: Recipe, time: bigint, fileName: string): Uint8Array {
  const root = new KeyTree("ROOT");
  root.security = encodeSecurity(parseSddl(sddl));
  addKeys(root, table);
  for (const [from, to] of copies) copyKeys(from, openKey(root, to));
  stamp(root, time);
  return writeHive(hiveOf(root), { minor, fileName, lastWritten: time });
}
