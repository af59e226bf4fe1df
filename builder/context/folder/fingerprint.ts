/**
 * Content digests of files kept by their stat data (device, inode, size, modification and change time), so that a file
 * is read again only when it may have changed. A change time cannot be set by a program: that is why it is in there.
 */
import type { Change, Entry } from "../../../layerfs/layer/entry.ts";
import { type Digest, isDigest } from "../../../layerfs/store/digest.ts";
import type { FactTable } from "../../../layerfs/store/facts.ts";
import { digestContents } from "../../../layerfs/tree/digest-contents.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { isRacy } from "./racy.ts";
import { nowNs } from "./sweeps.ts";

/** What a walk of a real folder tells beside the Entry. */
interface StatIdentity {
  readonly dev: number | bigint;
  readonly ino: number | bigint;
  readonly ctimeNs: bigint;
}

type FileEntry = Entry & Partial<StatIdentity>;

interface Known {
  readonly identity: string;
  readonly digest: Digest;
  /** Good for this build only. */
  readonly racy: boolean;
}

export class FileDigests {
  /** The disk's tree with digests that are remembered. */
  readonly tree: Tree;
  readonly #facts: FactTable;
  readonly #name: string;
  readonly #disk: Tree;
  #known: Map<string, Known> | undefined;
  #learned = false;
  #racy = false;

  constructor(facts: FactTable, scope: string, disk: Tree) {
    this.#facts = facts;
    this.#name = `files ${scope}`;
    this.#disk = disk;
    this.tree = {
      resolve: (path, follow) => disk.resolve(path, follow),
      stat: (path) => disk.stat(path),
      list: (path) => disk.list(path),
      walk: (path) => disk.walk(path),
      read: (entry) => disk.read(entry),
      digest: (entry) => this.#digest(entry),
    };
  }

  /** False when a file was too fresh to be trusted by its times. */
  get settled(): boolean {
    return !this.#racy;
  }

  /** Reads, side by side, whatever below these paths is not known. */
  async load(paths: readonly string[]): Promise<void> {
    const unknown: FileEntry[] = [];
    for (const path of paths) {
      for (const entry of await this.#disk.walk(path)) {
        if (entry.type === "file" && !this.#lookup(entry)) unknown.push(entry);
      }
    }
    const digests = await digestContents(unknown);
    for (const [i, entry] of unknown.entries()) this.#learn(entry, digests[i] as Digest);
  }

  /** See BuildContext.remember. */
  async remember(given: readonly Change[], written: readonly Change[]): Promise<void> {
    const sources = new Map<string, FileEntry>();
    for (const change of given) if (change.kind === "set") sources.set(change.entry.path, change.entry);
    for (const change of written) {
      if (change.kind !== "set" || !change.entry.digest) continue;
      const source = sources.get(change.entry.path);
      // Files of other stages lie in folders of the store that nobody asks for again.
      if (source?.content?.kind === "file" && source.ctimeNs !== undefined) this.#learn(source, change.entry.digest);
    }
    this.save();
  }

  save(): void {
    if (!this.#learned || !this.#known) return;
    const lines = [...this.#known]
      .filter(([, { racy }]) => !racy)
      .map(([path, { identity, digest }]) => `${path}\0${identity}\0${digest}`);
    this.#facts.set(this.#name, Buffer.from(lines.join("\n"), "utf8"));
    this.#learned = false;
  }

  async #digest(entry: Entry): Promise<Digest> {
    const known = this.#lookup(entry);
    if (known) return known;
    const digest = await this.#disk.digest(entry);
    this.#learn(entry, digest);
    return digest;
  }

  #lookup(entry: FileEntry): Digest | undefined {
    const known = this.#table().get(keyOf(entry));
    return known && known.identity === identityOf(entry) ? known.digest : undefined;
  }

  #learn(entry: FileEntry, digest: Digest): void {
    const changed = entry.ctimeNs ?? entry.mtimeNs;
    const racy = isRacy(changed, nowNs());
    if (racy) this.#racy = true;
    this.#table().set(keyOf(entry), { identity: identityOf(entry), digest, racy });
    this.#learned = true;
  }

  #table() {
    this.#known ??= parseTable(this.#facts.get(this.#name));
    return this.#known;
  }
}

/** The path on disk: a placed entry has another name than its source. */
function keyOf(entry: FileEntry): string {
  const path = entry.content?.kind === "file" ? entry.content.path : entry.path;
  // A separator in a name would tear the table; such a file is simply read each time.
  return /[\0\n]/.test(path) ? "" : path;
}

function identityOf(entry: FileEntry): string {
  return `${entry.dev} ${entry.ino} ${entry.size} ${entry.mtimeNs} ${entry.ctimeNs}`;
}

function parseTable(fact: Uint8Array | string | undefined) {
  const table = new Map<string, Known>();
  const text = typeof fact === "string" ? fact : fact ? Buffer.from(fact).toString("utf8") : "";
  for (const line of text.split("\n")) {
    const [path, identity, digest] = line.split("\0");
    if (path && identity && digest && isDigest(digest)) table.set(path, { identity, digest, racy: false });
  }
  return table;
}
