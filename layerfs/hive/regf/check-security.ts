/** The part of the check that goes around the ring of security records. */

import { type Cells, unreadable } from "./cells.ts";
import type { Finding } from "./damage.ts";
import { readSecurity } from "./key-node.ts";
import { nkField, sk } from "./layout.ts";
import { indexOf } from "./security-ring.ts";

/** `uses`: how many keys point at each record, by the file offset of its contents. */
export function checkRing(
  cells: Cells,
  root: number,
  uses: ReadonlyMap<number, number>,
  tell: (finding: Finding) => void,
): void {
  const bad = (offset: number, what: string) => tell({ offset, record: "sk", what });
  const { view } = cells;
  const ring = new Set<number>();
  const first = cells.openShared(root + nkField.security, "nk", 20);
  for (let at = first; at !== unreadable && !ring.has(at); ) {
    ring.add(at);
    const next = cells.openShared(at + 4, "sk", 20);
    if (next === unreadable) break;
    cells.claim(next, at + 4);
    if (view.getUint16(next, true) !== sk) {
      bad(at, "the next one is no security record");
      break;
    }
    if (view.getUint32(next + 8, true) !== indexOf(at)) bad(next, "it does not point back to the one before it");
    if (next !== first && ring.has(next)) bad(at, "the ring does not come back to its begin");
    at = next;
  }
  for (const at of new Set([...ring, ...uses.keys()])) {
    if (!ring.has(at)) bad(at, "it is not in the ring");
    const descriptor = readSecurity(cells, at);
    if (descriptor !== undefined && !isDescriptor(descriptor)) bad(at, "what it holds is no security descriptor");
    const count = uses.get(at) ?? 0;
    const said = view.getUint32(at + 12, true);
    if (said !== count) bad(at, `${count} keys use it, it says ${said}`);
  }
}

/** Self-relative, and its parts begin inside. */
function isDescriptor(bytes: Uint8Array): boolean {
  if (bytes.length < 20 || bytes[0] !== 1) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if ((view.getUint16(2, true) & 0x8000) === 0) return false;
  return [4, 8, 12, 16].every((field) => {
    const offset = view.getUint32(field, true);
    return offset === 0 || (offset >= 20 && offset + 8 <= bytes.length);
  });
}
