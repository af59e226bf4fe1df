/** What of a layer's registry is told, and that damage which hides some of it is told, too. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { diffRegistryLayer, type RegistryLayer } from "../../../../builder/image/inspect/registry-diff.ts";
import { registryLine } from "../../../../builder/image/inspect/registry-text.ts";
import { writeHive } from "../../../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../../../layerfs/hive/tree.ts";
import type { Change } from "../../../../layerfs/layer/entry.ts";
import { stackTree } from "../../../../layerfs/tree/stacked.ts";
import { summed } from "../../../layerfs/hive/regf/logs.ts";
import { layerOf, makeTempFolder, parseChanges, setOf, writeFiles } from "../../../layerfs/tree/files.ts";

/** A layer with this delta of HKLM\SYSTEM on a base without hives. */
async function layersWith(folder: string, delta: Uint8Array): Promise<RegistryLayer[]> {
  const base = parseChanges(["set Files directory"]);
  const file = setOf({ path: "Hives/System_Delta", type: "file", text: "x".repeat(delta.length) });
  const top: Change[] = [...parseChanges(["set Hives directory"]), file];
  writeFiles(folder, [{ path: "Hives/System_Delta", type: "file", text: "" }]);
  writeFileSync(join(folder, "Hives/System_Delta"), delta);
  const below = layerOf(base);
  return [
    { tree: await stackTree([below], { names: "windows" }), changes: base },
    { tree: await stackTree([below, layerOf(top, folder)], { names: "windows" }), changes: top },
  ];
}

function delta(): Buffer {
  const root = new KeyTree("ROOT");
  for (const name of ["Run", "Zone"]) {
    root.setSubkey(new KeyTree(name)).setValue({ name: "a", type: 4, data: Uint8Array.of(7, 0, 0, 0) });
  }
  return Buffer.from(writeHive(hiveOf(root, { differencing: true })));
}

for (const [what, spoil] of [
  ["sound", undefined],
  ["damaged in one value", (bytes: Buffer) => bytes.write("xx", bytes.indexOf(Buffer.from("vk\x01\0", "latin1")))],
] as const) {
  test(`a delta that is ${what}: ${spoil === undefined ? "all is told" : "the rest is told, and that there was more"}`, async (t) => {
    using folder = makeTempFolder();
    const bytes = delta();
    spoil?.(bytes);
    const warned: string[] = [];
    const found = await diffRegistryLayer(await layersWith(folder.path, summed(bytes)), (text) => warned.push(text));
    const values = found.map(registryLine).filter((line) => line.includes("["));
    const [run, zone] = ["A HKLM\\SYSTEM\\Run [a] = REG_DWORD 7", "A HKLM\\SYSTEM\\Zone [a] = REG_DWORD 7"];
    t.deepEqual(values, spoil === undefined ? [run, zone] : [zone]);
    t.is(warned.length, spoil === undefined ? 0 : 1);
    if (spoil !== undefined) t.regex(warned[0] ?? "", /^Hives\/System_Delta is damaged .* it is no value/);
  });
}
