/**
 * The descriptor that Windows gives a new registry key when its maker names none: what the parent's hands down. Knows the
 * binary form of self-relative security descriptors ([MS-DTYP] 2.4.6) as far as that needs, and no accounts but two.
 */

/** Header of a descriptor, of an ACL; the smallest ACE: header, mask, a SID without sub-authorities. */
const headerSize = 20;
const aclHeaderSize = 8;
const smallestAce = 16;

const control = {
  daclPresent: 0x0004,
  saclPresent: 0x0010,
  daclInherited: 0x0400,
  saclInherited: 0x0800,
  relative: 0x8000,
};
const aceFlag = { objects: 0x01, containers: 0x02, noPropagation: 0x04, inheritOnly: 0x08, inherited: 0x10 };
const inheritance = 0x1f;

/** KEY_READ, KEY_WRITE, KEY_EXECUTE, KEY_ALL_ACCESS behind the generic bits, from 31 down. */
const genericRights = [0x20019, 0x20006, 0x20019, 0xf003f] as const;

const aclRevisions = [2, 4];
/** Allow, deny, audit, alarm, their callbacks, labels: a SID behind the mask. Others are handed on as they are. */
const plainTypes = new Set([0, 1, 2, 3, 9, 10, 13, 14, 0x11, 0x12, 0x13, 0x14]);

/** S-1-3-0 and S-1-3-1 */
const creatorOwner = Buffer.from("010100000000000300000000", "hex");
const creatorGroup = Buffer.from("010100000000000301000000", "hex");

const known = new WeakMap<Uint8Array, Uint8Array | undefined>();

/**
 * The descriptor of a key that is made below one with this descriptor: its owner and group, and what of its ACLs is to be
 * inherited by containers ([MS-DTYP] 2.5.3.4). Undefined when there is nothing to inherit, or what is there is no
 * descriptor. The same bytes give the same object, the parent's own where nothing differs.
 */
export function inheritedSecurity(parent: Uint8Array | undefined): Uint8Array | undefined {
  if (parent === undefined) return undefined;
  if (known.has(parent)) return known.get(parent);
  const made = inherit(Buffer.from(parent.buffer, parent.byteOffset, parent.byteLength));
  const found = made !== undefined && Buffer.compare(made, parent) === 0 ? parent : made;
  known.set(parent, found);
  return found;
}

// Attack: a hive's descriptor whose offsets, sizes or counts point outside of it. Every part is cut out by `part` or `sidAt`,
// which give undefined then.
function inherit(parent: Buffer): Buffer | undefined {
  if (parent.length < headerSize || parent[0] !== 1) return undefined;
  const flags = parent.readUInt16LE(2);
  const owner = sidAt(parent, parent.readUInt32LE(4));
  const group = sidAt(parent, parent.readUInt32LE(8));
  if (owner === undefined || group === undefined) return undefined;
  const sacl = flags & control.saclPresent ? inheritAcl(parent, parent.readUInt32LE(12), owner, group) : undefined;
  const dacl = flags & control.daclPresent ? inheritAcl(parent, parent.readUInt32LE(16), owner, group) : undefined;
  if (dacl === undefined) return undefined;
  const header = Buffer.alloc(headerSize);
  header[0] = 1;
  const saclFlags = sacl ? control.saclPresent | control.saclInherited : 0;
  header.writeUInt16LE(control.relative | control.daclPresent | control.daclInherited | saclFlags, 2);
  let at = headerSize;
  // In the order in which Windows lays them out.
  for (const [field, part] of [
    [12, sacl],
    [16, dacl],
    [4, owner],
    [8, group],
  ] as const) {
    if (part === undefined) continue;
    header.writeUInt32LE(at, field);
    at += part.length;
  }
  return Buffer.concat([header, sacl ?? Buffer.alloc(0), dacl, owner, group]);
}

function part(bytes: Buffer, from: number, size: number): Buffer | undefined {
  return from + size <= bytes.length ? bytes.subarray(from, from + size) : undefined;
}

function sidAt(bytes: Buffer, at: number): Buffer | undefined {
  const count = at >= headerSize && bytes[at] === 1 ? bytes[at + 1] : undefined;
  return count === undefined || count > 15 ? undefined : part(bytes, at, 8 + 4 * count);
}

function inheritAcl(bytes: Buffer, at: number, owner: Buffer, group: Buffer): Buffer | undefined {
  const header = at < headerSize ? undefined : part(bytes, at, aclHeaderSize);
  const acl = header && part(bytes, at, header.readUInt16LE(2));
  if (header === undefined || acl === undefined || !aclRevisions.includes(header[0] ?? 0)) return undefined;
  const aces: Buffer[] = [];
  let from = aclHeaderSize;
  for (let left = header.readUInt16LE(4); left > 0; left--) {
    const size = from + smallestAce <= acl.length ? acl.readUInt16LE(from + 2) : 0;
    const ace = size < smallestAce ? undefined : part(acl, from, size);
    if (ace === undefined || (plainTypes.has(ace[0] ?? 0) && !holdsSid(ace))) return undefined;
    aces.push(...inheritAce(ace, owner, group));
    from += size;
  }
  const size = aces.reduce((sum, ace) => sum + ace.length, aclHeaderSize);
  if (aces.length === 0 || size > 0xffff) return undefined;
  const made = Buffer.alloc(aclHeaderSize);
  made[0] = header[0] ?? 2;
  made.writeUInt16LE(size, 2);
  made.writeUInt16LE(aces.length, 4);
  return Buffer.concat([made, ...aces]);
}

function holdsSid(ace: Buffer): boolean {
  const count = ace[9] ?? 16;
  return ace[8] === 1 && count <= 15 && ace.length >= smallestAce + 4 * count;
}

/** What an ACE becomes in a container below: nothing, itself, or one part that counts there and one that is only handed on. */
function inheritAce(ace: Buffer, owner: Buffer, group: Buffer): readonly Buffer[] {
  const flags = ace[1] ?? 0;
  const isLast = (flags & aceFlag.noPropagation) !== 0;
  const onward = isLast ? 0 : flags & (aceFlag.objects | aceFlag.containers);
  if ((flags & aceFlag.containers) === 0)
    return onward === 0 ? [] : [withFlags(ace, onward | aceFlag.inheritOnly | aceFlag.inherited)];
  const effective = settle(ace, owner, group);
  if (effective === ace) return [withFlags(ace, onward | aceFlag.inherited)];
  const here = withFlags(effective, aceFlag.inherited);
  return onward === 0 ? [here] : [here, withFlags(ace, onward | aceFlag.inheritOnly | aceFlag.inherited)];
}

function withFlags(ace: Buffer, flags: number): Buffer {
  const made = Buffer.from(ace);
  made[1] = ((ace[1] ?? 0) & ~inheritance) | flags;
  return made;
}

/** Puts the owner in the place of "creator owner" and the rights of keys in that of generic rights; else the same object. */
function settle(ace: Buffer, owner: Buffer, group: Buffer): Buffer {
  // Only plain allow, deny and audit have the SID behind the mask.
  if ((ace[0] ?? 0) > 2) return ace;
  const sid = ace.subarray(8);
  const creator = sid.equals(creatorOwner) ? owner : sid.equals(creatorGroup) ? group : undefined;
  const mask = ace.readUInt32LE(4);
  let rights = mask & 0x0fff_ffff;
  for (const [bit, right] of genericRights.entries()) if (mask & (0x8000_0000 >>> bit)) rights |= right;
  if (creator === undefined && rights === mask) return ace;
  const made = Buffer.concat([ace.subarray(0, 8), creator ?? sid]);
  made.writeUInt16LE(made.length, 2);
  made.writeUInt32LE(rights >>> 0, 4);
  return made;
}
