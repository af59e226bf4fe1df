/**
 * DigestStream: the typed face of digest-stream.cc. Bytes that arrive are hashed, and written where a file is given, on
 * threads of their own: the main thread copies them, which takes a tenth of the time of hashing them.
 */
import { fromNative } from "./addon.ts";
import { loadAddon } from "./load.ts";

type Digest = `sha256:${string}`;

interface NativeStream {
  openDigestStream(fd: number, at: number, onWanted: () => void): { handle: object; done: Promise<Buffer> };
  pushDigestStream(handle: object, bytes: Uint8Array, isSpent: boolean): boolean;
  finishDigestStream(handle: object): void;
}

/** An open file that bytes are written to, from byte `at` on. What stands before that is hashed first. */
export interface DigestedFile {
  readonly fd: number;
  readonly at: number;
}

/** Bytes that are copied at once: what waits stays bounded, however large a chunk is given. */
const sliceBytes = 512 * 1024;

/** Must be finished, whatever happens; a file must stay open until then. At most 5 MiB wait. */
export class DigestStream {
  readonly #native = loadAddon<NativeStream>();
  readonly #handle: object;
  readonly #done: Promise<Buffer>;
  #wake: (() => void) | undefined;

  /** Without a file the bytes are only hashed. */
  constructor(file: DigestedFile = { fd: -1, at: 0 }) {
    const { handle, done } = this.#native.openDigestStream(file.fd, file.at, () => this.#wake?.());
    this.#handle = handle;
    this.#done = done;
    // `push` and `finish` tell it.
    this.#done.catch(() => this.#wake?.());
  }

  /**
   * Takes a copy of the next bytes. Undefined: more may come at once, which is the usual answer; else a promise to wait for.
   * It rejects with LAYER_IO (with errno) when they cannot be written. `isSpent`: nobody looks at these bytes again. Then
   * they are not copied but used where they lie, and their memory is freed soon: the chunk is empty afterwards.
   */
  push(bytes: Uint8Array, isSpent = false): Promise<void> | undefined {
    if (bytes.length > sliceBytes) return this.#pushSlices(bytes);
    return this.#native.pushDigestStream(this.#handle, bytes, isSpent) ? undefined : this.#wanted();
  }

  async #pushSlices(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += sliceBytes) await this.push(bytes.subarray(at, at + sliceBytes));
  }

  async #wanted(): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([woken, this.#result()]);
    this.#wake = undefined;
  }

  /** The digest of all bytes, once every one of them is in the file. Throws LAYER_IO (with errno). */
  async finish(): Promise<Digest> {
    this.#native.finishDigestStream(this.#handle);
    return `sha256:${(await this.#result()).toString("hex")}`;
  }

  async #result(): Promise<Buffer> {
    try {
      return await this.#done;
    } catch (error) {
      throw fromNative(error);
    }
  }
}
