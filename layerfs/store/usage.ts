/** What the store holds and what could go, for `du` and `prune`. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { freeCacheMounts } from "./collect.ts";
import type { Database } from "./database.ts";
import type { Digest } from "./digest.ts";
import {
  cacheRows,
  listCacheMounts,
  listShards,
  listTemp,
  measure,
  measureSnapshots,
  refKeeps,
  snapshotRows,
} from "./inventory.ts";
import type { Layout } from "./layout.ts";
import { gated, liveSessions } from "./session.ts";
import { sourcedBlobs } from "./sources.ts";

export interface UsageSum {
  readonly count: number;
  readonly bytes: number;
  /** Bytes that a collection with `all` would free. */
  readonly reclaimableBytes: number;
}

export interface UsageRow {
  /** Name, digest, chain ID, cache key, or name of the temporary file. */
  readonly id: string;
  readonly kind: "image" | "layer" | "snapshot" | "cache" | "cache mount" | "temp";
  /** Of what it keeps; the same blob counts for each of its keepers. */
  readonly bytes: number;
  readonly createdMs: number;
  readonly lastUsedMs: number;
  /** A name keeps it, or a living process uses it. */
  readonly inUse: boolean;
  readonly description: string;
}

export interface Usage {
  /** Blobs that names keep. */
  readonly images: UsageSum;
  /** All blobs: layers, configurations, manifests. */
  readonly layers: UsageSum;
  readonly snapshots: UsageSum;
  /** Blobs that only the build cache keeps. */
  readonly cache: UsageSum;
  /** Folders that steps share from build to build. */
  readonly cacheMounts: UsageSum;
  /** Unfinished things; reclaimable when their process is dead. */
  readonly temp: UsageSum;
  /** The index database with its log. */
  readonly databaseBytes: number;
  readonly rows: readonly UsageRow[];
}

/** Images first, then cache, blobs, snapshots and temporary files; in each kind the least recently used first. */
export async function usageOf(db: Database, layout: Layout): Promise<Usage> {
  await measureSnapshots(db, layout);
  const blobs = await listShards(layout.blobs);
  const temp = await listTemp(layout);
  const tempSizes = await measure(temp.map((item) => join(layout.temp, item.name)));
  const mounts = await listCacheMounts(db, layout);
  const { live, freeMounts } = gated(layout, "exclusive", () => ({
    live: liveSessions(layout),
    freeMounts: freeCacheMounts(layout, mounts),
  }));
  const freeNames = new Set(freeMounts.map(({ name }) => name));
  const refs = refKeeps(db);
  const cache = cacheRows(db);
  const snapshots = snapshotRows(db);
  const layers = db.all<{ blob: Digest; diff_id: Digest }>("SELECT blob, diff_id FROM layers");

  const bytesOf = (digests: Iterable<Digest>) => sum([...digests].map((digest) => blobs.get(digest)?.bytes ?? 0));
  const named = new Set(refs.flatMap((ref) => ref.keeps));
  const cached = new Set(cache.flatMap((row) => row.keeps).filter((digest) => !named.has(digest)));
  const cachedFree = [...cached].filter((digest) => !live.held.has(digest));
  const free = [...blobs].filter(([digest]) => !named.has(digest) && !live.held.has(digest));
  const isHeld = (digest: Digest) => live.held.has(digest);
  const isUsed = (digest: Digest) => named.has(digest) || isHeld(digest);
  const freeSnapshots = snapshots.filter((row) => !isUsed(row.chain_id));
  const diffIds = new Map(layers.map((layer) => [layer.blob, layer.diff_id]));

  const sourced = new Set(sourcedBlobs(db));
  const left = (keeps: readonly Digest[]) => keeps.filter((digest) => !blobs.has(digest) && sourced.has(digest)).length;

  const rows: UsageRow[] = [
    ...refs.map(({ name, keeps, created, updated }) => ({
      kind: "image" as const,
      id: name,
      bytes: bytesOf(keeps),
      createdMs: created,
      lastUsedMs: updated,
      inUse: true,
      description: elsewhere(left(keeps)),
    })),
    ...cache.map(({ key, keeps, created, used }) => ({
      kind: "cache" as const,
      id: key,
      bytes: bytesOf(keeps),
      createdMs: created,
      lastUsedMs: used,
      inUse: keeps.some(isHeld),
      description: "",
    })),
    ...mounts.map(({ name, row, bytes }) => ({
      kind: "cache mount" as const,
      id: name,
      bytes,
      createdMs: row?.created ?? 0,
      lastUsedMs: row?.used ?? 0,
      inUse: !freeNames.has(name),
      description: row?.description ?? "left by a killed process",
    })),
    ...[...blobs].map(([digest, { bytes, mtimeMs }]) => ({
      kind: "layer" as const,
      id: digest,
      bytes,
      createdMs: mtimeMs,
      lastUsedMs: mtimeMs,
      inUse: isUsed(digest),
      description: diffIds.has(digest) ? `layer ${diffIds.get(digest)}` : "blob",
    })),
    ...snapshots.map(({ chain_id, diff_id, bytes, created, used }) => ({
      kind: "snapshot" as const,
      id: chain_id,
      bytes: bytes ?? 0,
      createdMs: created,
      lastUsedMs: used,
      inUse: isUsed(chain_id),
      description: `unpacked layer ${diff_id}`,
    })),
    ...temp.map(({ name, session, mtimeMs }, i) => ({
      kind: "temp" as const,
      id: name,
      bytes: tempSizes[i] ?? 0,
      createdMs: mtimeMs,
      lastUsedMs: mtimeMs,
      inUse: live.ids.has(session),
      description: "unfinished",
    })),
  ];
  return {
    images: { count: refs.length, bytes: bytesOf(named), reclaimableBytes: 0 },
    layers: {
      count: blobs.size,
      bytes: sum([...blobs.values()].map((file) => file.bytes)),
      reclaimableBytes: sum(free.map(([, file]) => file.bytes)),
    },
    snapshots: {
      count: snapshots.length,
      bytes: sum(snapshots.map((entry) => entry.bytes ?? 0)),
      reclaimableBytes: sum(freeSnapshots.map((entry) => entry.bytes ?? 0)),
    },
    cache: { count: cache.length, bytes: bytesOf(cached), reclaimableBytes: bytesOf(cachedFree) },
    cacheMounts: {
      count: mounts.length,
      bytes: sum(mounts.map(({ bytes }) => bytes)),
      reclaimableBytes: sum(freeMounts.map(({ bytes }) => bytes)),
    },
    temp: {
      count: temp.length,
      bytes: sum(tempSizes),
      reclaimableBytes: sum(temp.map((item, i) => (live.ids.has(item.session) ? 0 : (tempSizes[i] ?? 0)))),
    },
    databaseBytes: sum(
      ["", "-wal"].map((end) => statSync(layout.database + end, { throwIfNoEntry: false })?.size ?? 0),
    ),
    rows: rows.sort((a, b) => kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind) || a.lastUsedMs - b.lastUsedMs),
  };
}

function elsewhere(layers: number): string {
  if (layers === 0) return "";
  return layers === 1 ? "a layer is elsewhere" : `${layers} layers are elsewhere`;
}

const kindOrder: readonly UsageRow["kind"][] = ["image", "cache", "cache mount", "layer", "snapshot", "temp"];

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);
