/**
 * What Windows knows of a file beside its bytes, as PAX records of its entry (go-winio's backuptar), both ways: attributes,
 * creation time, security descriptor, junction mark. Foreign records that cannot be read count as absent.
 */
import type { Entry } from "../layer/entry.ts";
import { paxTime } from "../layer/pax.ts";
import { parseSddl } from "./sddl.ts";
import { encodeSecurity } from "./security.ts";

export const fileAttribute = {
  readOnly: 1,
  hidden: 2,
  system: 4,
  directory: 16,
  archive: 32,
  normal: 128,
  sparse: 512,
  reparsePoint: 1024,
  compressed: 2048,
} as const;

export interface WindowsMetadata {
  /** Win32 file attributes. */
  readonly attributes?: number;
  /** Nanoseconds since 1970; may be negative. */
  readonly creationTimeNs?: bigint;
  /** A self-relative security descriptor; for decodeSecurity. */
  readonly security?: Uint8Array;
  /** A directory link of the kind that mklink /J makes. */
  readonly mountpoint?: boolean;
  /** NTFS extended attributes by name. */
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

export const paxKey = {
  attributes: "MSWINDOWS.fileattr",
  rawSecurity: "MSWINDOWS.rawsd",
  sddl: "MSWINDOWS.sd",
  mountpoint: "MSWINDOWS.mountpoint",
  xattr: "MSWINDOWS.xattr.",
  creation: "LIBARCHIVE.creationtime",
} as const;

const defaultSddl = {
  directory:
    "O:BAG:SYD:(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;;FA;;;BA)(A;OICIIO;GA;;;CO)(A;OICI;0x1200a9;;;BU)(A;CI;LC;;;BU)(A;CI;DC;;;BU)",
  file: "O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)",
} as const;
const defaults = new Map<string, Uint8Array>();

/** The descriptor of new files and of new folders: full for administrators and the system, reading for users. */
export function defaultSecurity(kind: "file" | "directory"): Uint8Array {
  let bytes = defaults.get(kind);
  if (bytes === undefined) {
    bytes = encodeSecurity(parseSddl(defaultSddl[kind]));
    defaults.set(kind, bytes);
  }
  return bytes;
}

/** The metadata that an entry carries. Never throws: what cannot be read is absent, as it is for Windows' importers. */
export function readMetadata(entry: Pick<Entry, "pax">): WindowsMetadata {
  const { pax } = entry;
  if (pax === undefined) return {};
  const text = (key: string) => {
    const value = pax.get(key);
    return value === undefined ? undefined : Buffer.from(value).toString("utf8");
  };
  const attributes = text(paxKey.attributes);
  const creationTimeNs = timeOf(text(paxKey.creation));
  const security = base64(text(paxKey.rawSecurity)) ?? securityOfText(text(paxKey.sddl));
  const xattrs = new Map<string, Uint8Array>();
  for (const key of pax.keys()) {
    const value = key.startsWith(paxKey.xattr) ? base64(text(key)) : undefined;
    if (value !== undefined) xattrs.set(key.slice(paxKey.xattr.length), value);
  }
  return {
    ...(attributes !== undefined && /^[0-9]{1,10}$/.test(attributes) && Number(attributes) <= 0xffffffff
      ? { attributes: Number(attributes) }
      : {}),
    ...(creationTimeNs === undefined ? {} : { creationTimeNs }),
    ...(security === undefined ? {} : { security }),
    ...(pax.has(paxKey.mountpoint) ? { mountpoint: true } : {}),
    ...(xattrs.size === 0 ? {} : { xattrs }),
  };
}

/** Its attributes alone; 0 where it has none. */
export function attributesOf({ pax }: Pick<Entry, "pax">): number {
  const value = pax?.get(paxKey.attributes);
  const text = value === undefined ? "" : Buffer.from(value).toString("latin1");
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= 0xffffffff ? Number(text) : 0;
}

/** The PAX records that say so. Extended attributes are not written: no two importers agree on what they restore. */
export function metadataPax(metadata: WindowsMetadata): Map<string, Uint8Array> {
  const { attributes, creationTimeNs, security, mountpoint } = metadata;
  const pax = new Map<string, Uint8Array>();
  const add = (key: string, value: string) => pax.set(key, Buffer.from(value, "latin1"));
  if (creationTimeNs !== undefined) add(paxKey.creation, formatTime(creationTimeNs));
  if (attributes !== undefined) add(paxKey.attributes, String(attributes));
  if (mountpoint) add(paxKey.mountpoint, "1");
  if (security !== undefined) add(paxKey.rawSecurity, Buffer.from(security).toString("base64"));
  return pax;
}

/** The entry with this metadata alone: records of other kinds (attributes of Linux) go. */
export function withMetadata(entry: Entry, metadata: WindowsMetadata): Entry {
  const { pax: _, ...rest } = entry;
  const pax = metadataPax(metadata);
  return pax.size === 0 ? rest : { ...rest, pax };
}

/**
 * A file or folder that was there and whose content changed: attributes, creation time and descriptor stay those of
 * `lower`, but what `now` says itself counts. Both must be of one type.
 */
export function keepMetadata(lower: Entry, now: Entry): Entry {
  const before = readMetadata(lower);
  const own = now.pax === undefined ? {} : readMetadata(now);
  const attributes = own.attributes ?? before.attributes;
  return withMetadata(now, {
    // Where no creation time is told, it is the time of the last write.
    creationTimeNs: own.creationTimeNs ?? before.creationTimeNs ?? lower.mtimeNs,
    ...(attributes === undefined ? {} : { attributes: fitting(attributes, now) }),
    ...optional("security", own.security ?? before.security),
    ...optional("mountpoint", now.type === "symlink" ? (own.mountpoint ?? before.mountpoint) : undefined),
  });
}

export interface FreshOptions {
  /** Creation times after it become it, as the writer does with modification times. */
  readonly epochSeconds?: number;
  /** Of a symlink: it leads to a folder. */
  readonly toFolder?: boolean;
}

/** A new file, folder or link: default attributes and descriptor, created when it was last written, but for what it says itself. */
export function freshMetadata(entry: Entry, { epochSeconds, toFolder = false }: FreshOptions = {}): Entry {
  const own = readMetadata(entry);
  const isFolder = entry.type === "directory" || (entry.type === "symlink" && (toFolder || own.mountpoint === true));
  const created = own.creationTimeNs ?? entry.mtimeNs;
  const latest = epochSeconds === undefined ? created : BigInt(epochSeconds) * 1_000_000_000n;
  const usual = isFolder ? fileAttribute.directory : entry.type === "symlink" ? 0 : fileAttribute.archive;
  const attributes = fitting(own.attributes ?? usual, entry) | (isFolder ? fileAttribute.directory : 0);
  return withMetadata(entry, {
    creationTimeNs: created > latest ? latest : created,
    attributes,
    security: own.security ?? defaultSecurity(isFolder ? "directory" : "file"),
    ...optional("mountpoint", entry.type === "symlink" ? own.mountpoint : undefined),
  });
}

/** Attributes without what the entry's type and our plain data belie: a file that replaced a sparse or compressed one is neither. */
function fitting(attributes: number, { type }: Entry): number {
  const { directory, reparsePoint, sparse, compressed } = fileAttribute;
  if (type === "directory") return (attributes & ~(reparsePoint | sparse)) | directory;
  if (type === "symlink") return attributes | reparsePoint;
  return attributes & ~(directory | reparsePoint | sparse | compressed);
}

/** `seconds[.fraction]`: nine digits, then zeros cut. What BuildKit writes (7 ms as .7000000) is read back wrong. */
export function formatTime(ns: bigint): string {
  const positive = ns < 0n ? -ns : ns;
  const fraction = String(positive % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${ns < 0n ? "-" : ""}${positive / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}

function timeOf(text: string | undefined): bigint | undefined {
  try {
    return text === undefined ? undefined : paxTime(text);
  } catch {
    return undefined;
  }
}

function base64(text: string | undefined): Uint8Array | undefined {
  if (text === undefined || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, "base64");
}

function securityOfText(text: string | undefined): Uint8Array | undefined {
  try {
    return text === undefined ? undefined : encodeSecurity(parseSddl(text));
  } catch {
    return undefined;
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}
