/**
 * A regf file as a lazy view: opening looks at each cell's header once and makes no object for any key; keys and values
 * are made when they are asked for, and not kept. Hostile bytes give damages, never a loop or a read outside.
 */

import { WbuildError } from "../../../native/error.ts";
import type { Hive, HiveKey } from "../key.ts";
import { binsStart, field, wantHive } from "./base-block.ts";
import { Cells, unreadable } from "./cells.ts";
import { type Damage, once, refuseDamage } from "./damage.ts";
import { RegfKey } from "./key-node.ts";
import { largestHive, recover } from "./recover.ts";

export interface RegfHive extends Hive {
  readonly root: HiveKey;
  /** As found, the file's last write was begun and not ended. Without `recovered` what is read is stale, perhaps torn. */
  readonly dirty: boolean;
  /** What is read is the file with its logs applied. */
  readonly recovered: boolean;
  /** The file that is read: the given bytes, or what they became with the logs. */
  readonly bytes: Uint8Array;
}

export interface ReadOptions {
  /** The contents of the .LOG, .LOG1 and .LOG2 beside the hive, in any order. */
  readonly logs?: readonly Uint8Array[];
  /** Told of each damage once, when reading comes upon it; what is damaged is left out. Without it damage is refused. */
  readonly onDamage?: (damage: Damage) => void;
}

/**
 * Opens a hive of version 1.1 to 1.6. The view shares `bytes`, which must not change. Where logs are given and the hive
 * is dirty, they are applied to a copy.
 *
 * Throws HIVE_FORMAT for what is no hive, HIVE_LIMIT over 2 GiB; without `onDamage` HIVE_DAMAGED, then or when a damaged
 * part is asked for. With it, only a lost root throws HIVE_DAMAGED.
 */
export function readHive(bytes: Uint8Array, options: ReadOptions = {}): RegfHive {
  const tell = options.onDamage === undefined ? refuseDamage : once(options.onDamage);
  const found = recover(bytes, options.logs ?? []);
  const block = wantHive(found.bytes);
  if (found.bytes.length > largestHive) throw new WbuildError("HIVE_LIMIT", "the hive is larger than 2 GiB");
  if (!block.sound) tell({ offset: 0, record: "base block", what: "its checksum, version or format is wrong" });
  const cells = new Cells(found.bytes, block.binsSize, block.minor, tell);
  const at = cells.open(field.root, "base block", 76);
  const root = at === unreadable ? undefined : RegfKey.open({ cells, layered: block.differencing }, at);
  if (root === undefined) {
    return refuseDamage({ offset: binsStart + block.root, record: "nk", what: "the root key cannot be read" });
  }
  return {
    root,
    minor: Math.max(3, block.minor),
    differencing: block.differencing,
    lastWritten: block.lastWritten,
    dirty: found.dirty,
    recovered: found.recovered,
    bytes: found.bytes,
  };
}
