/** A process of its own that uses a cache mount until it is killed. argv: home, id, sharing. Says `using FOLDER`. */
import { writeSync } from "node:fs";
import type { CacheSharing } from "../../../layerfs/store/cache-mounts.ts";
import { openStore } from "../../../layerfs/store/store.ts";

const [home = "", id = "", sharing = "shared"] = process.argv.slice(2);
const store = openStore(home);
const signal = new AbortController().signal;
const used = await store.cacheMounts.use({ id, sharing: sharing as CacheSharing, description: id, signal });
writeSync(1, `using ${used.folder}\n`);
process.stdin.resume();
