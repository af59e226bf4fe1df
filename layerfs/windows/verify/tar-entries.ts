/**
 * The entries of a layer's tar as they stand there: raw names, typeflags, all PAX records. readTar cleans names and refuses
 * types; a verifier must see what is wrong with them. Behind the same guard against hostile tars.
 */
import { fromRawBytes } from "../../layer/raw-path.ts";
import { numberAt, TarGuard, type TarLimits } from "../../layer/tar-guard.ts";

export interface TarEntry {
  /** As spelled; bytes that are no UTF-8 as raw-path.ts has them. */
  readonly name: string;
  /** One character; "0" also for the files of old tars, and "5" for those of them whose name ends in "/". */
  readonly type: string;
  /** Bytes of content. */
  readonly size: number;
  readonly link: string;
  readonly pax: ReadonlyMap<string, Uint8Array>;
}

export interface EntryOptions {
  readonly limits: TarLimits;
  /** Content of which entries is wanted. It is held in memory as a whole. */
  readonly keep: (entry: TarEntry) => boolean;
}

const blockSize = 512;

/** Gives each entry when its content has passed. Throws what TarGuard throws. */
export async function* tarEntries(
  bytes: AsyncIterable<Uint8Array>,
  { limits, keep }: EntryOptions,
): AsyncGenerator<{ readonly entry: TarEntry; readonly content: Buffer | undefined }> {
  const guard = new TarGuard(limits);
  let held: Buffer = Buffer.alloc(0);
  let entry: TarEntry | undefined;
  /** Bytes of content, then of padding, that are still to come; `longName` of an extra header. */
  let left = 0;
  let padding = 0;
  let kept: Buffer[] | undefined;
  let extra: string | undefined;
  const long: { name?: string; link?: string } = {};
  for await (const piece of guard.pass(bytes)) {
    let from = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    while (from.length > 0) {
      if (left > 0 || padding > 0) {
        const part = from.subarray(0, left > 0 ? left : padding);
        from = from.subarray(part.length);
        if (left > 0) {
          kept?.push(part);
          left -= part.length;
        } else padding -= part.length;
        if (left > 0 || padding > 0) continue;
        const content = kept && Buffer.concat(kept);
        if (entry) yield { entry, content };
        else if (extra === "L") long.name = untilNul(content ?? Buffer.alloc(0));
        else if (extra === "K") long.link = untilNul(content ?? Buffer.alloc(0));
        continue;
      }
      const part = from.subarray(0, blockSize - held.length);
      from = from.subarray(part.length);
      held = held.length === 0 ? part : Buffer.concat([held, part]);
      if (held.length < blockSize) continue;
      const block = held;
      held = Buffer.alloc(0);
      // The end; what follows, the guard has made sure, are no entries.
      if (block.every((byte) => byte === 0)) continue;
      const type = String.fromCharCode(block[156] ?? 0);
      const size = numberAt(block, 124, 12) ?? 0;
      extra = "xLK".includes(type) ? type : undefined;
      if (extra === undefined) {
        entry = entryOf(block, type, guard.nextPax(), long);
        delete long.name;
        delete long.link;
        left = "0\x007".includes(type) ? entry.size : 0;
        kept = keep(entry) ? [] : undefined;
      } else {
        entry = undefined;
        left = size;
        kept = type === "x" ? undefined : [];
      }
      padding = (blockSize - (left % blockSize)) % blockSize;
      if (left === 0 && entry) yield { entry, content: kept && Buffer.alloc(0) };
    }
  }
}

function entryOf(
  block: Buffer,
  flag: string,
  pax: ReadonlyMap<string, Uint8Array>,
  long: { readonly name?: string; readonly link?: string },
): TarEntry {
  const text = (key: string) => {
    const value = pax.get(key);
    return value === undefined || value.length === 0 ? undefined : fromRawBytes(value);
  };
  const field = (at: number, width: number) => untilNul(block.subarray(at, at + width));
  // POSIX's form only: GNU's has other things where the prefix would be.
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? field(345, 155) : "";
  const short = prefix === "" ? field(0, 100) : `${prefix}/${field(0, 100)}`;
  const name = text("path") ?? long.name ?? short;
  const size = Number(text("size") ?? numberAt(block, 124, 12) ?? 0);
  const type = flag !== "\0" ? flag : name.endsWith("/") ? "5" : "0";
  return { name, type, size, link: text("linkpath") ?? long.link ?? field(157, 100), pax };
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return fromRawBytes(end < 0 ? bytes : bytes.subarray(0, end));
}
