/**
 * readTar: tar bytes → entries, for archives and ADD; readLayer: layer bytes → changes. Built on tar-stream, behind a
 * guard against hostile tars. To put a layer on disk, use unpack.ts.
 */
import type { Header } from "tar-stream";
import { WbuildError } from "../../native/error.ts";
import { decompressStream } from "./compress.ts";
import type { Change, Entry, EntryType } from "./entry.ts";
import { filePax, paxTime } from "./pax.ts";
import { fromRawBytes, showPath } from "./raw-path.ts";
import { TarGuard, type TarLimits } from "./tar-guard.ts";
import { whiteoutOf } from "./whiteout.ts";

export const usualTarLimits: TarLimits = { maxBytes: 2 ** 38, maxEntries: 2 ** 22 };

const types: Readonly<Record<string, EntryType>> = {
  file: "file",
  "contiguous-file": "file",
  link: "hardlink",
  symlink: "symlink",
  directory: "directory",
  fifo: "fifo",
  "character-device": "character",
  "block-device": "block",
};

/**
 * The entries of a plain tar, in its order. A file's content is a stream that must be read before the next entry is
 * asked for; what is not read is skipped. Leading "/" and "./" of names are taken off.
 * Throws LAYER_ESCAPE for a name or hard link that climbs out, LAYER_TYPE, LAYER_LINK_TARGET, and what the guard throws.
 */
export async function* readTar(
  bytes: AsyncIterable<Uint8Array>,
  limits: TarLimits = usualTarLimits,
): AsyncGenerator<Entry> {
  const { extract } = await import("tar-stream");
  const guard = new TarGuard(limits);
  // Names as latin1 keep their bytes. The package's types do not know its own options.
  const options: object = { filenameEncoding: "latin1", allowUnknownFormat: true };
  const parser = extract(options);
  let failure: unknown;
  const feed = async () => {
    try {
      for await (const piece of guard.pass(bytes)) {
        if (!parser.write(piece)) await readyOrClosed(parser);
        if (parser.destroyed) return;
      }
      parser.end(undefined);
    } catch (error) {
      failure ??= error;
      parser.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  };
  void feed();
  try {
    for await (const member of parser) {
      yield entryOf(member.header, guard.nextPax(), member as AsyncIterable<Uint8Array>);
      member.resume();
    }
  } catch (error) {
    if (failure !== undefined) throw failure;
    if (error instanceof WbuildError || !(error instanceof Error)) throw error;
    const isCut = /unexpected end/i.test(error.message);
    throw isOfTarStream(error)
      ? new WbuildError(
          isCut ? "LAYER_TRUNCATED" : "LAYER_HEADER",
          isCut ? "the tar ends in the middle of an entry" : "this is no sound tar",
          { cause: error },
        )
      : error;
  } finally {
    parser.destroy();
  }
  if (failure !== undefined) throw failure;
}

/** The changes that a layer's blob makes, whatever its compression, in the order of the tar. Throws as readTar does. */
export async function* readLayer(
  blob: AsyncIterable<Uint8Array>,
  limits: TarLimits = usualTarLimits,
): AsyncGenerator<Change> {
  for await (const entry of readTar(decompressStream(blob, { maxBytes: limits.maxBytes }), limits)) {
    const whiteout = whiteoutOf(entry.path);
    if (whiteout === undefined) yield { kind: "set", entry };
    else if (whiteout !== "note") yield whiteout;
  }
}

/** Waits until the parser wants more bytes, or will take none any more. */
function readyOrClosed(parser: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      parser.off("drain", done).off("close", done);
      resolve();
    };
    parser.on("drain", done).on("close", done);
  });
}

function isOfTarStream(error: Error): boolean {
  return /unexpected end|invalid (?:tar )?header|exceeds max size/i.test(error.message);
}

function entryOf(header: Header, records: ReadonlyMap<string, Uint8Array>, stream: AsyncIterable<Uint8Array>): Entry {
  const raw = (key: string, field: string | null | undefined) => {
    const record = records.get(key);
    return fromRawBytes(record !== undefined && record.length > 0 ? record : Buffer.from(field ?? "", "latin1"));
  };
  const name = raw("path", header.name);
  const path = cleanPath(name, "a name in the tar");
  const type = types[header.type ?? ""];
  if (type === undefined) throw refusal("LAYER_TYPE", "an entry has a type that is not supported", name);
  const number = (key: "uid" | "gid", field: number) => {
    const record = records.get(key);
    const value = record === undefined || record.length === 0 ? field : Number(Buffer.from(record).toString("latin1"));
    if (!Number.isInteger(value) || value < 0 || value >= 0xffffffff) {
      throw refusal("LAYER_HEADER", "a header has a number that is none", name);
    }
    return value;
  };
  const mtime = records.get("mtime");
  const pax = filePax(records);
  const plain = {
    path,
    type,
    mode: header.mode & 0o7777,
    uid: number("uid", header.uid),
    gid: number("gid", header.gid),
    size: type === "file" ? header.size : 0,
    mtimeNs:
      mtime === undefined || mtime.length === 0
        ? BigInt(Math.floor(header.mtime.getTime() / 1000)) * 1_000_000_000n
        : paxTime(Buffer.from(mtime).toString("latin1")),
    ...(pax === undefined ? {} : { pax }),
  };
  if (type === "file") return { ...plain, content: { kind: "stream", open: () => stream } };
  if (type === "symlink" || type === "hardlink") {
    const target = raw("linkpath", header.linkname);
    if (target === "" || target.includes("\0"))
      throw refusal("LAYER_LINK_TARGET", "a link has an impossible target", name);
    return { ...plain, target: type === "hardlink" ? cleanPath(target, "the target of a hard link") : target };
  }
  if (type !== "character" && type !== "block") return plain;
  const major = header.devmajor;
  const minor = header.devminor;
  if (!(major >= 0 && major <= 0xfff && minor >= 0 && minor <= 0xfffff)) {
    throw refusal("LAYER_DEVICE", "a device has impossible numbers", name);
  }
  return { ...plain, device: { major, minor } };
}

/** Clean and relative. Attack: ".." would climb out of the folder that is unpacked into. */
function cleanPath(raw: string, what: string): string {
  if (raw.includes("\0")) throw refusal("LAYER_NAME", `${what} has a NUL in it`, raw);
  const parts = raw.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw refusal("LAYER_ESCAPE", `${what} climbs out through '..'`, raw);
  return parts.join("/");
}

function refusal(code: `LAYER_${string}`, text: string, name: string): WbuildError {
  return new WbuildError(code, `${text}: ${showPath(name)}`, { facts: { path: name } });
}
