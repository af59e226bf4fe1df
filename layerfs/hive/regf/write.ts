/**
 * Writes a hive: the same tree gives the same bytes, whatever it was read from. Values and subkeys are sorted, bins are
 * filled, equal descriptors are kept once.
 */

import type { Hive } from "../key.ts";
import { binsStart, checksum, field, layeredKeys } from "./base-block.ts";
import { CellWriter } from "./cell-writer.ts";
import { defaultSecurity } from "./default-security.ts";
import { indexOf, SecurityRing } from "./security-ring.ts";
import { TreeWriter } from "./tree-writer.ts";

export interface WriteOptions {
  /** Of the file's version; the hive's own when not given. 6 in any case for a differencing hive. */
  readonly minor?: 3 | 4 | 5 | 6;
  /** Keep layer semantics and tombstones, and say so in the base block; the hive's own when not given. */
  readonly differencing?: boolean;
  /** What the base block calls the file; its last 31 UTF-16 units are kept, for people only. */
  readonly fileName?: string;
  /** FILETIME of the base block and the first bin; the hive's own when not given. */
  readonly lastWritten?: bigint;
  /** FILETIME that no time in the hive may exceed (SOURCE_DATE_EPOCH). */
  readonly latest?: bigint;
}

/**
 * The bytes of a clean regf file. Keys without descriptor get that of the key above, the root a default one.
 *
 * Throws HIVE_LIMIT for what does not fit: names, depth (512 levels), data over 1 MiB in version 1.3, 2 GiB in all,
 * layer semantics or tombstones in a hive that is not differencing.
 */
export function writeHive(hive: Hive, options: WriteOptions = {}): Uint8Array {
  const differencing = options.differencing ?? hive.differencing;
  const minor = differencing ? 6 : (options.minor ?? Math.min(6, Math.max(3, hive.minor)));
  const { latest } = options;
  const said = options.lastWritten ?? hive.lastWritten;
  const lastWritten = latest !== undefined && said > latest ? latest : said;
  const cells = new CellWriter();
  const security = new SecurityRing(cells);
  const root = new TreeWriter(cells, security, {
    minor,
    differencing,
    ...(latest === undefined ? {} : { latest }),
  }).write(hive.root, defaultSecurity);
  security.finish();
  const bytes = cells.finish();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setBigUint64(binsStart + 20, lastWritten, true);
  view.setUint32(0, 0x66_67_65_72, true);
  view.setUint32(field.primary, 1, true);
  view.setUint32(field.secondary, 1, true);
  view.setBigUint64(field.lastWritten, lastWritten, true);
  view.setUint32(field.major, 1, true);
  view.setUint32(field.minor, minor, true);
  view.setUint32(field.format, 1, true);
  view.setUint32(field.root, indexOf(root), true);
  view.setUint32(field.binsSize, bytes.length - binsStart, true);
  view.setUint32(field.clustering, 1, true);
  bytes.write((options.fileName ?? "").slice(-31), field.fileName, "utf16le");
  if (differencing) {
    view.setUint32(field.flags, layeredKeys, true);
    // "OfRg", 1: the mark of the offline registry library, which makes the deltas of Windows' own containers.
    view.setUint32(field.offlineMark, 0x67_52_66_4f, true);
    view.setUint32(field.offlineMark + 4, 1, true);
  }
  view.setUint32(field.checksum, checksum(view), true);
  return bytes;
}
