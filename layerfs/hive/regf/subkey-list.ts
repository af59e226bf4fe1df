/** The lists of a key's subkeys: li, lf, lh, and ri, a list of such lists. */

import { type Cells, noCell, unreadable } from "./cells.ts";
import { lf, lh, li, nkField, ri } from "./layout.ts";

const none: readonly never[] = [];

/** Contents of the subkeys' cells of the key at `key`, in the order of the lists. Each is at least an `nk` long. */
export function subkeyCells(cells: Cells, key: number): readonly number[] {
  const { view } = cells;
  const count = view.getUint32(key + nkField.subkeys, true);
  const from = key + nkField.subkeyList;
  if (count === 0) return none;
  const list = cells.open(from, "nk", 4);
  if (list === unreadable) return none;
  const found: number[] = [];
  if (view.getUint16(list, true) !== ri) {
    readLeaf(cells, list, found);
  } else {
    const leaves = entries(cells, list, 4);
    for (let index = 0; index < leaves; index++) {
      const leaf = cells.open(list + 4 + 4 * index, "ri", 4);
      // A leaf that is an `ri` itself is no leaf: lists of lists of lists are not in the format.
      if (leaf !== unreadable) readLeaf(cells, leaf, found);
    }
  }
  if (found.length !== count) {
    cells.tell({ offset: key, record: "nk", what: `${found.length} of its ${count} subkeys can be reached` });
  }
  return found;
}

function readLeaf(cells: Cells, leaf: number, found: number[]): void {
  const signature = cells.view.getUint16(leaf, true);
  const width = signature === lf || signature === lh ? 8 : signature === li ? 4 : 0;
  if (width === 0) {
    cells.tell({ offset: leaf, record: "subkey list", what: "it is no list of subkeys" });
    return;
  }
  const count = entries(cells, leaf, width);
  for (let index = 0; index < count; index++) {
    const from = leaf + 4 + width * index;
    if (cells.view.getUint32(from, true) === noCell) {
      cells.tell({ offset: from, record: "subkey list", what: "an entry is empty" });
      continue;
    }
    const key = cells.open(from, "subkey list", nkField.name);
    if (key !== unreadable) found.push(key);
  }
}

/** The number of entries, at most those for which there is room. */
function entries(cells: Cells, list: number, width: number): number {
  const count = cells.view.getUint16(list + 2, true);
  const room = Math.floor((cells.length(list) - 4) / width);
  if (count <= room) return count;
  cells.tell({ offset: list, record: "subkey list", what: `it says ${count} entries and has room for ${room}` });
  return room;
}
