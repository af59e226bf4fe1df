/** Layers: which blobs hold which uncompressed tar, and the index of each, so that nobody reads a tar twice. */
import { randomBytes } from "node:crypto";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Hash } from "../../native/addon/hash.ts";
import type { Database } from "./database.ts";
import type { Descriptor, Layer } from "./descriptor.ts";
import { type Digest, digestOf, parseDigest } from "./digest.ts";
import type { DiskBlobs } from "./disk-blobs.ts";
import { isMissing, storeError } from "./failure.ts";
import { HeldFile } from "./held-file.ts";
import { type Layout, shardedPath } from "./layout.ts";
import type { Session } from "./session.ts";

export interface LayerFacts {
  /** Bytes of the tar. */
  readonly uncompressedSize: number;
  /** As the layer writer encodes it; the store keeps it as bytes. */
  readonly index?: Uint8Array;
  readonly createdMs?: number;
}

export interface LayerRecord extends Layer {
  readonly uncompressedSize: number;
}

export interface LayerTable {
  record(layer: Layer, facts: LayerFacts): void;
  /** The stored blobs of one tar (gzip, zstd …), oldest first. [] when none is here. */
  find(diffId: Digest): LayerRecord[];
  byBlob(digest: Digest): LayerRecord | undefined;
  /** Undefined when there is none, also when it was damaged: it can be made again from the blob. */
  index(diffId: Digest): Promise<Uint8Array | undefined>;
  /** The same as a file, of which nothing is kept in memory. */
  openIndex(diffId: Digest): HeldFile | undefined;
  setIndex(diffId: Digest, index: Uint8Array): void;
}

interface Row {
  readonly diff_id: Digest;
  readonly descriptor: string;
  readonly uncompressed: number;
}

function fromRow(row: Row): LayerRecord {
  return {
    blob: JSON.parse(row.descriptor) as Descriptor,
    diffId: row.diff_id,
    uncompressedSize: row.uncompressed,
  };
}

function digestOfFile(file: HeldFile): Digest {
  const hash = new Hash();
  const piece = Buffer.allocUnsafe(256 * 1024);
  for (let at = 0; at < file.size; at += piece.length) hash.update(piece.subarray(0, file.read(piece, at)));
  return `sha256:${hash.digest()}`;
}

export function layersOf(
  db: Database,
  session: Session,
  layout: Layout,
  blobs: DiskBlobs,
  now: () => number,
): LayerTable {
  /** Not synced: the row's digest tells a whole file from one that a power cut left behind. */
  const setIndex = (diffId: Digest, index: Uint8Array): void => {
    const path = shardedPath(layout.indexes, diffId);
    using _lease = session.lease();
    const fresh = `${session.tempPath()}-${randomBytes(4).toString("hex")}`;
    try {
      writeFileSync(fresh, index, { mode: 0o600, flag: "wx" });
      session.hold([diffId], () => {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
        // Behind the transaction's lock, so that file and row stay together when two processes write one index.
        db.transaction(() => {
          renameSync(fresh, path);
          db.run(
            "INSERT OR REPLACE INTO indexes (diff_id, size, digest) VALUES (?, ?, ?)",
            diffId,
            index.length,
            digestOf(index),
          );
        });
      });
    } catch (cause) {
      rmSync(fresh, { force: true });
      throw storeError(cause, "store the index of a layer", path);
    }
  };

  const isThere = (layer: LayerRecord): boolean => blobs.sizeOf(layer.blob.digest) === layer.blob.size;

  const indexRow = (diffId: Digest) => ({
    path: shardedPath(layout.indexes, diffId),
    row: session.hold([diffId], () =>
      db.get<{ size: number; digest: Digest }>("SELECT size, digest FROM indexes WHERE diff_id = ?", diffId),
    ),
  });

  return {
    record(layer, facts) {
      const digest = parseDigest(layer.blob.digest);
      const diffId = parseDigest(layer.diffId);
      session.hold([digest, diffId], () =>
        db.run(
          "INSERT OR REPLACE INTO layers (blob, diff_id, descriptor, uncompressed, created) VALUES (?, ?, ?, ?, ?)",
          digest,
          diffId,
          JSON.stringify({ mediaType: layer.blob.mediaType, digest, size: layer.blob.size }),
          facts.uncompressedSize,
          facts.createdMs ?? now(),
        ),
      );
      if (facts.index !== undefined) setIndex(diffId, facts.index);
    },
    find(diffId) {
      const rows = session.hold([diffId], () =>
        db.all<Row>("SELECT * FROM layers WHERE diff_id = ? ORDER BY created, blob", diffId),
      );
      return rows.map(fromRow).filter(isThere);
    },
    byBlob(digest) {
      const row = db.get<Row>("SELECT * FROM layers WHERE blob = ?", digest);
      const layer = row && fromRow(row);
      return layer !== undefined && isThere(layer) ? layer : undefined;
    },
    async index(diffId) {
      const { path, row } = indexRow(diffId);
      if (row === undefined) return undefined;
      try {
        const bytes = await readFile(path);
        if (bytes.length === row.size && digestOf(bytes) === row.digest) return bytes;
      } catch (cause) {
        if (!isMissing(cause)) throw storeError(cause, "read the index of a layer", path);
      }
      return undefined;
    },
    openIndex(diffId) {
      const { path, row } = indexRow(diffId);
      if (row === undefined) return undefined;
      try {
        const file = HeldFile.open(path);
        if (file.size === row.size && digestOfFile(file) === row.digest) return file;
      } catch (cause) {
        if (!isMissing(cause)) throw storeError(cause, "read the index of a layer", path);
      }
      return undefined;
    },
    setIndex,
  };
}
