/** The second checker's half for hives: small ones, read by hand from their first key on. */

interface Key {
  name: string;
  layer: number;
  hasContent: boolean;
  security: number;
  children: Key[];
}

function readHive(bytes: Buffer) {
  if (bytes.toString("latin1", 0, 4) !== "regf" || bytes.length < 4096) throw new Error("no hive");
  if (4096 + bytes.readUInt32LE(40) > bytes.length) throw new Error("cut");
  let sum = 0;
  for (let at = 0; at < 508; at += 4) sum ^= bytes.readInt32LE(at);
  if (sum >>> 0 !== bytes.readUInt32LE(508)) throw new Error("checksum");
  const key = (offset: number): Key => {
    const at = 4096 + offset + 4;
    if (bytes.toString("latin1", at, at + 2) !== "nk") throw new Error("no key");
    const values = bytes.readUInt32LE(at + 36);
    const count = bytes.readUInt32LE(at + 20);
    const list = 4096 + bytes.readUInt32LE(at + 28) + 4;
    const children: Key[] = [];
    // Small hives: one list, no index of lists.
    for (let i = 0; i < count; i++) children.push(key(bytes.readUInt32LE(list + 4 + 8 * i)));
    return {
      name: bytes.toString("latin1", at + 76, at + 76 + bytes.readUInt16LE(at + 72)),
      layer: bytes.readUInt8(at + 13),
      hasContent: values + count + bytes.readUInt16LE(at + 74) > 0,
      security: bytes.readUInt32LE(at + 44),
      children,
    };
  };
  const root = key(bytes.readUInt32LE(36));
  const flags = bytes.readUInt32LE(144);
  return {
    root,
    isDirty: bytes.readUInt32LE(4) !== bytes.readUInt32LE(8),
    isLayered: flags === 2,
    minor: bytes.readUInt32LE(24),
  };
}

/** A base's hive: readable, whole, clean. */
export function checkWhole(bytes: Buffer, rule: string, fail: (rule: string) => void) {
  try {
    const { isDirty, isLayered } = readHive(bytes);
    if (isDirty) fail("hive-dirty");
    if (isLayered && rule === "base-hive-broken") fail("base-hive-layered");
  } catch {
    fail(rule);
  }
}

export function checkDelta(bytes: Buffer, isSystem: boolean, fail: (rule: string) => void) {
  let hive: ReturnType<typeof readHive>;
  try {
    hive = readHive(bytes);
  } catch {
    fail("delta-unreadable");
    return;
  }
  if (hive.isDirty) fail("hive-dirty");
  if (hive.minor !== 6 || !hive.isLayered) fail("delta-version");
  if (isSystem && hive.root.children.some(({ name }) => name.toUpperCase() === "CURRENTCONTROLSET"))
    fail("delta-control-set");
  const uses = new Map<number, number>();
  const walk = (key: Key, above: Key | undefined) => {
    const kind = hive.isLayered ? key.layer & 3 : 0;
    if (hive.isLayered && (key.layer & 0x7c) !== 0) fail("delta-layer-bits");
    if (above === undefined && kind !== 0) fail("delta-root");
    if (kind === 1 && key.hasContent) fail("delta-tombstone");
    if (hive.isLayered && above && (above.layer & 3) === 3 && kind !== 3 && kind !== 1) fail("delta-supersede");
    if (key.security === 0xffffffff) fail("delta-security");
    else uses.set(key.security, (uses.get(key.security) ?? 0) + 1);
    for (const child of key.children) walk(child, key);
  };
  walk(hive.root, undefined);
  for (const [offset, count] of uses) if (bytes.readUInt32LE(4096 + offset + 4 + 12) !== count) fail("delta-security");
}
