/**
 * Attributes of Windows on Linux' disk, as Wine keeps them: hidden and system in an extended attribute, read-only as a mode
 * without write bits. Other attributes have no place there and stay what they were.
 */
import type { Entry } from "../layer/entry.ts";
import { fileAttribute, paxKey, readMetadata } from "./metadata.ts";

export const dosAttribute = "user.DOSATTRIB";
const record = `SCHILY.xattr.${dosAttribute}`;
const { readOnly, hidden, system, directory, archive } = fileAttribute;
const writeBits = 0o222;

/** Wine's text for these attributes; undefined when none of them needs it. */
export function dosText(attributes: number): string | undefined {
  const kept = attributes & (hidden | system);
  return kept === 0 ? undefined : `0x${kept.toString(16)}`;
}

/** The mode on disk. A read-only folder of Windows is one that programs may write into. */
export function modeFor(type: Entry["type"], attributes: number): number {
  if (type === "directory") return 0o755;
  return attributes & readOnly ? 0o644 & ~writeBits : 0o644;
}

/**
 * The entry of a file that a step left on disk, with its attributes as a record where they are new or differ from
 * `lower`'s, and with `mode`. What the entry says itself counts more.
 */
export function takeAttributes(found: Entry, lower: Entry | undefined, mode: number): Entry {
  const entry = { ...found, mode };
  if (entry.type === "symlink" || found.pax?.has(paxKey.attributes)) return entry;
  const before = lower && readMetadata(lower).attributes;
  const usual = entry.type === "directory" ? directory : archive;
  const text = Buffer.from(found.pax?.get(record) ?? []).toString("latin1");
  const value = /^0x[0-9a-f]{1,8}/i.exec(text)?.[0] ?? "0";
  const told = Number(value) & (hidden | system);
  // A folder's mode says nothing: see modeFor.
  const locked = entry.type === "directory" ? (before ?? 0) & readOnly : (found.mode & writeBits) === 0 ? readOnly : 0;
  const after = ((before ?? usual) & ~(readOnly | hidden | system)) | told | locked;
  if (after === (before ?? usual)) return entry;
  return { ...entry, pax: new Map([...(found.pax ?? []), [paxKey.attributes, Buffer.from(String(after))]]) };
}
