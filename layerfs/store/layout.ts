/** Where things lie in the store's folder. The version is part of the name, so that two layouts never share a file. */
import { join } from "node:path";
import { type Digest, hexOf, parseDigest } from "./digest.ts";
import { makeFolder } from "./make-folder.ts";

export interface Layout {
  /** What the user named: $WBUILD_HOME. */
  readonly home: string;
  readonly root: string;
  readonly database: string;
  readonly blobs: string;
  readonly indexes: string;
  readonly snapshots: string;
  /** One folder a cache mount: `data`, which steps see, and `lock`. Made when the first one is. */
  readonly cacheMounts: string;
  /** Unfinished things; each name begins with the id of the session that makes it. */
  readonly temp: string;
  /** One file a session, locked by its process for as long as it lives; lists what the session holds. */
  readonly leases: string;
  /** Shared lock: "I note what I hold". Exclusive lock: "I decide what goes". */
  readonly gate: string;
  /** Its time is that of the last look for leftovers. */
  readonly upkeep: string;
}

export function layoutOf(home: string): Layout {
  const root = join(home, "store-v1");
  return {
    home,
    root,
    database: join(root, "index.db"),
    blobs: join(root, "blobs", "sha256"),
    indexes: join(root, "indexes"),
    snapshots: join(root, "snapshots"),
    cacheMounts: join(root, "cache-mounts"),
    temp: join(root, "temp"),
    leases: join(root, "leases"),
    gate: join(root, "gate"),
    upkeep: join(root, "upkeep"),
  };
}

/** Makes the folders; nobody else may look into them: layers hold other people's files, cache rows hold commands. */
export function makeFolders(layout: Layout): void {
  for (const folder of [layout.root, layout.blobs, layout.indexes, layout.snapshots, layout.temp, layout.leases]) {
    makeFolder(folder, 0o700);
  }
}

/** A digest's file below a folder: `ab/abcd…`. The digest is checked again: it may come from JSON that lied to the compiler. */
export function shardedPath(folder: string, digest: Digest): string {
  const hex = hexOf(parseDigest(digest));
  return join(folder, hex.slice(0, 2), hex);
}
