/**
 * Looks at everything in a hive and lists what is not as it should be: what readers stumble over, what Windows would
 * refuse or search in vain, and what no reference leads to.
 */

import { type BaseBlock, field, readBaseBlock } from "./base-block.ts";
import { Cells, unreadable } from "./cells.ts";
import { checkKeys } from "./check-key.ts";
import { checkRing } from "./check-security.ts";
import { type Finding, once } from "./damage.ts";
import { recover } from "./recover.ts";

/** More than these say nothing more; the list then ends with a finding that says so. */
const maxFindings = 1000;

/**
 * Every finding in a hive, in the order of the file's parts; none for one that Windows or we wrote without leaving rests.
 * `logs` as in readHive: with them, what is checked is the recovered file. Throws nothing.
 */
export function checkHive(bytes: Uint8Array, logs: readonly Uint8Array[] = []): readonly Finding[] {
  const findings: Finding[] = [];
  const tell: (finding: Finding) => void = once((finding) => {
    if (findings.length < maxFindings) findings.push(finding);
    else if (findings.length === maxFindings) findings.push({ offset: 0, record: "hive", what: "there is more" });
  });
  const found = recover(bytes, logs);
  const block = readBaseBlock(found.bytes);
  if (block === undefined) return [{ offset: 0, record: "base block", what: "it does not begin with regf" }];
  checkBaseBlock(found.bytes, block, tell);
  const cells = new Cells(found.bytes, block.binsSize, block.minor, tell);
  const root = cells.open(field.root, "base block", 76);
  if (root === unreadable) return findings;
  const uses = checkKeys(cells, root, block.differencing, tell);
  checkRing(cells, root, uses, tell);
  for (const offset of cells.unreferenced())
    tell({ offset, record: "cell", what: "it is in use and nothing leads to it" });
  return findings;
}

function checkBaseBlock(bytes: Uint8Array, block: BaseBlock, tell: (finding: Finding) => void): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 512);
  const bad = (offset: number, what: string) => tell({ offset, record: "base block", what });
  if (!block.sound) bad(field.checksum, "its checksum, version or format is wrong");
  if (block.primary !== block.secondary) {
    bad(field.primary, `the hive is dirty: its sequence numbers are ${block.primary} and ${block.secondary}`);
  }
  if (block.minor < 3 || block.minor > 6) bad(field.minor, `its version is 1.${block.minor}`);
  if (block.type !== 0) bad(field.type, `it is of type ${block.type}, not a hive`);
  if (view.getUint32(field.clustering, true) !== 1) bad(field.clustering, "its clustering factor is not 1");
  if (block.binsSize % 4096 !== 0) bad(field.binsSize, `its bins take ${block.binsSize} bytes, not whole pages`);
  if (block.root !== 0x20) bad(field.root, `the root key is at ${block.root}, not the first cell`);
  const flags = view.getUint32(field.flags, true);
  if ((flags & 1) !== 0) bad(field.flags, "a transaction is pending");
  if ((flags & ~3) !== 0) bad(field.flags, `its flags are ${flags}`);
}
