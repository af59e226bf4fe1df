/**
 * Digests and random names without Node's own crypto, which takes two milliseconds of a start to load.
 */
import { loadAddon } from "./load.ts";

interface NativeHash {
  hashBytes(bytes: Uint8Array): string;
  openHash(): object;
  updateHash(handle: object, bytes: Uint8Array): void;
  finishHash(handle: object): string;
  randomHex(count: number): string;
}

/** sha256 of bytes that are in memory, as 64 hexadecimal digits. Takes its time on this thread: 0.6 s a GiB. */
export function hashBytes(bytes: Uint8Array): string {
  return loadAddon<NativeHash>().hashBytes(bytes);
}

/** sha256 of bytes that come in parts. */
export class Hash {
  readonly #native = loadAddon<NativeHash>();
  #handle: object | undefined = this.#native.openHash();

  /** The bytes are the caller's again at once. */
  update(bytes: Uint8Array): void {
    this.#native.updateHash(this.#open(), bytes);
  }

  /** 64 hexadecimal digits; nothing may come after it. */
  digest(): string {
    const handle = this.#open();
    this.#handle = undefined;
    return this.#native.finishHash(handle);
  }

  #open(): object {
    if (!this.#handle) throw new Error("a hash is asked once");
    return this.#handle;
  }
}

/** Unpredictable bytes, at most 64, as twice as many hexadecimal digits. */
export function randomHex(bytes: number): string {
  return loadAddon<NativeHash>().randomHex(bytes);
}
