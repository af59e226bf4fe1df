/**
 * The nouns of the registry: HiveKey and HiveValue, whatever they come from: a regf file that is looked at lazily, a
 * merged stack of hives, Wine's text, or a tree made in memory. Readers, writers, merge and diff meet in these shapes.
 */

/**
 * What a node of a differencing hive says about the key in the hives below (the low bits of byte 13 of `nk`):
 * merge: own values and subkeys over the lower ones. tombstone: the key is absent. supersede-local: its own values,
 * class and security replace the lower ones, subkeys still merge. supersede-tree: it and all below it replace the lower.
 */
export type LayerSemantics = "merge" | "tombstone" | "supersede-local" | "supersede-tree";

export interface HiveValue {
  /** "" is the default value. Any UTF-16 units, lone surrogates and NUL too. */
  readonly name: string;
  /** REG_SZ = 1, REG_DWORD = 4 …; any unsigned 32-bit number. Of a tombstone 0. */
  readonly type: number;
  /** The bytes as stored; any length with any type. May be a view into the hive's bytes: do not change it. */
  readonly data: Uint8Array;
  /** Only in a differencing hive: the value is absent, whatever lies below. */
  readonly tombstone?: true;
}

export interface HiveKey {
  /** As spelled. Of a root without meaning. */
  readonly name: string;
  /** FILETIME: 100 ns since 1601. Carried, never compared. */
  readonly lastWrite: bigint;
  /** Those flags of `nk` that are content: 0x08 no delete, 0x10 symlink, 0x40 predefined handle, 0x380 virtualisation. */
  readonly flags: number;
  /** Of a key with flag 0x40: the number of the predefined key that opening it gives. Such a key has no values. */
  readonly predefinedHandle?: number | undefined;
  /** Byte 54 of `nk`: Wow64 and virtualisation marks. Carried, never compared. */
  readonly userFlags: number;
  /** UTF-16LE bytes, undefined when there is none. */
  readonly className: Uint8Array | undefined;
  /** Self-relative security descriptor, undefined when the source has none (Wine's text). */
  readonly security: Uint8Array | undefined;
  /** In anything but a differencing hive "merge". */
  readonly layer: LayerSemantics;
  /** Bit 7 of the layer byte: the class is that of the nearest lower node without this bit. */
  readonly inheritClass: boolean;
  /** In the hive's own order, which means nothing. No two with one name (without case). */
  values(): readonly HiveValue[];
  value(name: string): HiveValue | undefined;
  /** Ascending by compareNames; no two with one name (without case). */
  subkeys(): readonly HiveKey[];
  subkey(name: string): HiveKey | undefined;
}

export interface Hive {
  readonly root: HiveKey;
  /** Minor version of the file, 3 to 6; 5 for what comes from no file. */
  readonly minor: number;
  /** Flag 2 of the base block: layered keys. */
  readonly differencing: boolean;
  /** FILETIME of the base block. */
  readonly lastWritten: bigint;
}

export const symlinkFlag = 0x10;

/** The types that have names, by number (winnt.h). */
export const valueTypes = [
  ...["REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_DWORD_BIG_ENDIAN", "REG_LINK"],
  ...["REG_MULTI_SZ", "REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTOR", "REG_RESOURCE_REQUIREMENTS_LIST"],
  "REG_QWORD",
] as const;
