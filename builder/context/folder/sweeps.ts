/**
 * Digests of whole folders between builds. What was walked is kept with the digests of its files as two pieces of bytes;
 * only when the folder's stat data changed are they taken apart, to read no more than the files that may differ.
 */
import type { Digest } from "../../../layerfs/store/digest.ts";
import type { FactTable } from "../../../layerfs/store/facts.ts";
import { digestFilesAt } from "../../../layerfs/tree/digest-contents.ts";
import { FolderSweep, type SweptFile } from "../../../layerfs/tree/folder-sweep.ts";
import { isRacy, racyLimit } from "./racy.ts";

const digestSize = 32;
/** Before the pieces: when the files were read (8 bytes, nanoseconds since 1970), and the size of the walk (4 bytes). */
const headSize = 12;

export class Sweeps {
  readonly #facts: FactTable;
  readonly #scope: string;
  readonly #digests = new Map<FolderSweep, Uint8Array>();
  /** False when a file was too fresh to be trusted by its times. */
  settled = true;

  constructor(facts: FactTable, scope: string) {
    this.#facts = facts;
    this.#scope = scope;
  }

  /** Digest over all that a sweep holds. Reads the files that are not known from before. */
  async contentDigest(path: string, sweep: FolderSweep): Promise<Digest> {
    let digests = this.#digests.get(sweep);
    if (!digests) {
      const readAt = nowNs();
      digests = await this.#load(path, sweep);
      this.#keep(path, sweep, digests, readAt);
    }
    return sweep.contentDigest(digests);
  }

  /** Takes over digests that somebody found while reading the files after `readAt`. */
  remember(path: string, sweep: FolderSweep, digests: Uint8Array, readAt: bigint): void {
    this.#keep(path, sweep, digests, readAt);
  }

  #keep(path: string, sweep: FolderSweep, digests: Uint8Array, readAt: bigint): void {
    this.#digests.set(sweep, digests);
    if (isRacy(sweep.newestChangeNs(), readAt)) this.settled = false;
    const head = Buffer.alloc(headSize);
    head.writeBigUInt64LE(readAt);
    head.writeUInt32LE(sweep.bytes.length, 8);
    this.#facts.set(this.#name(path), Buffer.concat([head, sweep.bytes, digests]));
  }

  async #load(path: string, sweep: FolderSweep): Promise<Uint8Array> {
    const known = this.#known(path);
    const files = sweep.files();
    const digests = Buffer.alloc(files.length * digestSize);
    const unknown: number[] = [];
    for (const [i, file] of files.entries()) {
      const digest = known.get(identityOf(file));
      if (digest) digests.set(digest, i * digestSize);
      else unknown.push(i);
    }
    const read = await digestFilesAt(unknown.map((i) => sweep.path(files[i] as SweptFile)));
    for (const [n, i] of unknown.entries()) digests.write((read[n] as Digest).slice(7), i * digestSize, "hex");
    return digests;
  }

  /** What the last build knew: identity → digest, without the files that could have changed while they were read. */
  #known(path: string): Map<string, Uint8Array> {
    const known = new Map<string, Uint8Array>();
    const fact = this.#facts.get(this.#name(path));
    if (!(fact instanceof Uint8Array) || fact.length < headSize) return known;
    const bytes = Buffer.from(fact.buffer, fact.byteOffset, fact.byteLength);
    const limit = racyLimit(bytes.readBigUInt64LE());
    const end = headSize + bytes.readUInt32LE(8);
    const files = new FolderSweep("", bytes.subarray(headSize, end)).files();
    if (bytes.length !== end + files.length * digestSize) return known;
    for (const [i, file] of files.entries()) {
      if (file.ctimeNs > limit) continue;
      const at = end + i * digestSize;
      known.set(identityOf(file), bytes.subarray(at, at + digestSize));
    }
    return known;
  }

  #name(path: string): string {
    return `sweep ${this.#scope} ${path}`;
  }
}

export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

/** The path too: a file that took the place of another may have got its inode. */
function identityOf(file: SweptFile): string {
  return `${file.path}\0${file.dev} ${file.ino} ${file.size} ${file.mtimeNs} ${file.ctimeNs}`;
}
