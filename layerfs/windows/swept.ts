/**
 * A folder of this host as part of a Windows layer in one piece: its names are looked at, but only its links become
 * entries. What needs more than that is left to shapeLayer, which says the same of each file by itself.
 */
import { windowsRecords } from "../../native/addon/bulk.ts";
import { decodeHeads, decodeRecords, type RecordHead, RecordWriter } from "../../native/addon/records.ts";
import { upcase } from "../hive/upcase.ts";
import type { Entry } from "../layer/entry.ts";
import type { RecordBatch } from "../layer/write.ts";
import type { FolderSweep } from "../tree/folder-sweep.ts";
import { joinPath } from "../tree/names.ts";
import { driveFolder } from "../tree/windows-path.ts";
import { dressEntry } from "./dress.ts";
import { isWhiteoutName, leftOutByName, type Origin } from "./layer-content.ts";
import { defaultSecurity, paxKey } from "./metadata.ts";
import { isShortEnough, nameFault } from "./names.ts";

export interface SweptInput {
  /** Below C:, clean. Nothing is there yet, in no spelling, or an empty folder. */
  readonly target: string;
  readonly origin: Origin;
  /** What is at a path below C: without the folder's contents. */
  readonly look: (path: string) => Promise<Entry | undefined>;
  /** A descriptor for all of it in place of the usual ones. */
  readonly security?: Uint8Array;
  /** SOURCE_DATE_EPOCH: creation times after it become it. */
  readonly epochSeconds?: number;
}

/**
 * What the folder holds as records of the layer, byte for byte what shapeLayer and the writer make of its entries. Undefined
 * where a name or a kind of file needs a closer look: to be left out, refused, or told from another only by its letter case.
 */
export async function shapeSweep(sweep: FolderSweep, input: SweptInput): Promise<RecordBatch | undefined> {
  const { target, origin, epochSeconds } = input;
  const heads = decodeHeads(sweep.bytes);
  const places = new Map<string, RecordHead>();
  for (const head of heads) {
    const path = joinPath(target, head.path);
    const upper = upcase(path);
    if (!isPlain(path, upper, head, origin)) return undefined;
    places.set(upper, head);
  }
  if (places.size < heads.length) return undefined;
  const usual = (kind: "file" | "directory") => Buffer.from(input.security ?? defaultSecurity(kind)).toString("base64");
  const to = {
    prefix: joinPath(driveFolder, target),
    folder: sweep.folder,
    fileSecurity: usual("file"),
    folderSecurity: usual("directory"),
    ...(epochSeconds === undefined ? {} : { epochSeconds }),
  };
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const head of heads) {
    if (head.type !== "symlink") continue;
    pieces.push(windowsRecords(sweep.bytes.subarray(from, head.start), to));
    pieces.push(await linkRecord(sweep.bytes.subarray(head.start, head.end), places, sweep, input));
    from = head.end;
  }
  pieces.push(windowsRecords(sweep.bytes.subarray(from), to));
  return { kind: "records", records: pieces };
}

function isPlain(path: string, upper: string, { path: own, type }: RecordHead, origin: Origin): boolean {
  if (type !== "file" && type !== "directory" && type !== "symlink") return false;
  const name = own.slice(own.lastIndexOf("/") + 1);
  return (
    nameFault(name) === undefined &&
    isShortEnough(path) &&
    !isWhiteoutName(path) &&
    leftOutByName(upper, origin) === undefined
  );
}

/** Windows' links know whether they lead to a folder; it may lie in this one or in the layers below. */
async function linkRecord(
  record: Uint8Array,
  places: ReadonlyMap<string, RecordHead>,
  sweep: FolderSweep,
  { target, origin, look, security, epochSeconds }: SweptInput,
): Promise<Uint8Array> {
  const own = entryOf(record);
  const pax = security && new Map([[paxKey.rawSecurity, Buffer.from(Buffer.from(security).toString("base64"))]]);
  const dressed = await dressEntry(
    { ...own, ...(pax ? { pax } : {}) },
    joinPath(joinPath(driveFolder, target), own.path),
    undefined,
    {
      origin,
      ...(epochSeconds === undefined ? {} : { epochSeconds }),
      look: async (path) => {
        const head = places.get(upcase(path));
        return head === undefined ? look(path) : { ...entryOf(sweep.bytes.subarray(head.start, head.end)), path };
      },
    },
  );
  const writer = new RecordWriter(1024);
  if (dressed !== undefined) writer.addSet(dressed);
  return writer.take();
}

function entryOf(record: Uint8Array): Entry {
  const [change] = decodeRecords(record);
  return (change as { readonly entry: Entry }).entry;
}
