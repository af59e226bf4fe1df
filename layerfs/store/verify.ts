/** Compares every blob with its name, byte by byte, and looks for those that names keep and that are not here. */
import { randomBytes } from "node:crypto";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { isWbuildError } from "../../native/error.ts";
import type { Database } from "./database.ts";
import type { Digest } from "./digest.ts";
import type { DiskBlobs } from "./disk-blobs.ts";
import { isMissing, storeError } from "./failure.ts";
import { listShards, refKeeps, snapshotRows } from "./inventory.ts";
import type { Layout } from "./layout.ts";
import { removeTree } from "./remove-tree.ts";
import { sourcedBlobs } from "./sources.ts";

export interface CorruptBlob {
  readonly digest: Digest;
  readonly path: string;
  readonly bytes: number;
  readonly removed: boolean;
}

export interface VerifyReport {
  readonly checked: number;
  readonly corrupt: readonly CorruptBlob[];
  /** What names keep and was left where it is: it can be fetched. */
  readonly elsewhere: readonly Digest[];
  /** What names keep and is lost: it is not here, and nobody has told where it can be had. */
  readonly missing: readonly { readonly digest: Digest; readonly name: string }[];
}

/**
 * Reads blobs whole and compares them with their names: all, or `only` these. With `remove` a damaged one goes, so that it is
 * fetched or made again; one that the disk cannot give counts as damaged. Throws STORE_* where it cannot be removed.
 */
export async function verifyBlobs(
  db: Database,
  layout: Layout,
  blobs: DiskBlobs,
  remove: boolean,
  only?: readonly Digest[],
): Promise<VerifyReport> {
  const corrupt: CorruptBlob[] = [];
  let checked = 0;
  for (const [digest, { bytes }] of only ? sizesOf(blobs, only) : await listShards(layout.blobs)) {
    const path = blobs.path(digest);
    try {
      for await (const _ of blobs.open({ digest, size: bytes }));
    } catch (error) {
      // Collected meanwhile.
      if (isWbuildError(error, "STORE_NO_BLOB")) continue;
      if (!isWbuildError(error, "STORE_CORRUPT") && !isWbuildError(error, "STORE_IO")) throw error;
      if (remove) await drop(layout, path);
      corrupt.push({ digest, path, bytes, removed: remove });
    }
    checked++;
  }
  return { checked, corrupt, ...(only ? { elsewhere: [], missing: [] } : absent(db, blobs)) };
}

function absent(db: Database, blobs: DiskBlobs): Pick<VerifyReport, "elsewhere" | "missing"> {
  const chains = new Set<Digest>(snapshotRows(db).map((row) => row.chain_id));
  const sourced = new Set(sourcedBlobs(db));
  const elsewhere = new Set<Digest>();
  const missing: { digest: Digest; name: string }[] = [];
  for (const { name, keeps } of refKeeps(db)) {
    for (const digest of keeps) {
      if (blobs.sizeOf(digest) !== undefined || chains.has(digest)) continue;
      if (sourced.has(digest)) elsewhere.add(digest);
      else missing.push({ digest, name });
    }
  }
  return { elsewhere: [...elsewhere], missing };
}

function sizesOf(blobs: DiskBlobs, digests: readonly Digest[]): [Digest, { bytes: number }][] {
  return digests.flatMap((digest) => {
    const bytes = blobs.sizeOf(digest);
    return bytes === undefined ? [] : [[digest, { bytes }]];
  });
}

async function drop(layout: Layout, path: string): Promise<void> {
  const aside = join(layout.temp, `trash-${randomBytes(8).toString("hex")}`);
  try {
    await rename(path, aside);
  } catch (cause) {
    if (isMissing(cause)) return;
    throw storeError(cause, "remove a damaged blob", path);
  }
  await removeTree(aside);
}
