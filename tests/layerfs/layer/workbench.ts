/** What the layer tests share: a store that is a folder, tars made by hand (hostile ones too), scratch folders. */
import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import type { Change, Content, Entry } from "../../../layerfs/layer/entry.ts";
import { Order } from "../../../layerfs/layer/ordered.ts";
import type { BlobFiles } from "../../../layerfs/store/blob-store.ts";
import { hexOf } from "../../../layerfs/store/digest.ts";
import { RecordWriter } from "../../../native/addon/records.ts";

/** A fresh folder that goes away with the test. */
export async function scratch(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-layer-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export function folderStore(folder: string): BlobFiles {
  let count = 0;
  const path = (digest: `sha256:${string}`) => join(folder, hexOf(digest));
  const missing = () => {
    throw new Error("not needed here");
  };
  return {
    path,
    has: missing,
    open: missing,
    put: missing,
    follow: missing,
    async reserve() {
      const temporary = join(folder, `.new-${count++}`);
      return {
        path: temporary,
        async commit(blob) {
          await rename(temporary, path(blob.digest));
          return blob;
        },
        [Symbol.asyncDispose]: () => rm(temporary, { force: true }),
      };
    },
  };
}

export async function blobBytes(store: BlobFiles, digest: `sha256:${string}`): Promise<Buffer> {
  return readFile(store.path(digest));
}

export function set(path: string, more: Partial<Entry> = {}): Change & { kind: "set" } {
  const entry: Entry = { path, type: "file", mode: 0o644, uid: 0, gid: 0, size: 0, mtimeNs: 0n, ...more };
  return { kind: "set", entry };
}

export function bytes(text: string | Uint8Array): { size: number; content: Content } {
  const content = typeof text === "string" ? Buffer.from(text) : text;
  return { size: content.length, content: { kind: "bytes", bytes: content } };
}

/** The index of these changes, as native code writes it. */
export function encodeIndex(changes: Iterable<Change>): Uint8Array {
  const writer = new RecordWriter();
  for (const change of changes) {
    if (change.kind === "set") writer.addSet(change.entry);
    else writer.addMark(change.kind, change.path);
  }
  return Buffer.concat([Buffer.from("WBLI\x01\0\0\0", "latin1"), writer.take()]);
}

/** Throws LAYER_ORDER or LAYER_PATH for changes that no layer may have. */
export function checkOrder(changes: Iterable<Change>): void {
  const order = new Order();
  for (const change of changes) order.check(change);
}

export interface Member {
  name?: string | Buffer;
  type?: string;
  link?: string | Buffer;
  body?: Buffer | string;
  /** Fields as written, to lie with. */
  size?: number | string | Buffer;
  mode?: string;
  uid?: string;
  mtime?: string;
  major?: string;
  minor?: string;
  pax?: Record<string, string | Buffer>;
  rawPax?: Buffer;
  checksum?: string;
}

const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, "0")}\0`;

/** One header block, and its content padded. */
export function member(of: Member): Buffer {
  const body = Buffer.from(of.body ?? "");
  const block = Buffer.alloc(512);
  const field = (value: string | Buffer, at: number, width: number) =>
    Buffer.from(value as string, "latin1").copy(block, at, 0, width);
  field(Buffer.from((of.name as string) ?? "file"), 0, 100);
  field(of.mode ?? octal(0o644, 8), 100, 8);
  field(of.uid ?? octal(0, 8), 108, 8);
  field(octal(0, 8), 116, 8);
  field(typeof of.size === "number" || of.size === undefined ? octal(of.size ?? body.length, 12) : of.size, 124, 12);
  field(of.mtime ?? octal(0, 12), 136, 12);
  field(of.type ?? "0", 156, 1);
  field(Buffer.from((of.link as string) ?? ""), 157, 100);
  field("ustar\u000000", 257, 8);
  field(of.major ?? octal(0, 8), 329, 8);
  field(of.minor ?? octal(0, 8), 337, 8);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((a, b) => a + b, 0);
  block.write(of.checksum ?? `${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  const extra =
    of.rawPax ??
    (of.pax
      ? Buffer.concat(Object.entries(of.pax).map(([key, value]) => paxRecord(key, Buffer.from(value as string))))
      : undefined);
  const before = extra === undefined ? [] : [member({ name: "pax", type: "x", body: extra })];
  return Buffer.concat([...before, block, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

/** "LENGTH KEY=VALUE\n"; the length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

export function tarOf(...members: (Member | Buffer)[]): Buffer {
  return Buffer.concat([...members.map((one) => (Buffer.isBuffer(one) ? one : member(one))), Buffer.alloc(1024)]);
}

/** Bytes in pieces of a size, as a network would bring them. */
export async function* inPieces(all: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
}
