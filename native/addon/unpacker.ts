/**
 * Unpacker: the typed face of unpacker.cc. Plain or zstd bytes of a layer go in, a folder and an index come out.
 * Only layerfs/layer/unpack.ts uses it.
 */
import { fromNative } from "./addon.ts";
import { loadAddon } from "./load.ts";
import { bytesOfName } from "./raw-bytes.ts";

interface NativeResult {
  diffId: Buffer;
  uncompressedSize: number;
  index: Buffer;
}

interface NativeUnpacker {
  openUnpacker(
    options: {
      path: Buffer;
      folder: Buffer;
      overlay: boolean;
      privileged: boolean;
      fileDigests: boolean;
      lowers: Buffer[];
      maxBytes: number;
      maxEntries: number;
      maxExtraBytes: number;
      maxRatio: number;
      stripAbsolute: boolean;
    },
    onEvent: (queued: number) => void,
  ): { handle: object; done: Promise<NativeResult> };
  pushUnpacker(handle: object, kind: number, bytes?: Uint8Array): number;
}

export interface UnpackerOptions {
  /** A file to read; else bytes are pushed. */
  readonly path?: string;
  readonly folder: string;
  readonly overlay: boolean;
  /** Root of the host: owners and devices must work. Otherwise what is not allowed is left out quietly. */
  readonly privileged: boolean;
  readonly fileDigests: boolean;
  readonly lowers: readonly string[];
  readonly maxBytes: number;
  readonly maxEntries: number;
  readonly maxExtraBytes: number;
  readonly maxRatio: number;
  /** Takes leading slashes off names instead of refusing them. */
  readonly stripAbsolute: boolean;
}

export interface UnpackerResult {
  readonly diffId: `sha256:${string}`;
  readonly uncompressedSize: number;
  readonly index: Buffer;
}

const message = { bytes: 0, end: 1, abort: 2 } as const;
const maxWaiting = 8;

export class Unpacker {
  readonly #native = loadAddon<NativeUnpacker>();
  readonly #handle: object;
  readonly #done: Promise<NativeResult>;
  #wake: (() => void) | undefined;

  constructor(options: UnpackerOptions) {
    const { path, folder, lowers, ...rest } = options;
    const { handle, done } = this.#native.openUnpacker(
      {
        ...rest,
        path: bytesOfName(path ?? ""),
        folder: bytesOfName(folder),
        lowers: lowers.map((lower) => bytesOfName(lower)),
      },
      (queued) => {
        if (queued < maxWaiting) this.#wake?.();
      },
    );
    this.#handle = handle;
    this.#done = done;
    this.#done.catch(() => this.#wake?.());
  }

  /** Resolves when more may come; rejects with what went wrong. */
  async push(bytes: Uint8Array): Promise<void> {
    if (this.#native.pushUnpacker(this.#handle, message.bytes, bytes) < maxWaiting) return;
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([woken, this.result()]);
    this.#wake = undefined;
  }

  /** No more bytes will be pushed. */
  end(): void {
    this.#native.pushUnpacker(this.#handle, message.end);
  }

  /** Gives up; resolves when no thread touches the folder any more. */
  async abort(): Promise<void> {
    this.#native.pushUnpacker(this.#handle, message.abort);
    await this.#done.catch(() => undefined);
  }

  async result(): Promise<UnpackerResult> {
    try {
      const { diffId, uncompressedSize, index } = await this.#done;
      return { diffId: `sha256:${diffId.toString("hex")}`, uncompressedSize, index };
    } catch (error) {
      throw fromNative(error);
    }
  }
}
