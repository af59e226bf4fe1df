/**
 * The databases in which rpm keeps headers: sqlite (since 4.16, `rpmdb.sqlite`), ndb (`Packages.db`) and Berkeley DB's hash
 * (`Packages`, until 4.15). Each yields the header blobs; the last two are read by us, page by page, with every offset checked.
 */

/** Bytes; the kernel's own header is 2 MB. */
const largestBlob = 32 * 1024 * 1024;

/**
 * Headers of an rpmdb.sqlite; `log` is its write-ahead log, in which an image's last installation mostly still is. Throws what
 * SQLite says of damaged files.
 */
export async function* sqliteHeaders(bytes: Buffer, log?: Buffer): AsyncGenerator<Uint8Array> {
  const copy = withLog(bytes, log);
  // A file in write-ahead mode cannot be opened in memory; the bytes say so in two places (SQLite file format, 18 and 19).
  if (copy.length >= 100) copy.fill(1, 18, 20);
  const { default: BetterSqlite } = await import("better-sqlite3");
  const db = new BetterSqlite(copy, { readonly: true });
  try {
    // The attack: `Packages` is a view or a virtual table, whose query never ends or calls functions.
    db.pragma("trusted_schema = OFF");
    const table = db.prepare("SELECT sql FROM sqlite_master WHERE name = 'Packages' AND type = 'table'").get() as
      | { sql: string }
      | undefined;
    if (!table || /\bVIRTUAL\b|\bGENERATED\b|\bAS\s*\(/i.test(table.sql)) return;
    const rows = db.prepare(`SELECT blob FROM Packages WHERE length(blob) < ${largestBlob} ORDER BY hnum`);
    for (const row of rows.iterate() as Iterable<{ blob: unknown }>) if (row.blob instanceof Uint8Array) yield row.blob;
  } finally {
    db.close();
  }
}

/** A copy with the pages of every finished transaction of the log (SQLite file format, "The Write-Ahead Log"). */
function withLog(bytes: Buffer, log: Buffer | undefined): Buffer {
  const isLog = log !== undefined && log.length >= 32 && (log.readUInt32BE(0) & ~1) === 0x377f0682;
  const pageSize = isLog ? log.readUInt32BE(8) : 0;
  if (!isLog || pageSize < 512 || pageSize > 65_536) return Buffer.from(bytes);
  const pages = new Map<number, number>();
  let open = new Map<number, number>();
  let size = bytes.length;
  for (let at = 32; at + 24 + pageSize <= log.length; at += 24 + pageSize) {
    // Frames with another salt are left over from a log before this one.
    if (log.compare(log, 16, 24, at + 8, at + 16) !== 0) break;
    open.set(log.readUInt32BE(at), at + 24);
    const pagesAfter = log.readUInt32BE(at + 4);
    if (pagesAfter === 0) continue;
    for (const [page, place] of open) pages.set(page, place);
    open = new Map();
    size = pagesAfter * pageSize;
  }
  // The attack: a frame that says that the database has 2^32 pages.
  const copy = Buffer.alloc(Math.min(size, bytes.length + log.length));
  bytes.copy(copy);
  for (const [page, place] of pages)
    if (page > 0 && page * pageSize <= copy.length) log.copy(copy, (page - 1) * pageSize, place, place + pageSize);
  return copy;
}

/** Headers of an ndb `Packages.db`: a table of slots, each naming blocks of 16 bytes. */
export function* ndbHeaders(bytes: Buffer): Generator<Uint8Array> {
  if (bytes.length < 4096 || bytes.toString("latin1", 0, 4) !== "RpmP") return;
  const end = Math.min(bytes.readUInt32LE(16) * 4096, bytes.length);
  for (let at = 32; at + 16 <= end; at += 16) {
    const index = bytes.readUInt32LE(at + 4);
    if (bytes.toString("latin1", at, at + 4) !== "Slot" || index === 0) continue;
    const blob = bytes.readUInt32LE(at + 8) * 16;
    if (blob + 16 > bytes.length || bytes.toString("latin1", blob, blob + 4) !== "BlbS") continue;
    const length = bytes.readUInt32LE(blob + 12);
    if (bytes.readUInt32LE(blob + 4) !== index || length > largestBlob || blob + 16 + length > bytes.length) continue;
    yield bytes.subarray(blob + 16, blob + 16 + length);
  }
}

const pageHeader = 26;
const kinds = { hashUnsorted: 2, hash: 13 };
const items = { data: 1, offPage: 3 };

/** Headers of a Berkeley DB hash `Packages`, of machines with the little end first. */
export function* bdbHeaders(bytes: Buffer): Generator<Uint8Array> {
  if (bytes.length < 512 || bytes.readUInt32LE(12) !== 0x061561) return;
  const pageSize = bytes.readUInt32LE(20);
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) return;
  for (let page = pageSize; page + pageSize <= bytes.length; page += pageSize) {
    const kind = bytes[page + 25] ?? 0;
    if (kind !== kinds.hash && kind !== kinds.hashUnsorted) continue;
    const count = Math.min(bytes.readUInt16LE(page + 20), (pageSize - pageHeader) / 2);
    // Keys and values take turns.
    for (let item = 1; item < count; item += 2) {
      const at = page + bytes.readUInt16LE(page + pageHeader + item * 2);
      const before = page + bytes.readUInt16LE(page + pageHeader + (item - 1) * 2);
      if (at + 12 > page + pageSize) continue;
      if (bytes[at] === items.offPage) {
        const blob = overflow(bytes, pageSize, bytes.readUInt32LE(at + 4), bytes.readUInt32LE(at + 8));
        if (blob) yield blob;
      } else if (bytes[at] === items.data && before > at) yield bytes.subarray(at + 1, before);
    }
  }
}

/** A value on pages of its own. The attack: pages that name each other in a ring. */
function overflow(bytes: Buffer, pageSize: number, first: number, length: number): Buffer | undefined {
  if (length > largestBlob || length > bytes.length) return undefined;
  const parts: Buffer[] = [];
  let left = length;
  for (let number = first; left > 0; ) {
    const page = number * pageSize;
    if (number === 0 || page + pageSize > bytes.length) return undefined;
    // All pages but the last are full, so that a ring of them ends with the length.
    const here = Math.min(pageSize - pageHeader, left);
    if (bytes.readUInt16LE(page + 22) < here) return undefined;
    parts.push(bytes.subarray(page + pageHeader, page + pageHeader + here));
    left -= here;
    number = bytes.readUInt32LE(page + 16);
  }
  return Buffer.concat(parts);
}
