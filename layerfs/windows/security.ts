/**
 * Security descriptors as values: their self-relative bytes both ways (MS-DTYP 2.4.6, 2.4.5, 2.4.4), and the changes that
 * icacls and takeown make. Their text is in sddl.ts. Bytes are foreign: every offset is checked before it is used.
 */
import { WbuildError } from "../../native/error.ts";
import { decodeSid, encodeSid } from "./sid.ts";

export interface Ace {
  /** 0 allow, 1 deny, 2 audit, 0x11 mandatory label …: MS-DTYP 2.4.4.1. */
  readonly type: number;
  /** 1 objects inherit, 2 containers inherit, 4 not further, 8 inherit only, 0x10 inherited, 0x40 and 0x80 audit. */
  readonly flags: number;
  /** Of the types that are a mask and a SID (see `isPlainAce`); 0 for others. */
  readonly mask: number;
  /** `S-1-…`; "" where the type has another form. */
  readonly sid: string;
  /** What stands behind the SID, or the whole body of another form; kept as it is. */
  readonly rest?: Uint8Array;
}

export interface Acl {
  /** 2, or 4 when object ACEs are in it. */
  readonly revision: number;
  readonly aces: readonly Ace[];
}

export interface SecurityDescriptor {
  /** Control bits other than self-relative and those that say which parts are there. */
  readonly control: number;
  readonly owner?: string;
  readonly group?: string;
  /** Absent with `daclPresent`: everyone may do everything. */
  readonly dacl?: Acl;
  readonly sacl?: Acl;
}

/** INHERITED_ACE: not written here, but handed down. */
export const inherited = 0x10;

const selfRelative = 0x8000;
const daclPresent = 0x0004;
const saclPresent = 0x0010;
/** Bits that the parts themselves say. */
const spoken = selfRelative | daclPresent | saclPresent;
/** Windows' own bound of an ACL; owner and group have at most 68 bytes. */
const maxDescriptor = 20 + 2 * 68 + 2 * 0xffff;
/** Types whose body is a mask, a SID and perhaps more: allow, deny, audit, alarm, their callbacks, labels. */
const plainTypes = new Set([0, 1, 2, 3, 9, 10, 13, 14, 0x11, 0x12, 0x13, 0x14]);

export function isPlainAce(type: number): boolean {
  return plainTypes.has(type);
}

/** Parses a self-relative descriptor. Throws WIN_SECURITY for bytes that are none; never reads beyond them. */
export function decodeSecurity(bytes: Uint8Array): SecurityDescriptor {
  if (bytes.length > maxDescriptor) throw broken("is too long");
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (b.length < 20 || b[0] !== 1) throw broken("has no header of revision 1");
  const control = b.readUInt16LE(2);
  if (!(control & selfRelative)) throw broken("is not self-relative");
  const sidAt = (at: number) => (at === 0 ? undefined : decodeSid(part(b, at)).sid);
  const aclAt = (at: number, bit: number) => (at === 0 || !(control & bit) ? undefined : decodeAcl(part(b, at)));
  const owner = sidAt(b.readUInt32LE(4));
  const group = sidAt(b.readUInt32LE(8));
  const sacl = aclAt(b.readUInt32LE(12), saclPresent);
  const dacl = aclAt(b.readUInt32LE(16), daclPresent);
  // A DACL that is said to be there and is not: everyone may do everything. Without the bit it is inherited.
  const isOpen = (control & daclPresent) !== 0 && dacl === undefined;
  return {
    control: (control & ~spoken) | (isOpen ? daclPresent : 0),
    ...(owner === undefined ? {} : { owner }),
    ...(group === undefined ? {} : { group }),
    ...(sacl === undefined ? {} : { sacl }),
    ...(dacl === undefined ? {} : { dacl }),
  };
}

/** Self-relative bytes: header, owner, group, SACL, DACL. Throws WIN_SECURITY for what has no bytes. */
export function encodeSecurity(descriptor: SecurityDescriptor): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 20;
  const add = (bytes: Uint8Array | undefined): number => {
    if (bytes === undefined) return 0;
    const here = at;
    parts.push(bytes);
    at += bytes.length;
    return here;
  };
  const head = Buffer.alloc(20);
  const { control, owner, group, sacl, dacl } = descriptor;
  head[0] = 1;
  const present = (sacl === undefined ? 0 : saclPresent) | (dacl === undefined ? 0 : daclPresent);
  head.writeUInt16LE((control & ~(selfRelative | saclPresent)) | present | selfRelative, 2);
  head.writeUInt32LE(add(owner === undefined ? undefined : encodeSid(owner)), 4);
  head.writeUInt32LE(add(group === undefined ? undefined : encodeSid(group)), 8);
  head.writeUInt32LE(add(sacl === undefined ? undefined : encodeAcl(sacl)), 12);
  head.writeUInt32LE(add(dacl === undefined ? undefined : encodeAcl(dacl)), 16);
  return Buffer.concat([head, ...parts]);
}

/** The descriptor with another owner; takeown and `icacls /setowner` do no more. */
export function setOwner(descriptor: SecurityDescriptor, sid: string): SecurityDescriptor {
  return { ...descriptor, owner: sid };
}

/**
 * As `icacls /grant`: the rights are added to the account's own entry with the same flags, or to a new one, which stands
 * behind explicit denials and entries and before what is inherited. Without a DACL everyone has them already.
 */
export function grant(descriptor: SecurityDescriptor, sid: string, mask: number, flags = 0): SecurityDescriptor {
  const { dacl } = descriptor;
  if (dacl === undefined && descriptor.control & daclPresent) return descriptor;
  const aces = dacl?.aces ?? [];
  const own = aces.findIndex((ace) => ace.type === 0 && ace.sid === sid && ace.flags === flags);
  if (own >= 0) {
    const merged = aces.map((ace, i) => (i === own ? { ...ace, mask: (ace.mask | mask) >>> 0 } : ace));
    return withAces(descriptor, merged);
  }
  const firstInherited = aces.findIndex((ace) => (ace.flags & inherited) !== 0);
  const at = firstInherited < 0 ? aces.length : firstInherited;
  return withAces(descriptor, aces.toSpliced(at, 0, { type: 0, flags, mask: mask >>> 0, sid }));
}

/** As `icacls /deny`: a denial of these rights in front of everything else. */
export function deny(descriptor: SecurityDescriptor, sid: string, mask: number, flags = 0): SecurityDescriptor {
  const aces = descriptor.dacl?.aces ?? [];
  return withAces(descriptor, [{ type: 1, flags, mask: mask >>> 0, sid }, ...aces]);
}

/** As `icacls /remove`: all explicit entries of the account go. */
export function revoke(descriptor: SecurityDescriptor, sid: string): SecurityDescriptor {
  const aces = descriptor.dacl?.aces;
  if (aces === undefined) return descriptor;
  return withAces(
    descriptor,
    aces.filter((ace) => ace.sid !== sid || (ace.flags & inherited) !== 0 || ace.type > 1),
  );
}

function withAces(descriptor: SecurityDescriptor, aces: readonly Ace[]): SecurityDescriptor {
  return { ...descriptor, dacl: { revision: descriptor.dacl?.revision ?? 2, aces } };
}

function decodeAcl(b: Buffer): Acl {
  if (b.length < 8) throw broken("has an access list that is cut short");
  const revision = b[0] ?? 0;
  const size = b.readUInt16LE(2);
  const count = b.readUInt16LE(4);
  if ((revision !== 2 && revision !== 4) || size < 8 || size > b.length) {
    throw broken("has an access list with an impossible header");
  }
  const aces: Ace[] = [];
  let at = 8;
  for (let i = 0; i < count; i++) {
    const length = size - at >= 4 ? b.readUInt16LE(at + 2) : 0;
    if (length < 4 || length % 4 !== 0 || length > size - at) throw broken("has an entry with an impossible length");
    aces.push(decodeAce(b.subarray(at, at + length)));
    at += length;
  }
  return { revision, aces };
}

function decodeAce(b: Buffer): Ace {
  const type = b[0] ?? 0;
  const flags = b[1] ?? 0;
  if (!isPlainAce(type)) return { type, flags, mask: 0, sid: "", rest: Uint8Array.prototype.slice.call(b, 4) };
  if (b.length < 8) throw broken("has an entry with an impossible length");
  const { sid, length } = decodeSid(b.subarray(8));
  const rest = Uint8Array.prototype.slice.call(b, 8 + length);
  return { type, flags, mask: b.readUInt32LE(4), sid, ...(rest.length === 0 ? {} : { rest }) };
}

function encodeAcl(acl: Acl): Uint8Array {
  const aces = acl.aces.map(encodeAce);
  const size = aces.reduce((sum, ace) => sum + ace.length, 8);
  if (size > 0xffff || aces.length > 0xffff) throw broken("has an access list that is too long");
  const head = Buffer.alloc(8);
  head[0] = acl.revision;
  head.writeUInt16LE(size, 2);
  head.writeUInt16LE(aces.length, 4);
  return Buffer.concat([head, ...aces]);
}

function encodeAce(ace: Ace): Uint8Array {
  const head = Buffer.alloc(isPlainAce(ace.type) ? 8 : 4);
  const body = [head, ...(isPlainAce(ace.type) ? [encodeSid(ace.sid)] : []), ...(ace.rest ? [ace.rest] : [])];
  const size = body.reduce((sum, part) => sum + part.length, 0);
  // Entries begin at multiples of four.
  const padding = Buffer.alloc(-size & 3);
  head[0] = ace.type;
  head[1] = ace.flags;
  if (size + padding.length > 0xffff) throw broken("has an entry that is too long");
  head.writeUInt16LE(size + padding.length, 2);
  if (head.length === 8) head.writeUInt32LE(ace.mask >>> 0, 4);
  return Buffer.concat([...body, padding]);
}

function part(b: Buffer, at: number): Buffer {
  if (at < 20 || at >= b.length) throw broken("points outside of itself");
  return b.subarray(at);
}

function broken(how: string): WbuildError {
  return new WbuildError("WIN_SECURITY", `a security descriptor ${how}`);
}
