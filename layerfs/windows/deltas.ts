/** The five registry deltas that every Windows layer above the base brings, changed or not: gaps break newer importers. */
import { writeHive } from "../hive/regf/write.ts";
import { hiveOf, KeyTree } from "../hive/tree.ts";

/** In the order in which they stand in a layer. */
export const deltaNames = ["System", "Software", "Sam", "Security", "DefaultUser"] as const;
export type DeltaName = (typeof deltaNames)[number];

/** The folder of a Windows layer that has them. */
export const hivesFolder = "Hives";

export function deltaPath(name: DeltaName): string {
  return `${hivesFolder}/${name}_Delta`;
}

let empty: Uint8Array | undefined;

/** A delta that changes nothing: a root and its descriptor. The same bytes each time. */
export function emptyDelta(): Uint8Array {
  empty ??= writeHive(hiveOf(new KeyTree("ROOT"), { differencing: true }));
  return empty;
}
