/** Marvin32 with the one seed that transaction logs use. A checksum here, not a secret: anybody can make it. */

/** The hash of bytes[from, to) as two unsigned halves, the low one first as it is stored. */
export function marvin32(bytes: Uint8Array, from: number, to: number): readonly [low: number, high: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let low = 0x7a4e55c5;
  let high = 0x82ef4d88 | 0;
  let at = from;
  let ended = false;
  let last = false;
  while (!last) {
    let word = 0;
    if (at + 4 <= to) {
      word = view.getInt32(at, true);
      at += 4;
    } else if (!ended) {
      // What is left over, closed by 0x80; then one dword of zero.
      word = 0x80 << (8 * (to - at));
      for (let left = to - 1; left >= at; left--) word |= view.getUint8(left) << (8 * (left - at));
      ended = true;
    } else {
      last = true;
    }
    low = (low + word) | 0;
    high ^= low;
    low = (((low << 20) | (low >>> 12)) + high) | 0;
    high = ((high << 9) | (high >>> 23)) ^ low;
    low = (((low << 27) | (low >>> 5)) + high) | 0;
    high = (high << 19) | (high >>> 13);
  }
  return [low >>> 0, high >>> 0];
}
