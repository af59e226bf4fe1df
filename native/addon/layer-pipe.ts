/**
 * LayerPipe: the typed face of layer-pipe.cc. Records and stream bytes go in with back-pressure, digests come out.
 * Only layerfs/layer/write.ts uses it.
 */
import { fromNative } from "./addon.ts";
import { loadAddon } from "./load.ts";
import { bytesOfName } from "./raw-bytes.ts";

type Digest = `sha256:${string}`;

interface NativeResult {
  diffId: Buffer;
  digest: Buffer;
  size: number;
  uncompressedSize: number;
  index: Buffer;
}

interface NativePipe {
  openLayerPipe(
    options: {
      path: Buffer;
      compression: number;
      level: number;
      fileDigests: boolean;
      clampSeconds: number | undefined;
    },
    onEvent: (tarBytes: number, blobBytes: number, queued: number) => void,
  ): { handle: object; done: Promise<NativeResult> };
  pushLayerPipe(handle: object, kind: number, bytes?: Uint8Array): number;
}

export interface LayerPipeOptions {
  /** The file to write; made or emptied. */
  readonly path: string;
  readonly compression: "none" | "gzip" | "zstd";
  readonly level: number;
  readonly fileDigests: boolean;
  readonly clampSeconds?: number;
  /** Bytes of tar done, bytes of the blob safely in the file. Not every change is told. */
  readonly onEvent: (tarBytes: number, blobBytes: number) => void;
}

export interface LayerPipeResult {
  readonly diffId: Digest;
  readonly digest: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  readonly uncompressedSize: number;
  /** All changes as records, without contents. The head of an index stands before them. */
  readonly index: Buffer;
}

const message = { records: 0, data: 1, endOfData: 2, finish: 3, abort: 4 } as const;
const compressions = { none: 0, gzip: 1, zstd: 2 } as const;
/** Messages that may wait: each has some 128 KiB of records or one piece of a stream. */
const maxWaiting = 4;

/** Throws LAYER_IO when the file cannot be made. */
export class LayerPipe {
  readonly #native = loadAddon<NativePipe>();
  readonly #handle: object;
  readonly #done: Promise<NativeResult>;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(options: LayerPipeOptions) {
    const { path, compression, level, fileDigests, clampSeconds, onEvent } = options;
    try {
      const { handle, done } = this.#native.openLayerPipe(
        { path: bytesOfName(path), compression: compressions[compression], level, fileDigests, clampSeconds },
        (tarBytes, blobBytes, queued) => {
          if (queued < maxWaiting) this.#wake?.();
          if (!this.#ended) onEvent(tarBytes, blobBytes);
        },
      );
      this.#handle = handle;
      this.#done = done;
    } catch (error) {
      throw fromNative(error);
    }
    this.#done.catch(() => this.#wake?.());
  }

  /** Resolves when more may come. Rejects with what went wrong in the pipe. */
  records(bytes: Uint8Array): Promise<void> {
    return this.#push(message.records, bytes);
  }

  /** A piece of the content that the last record announced as a stream. */
  data(bytes: Uint8Array): Promise<void> {
    return this.#push(message.data, bytes);
  }

  endOfData(): Promise<void> {
    return this.#push(message.endOfData);
  }

  /** Writes the end of the tar and waits for everything. */
  async finish(): Promise<LayerPipeResult> {
    this.#native.pushLayerPipe(this.#handle, message.finish);
    const result = await this.#result();
    return {
      diffId: `sha256:${result.diffId.toString("hex")}`,
      digest: `sha256:${result.digest.toString("hex")}`,
      size: result.size,
      uncompressedSize: result.uncompressedSize,
      index: result.index,
    };
  }

  /** Gives up; resolves when no thread touches the file any more. */
  async abort(): Promise<void> {
    this.#ended = true;
    this.#native.pushLayerPipe(this.#handle, message.abort);
    await this.#done.catch(() => undefined);
  }

  async #push(kind: number, bytes?: Uint8Array): Promise<void> {
    if (this.#native.pushLayerPipe(this.#handle, kind, bytes) < maxWaiting) return;
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    await Promise.race([woken, this.#result()]);
    this.#wake = undefined;
  }

  async #result(): Promise<NativeResult> {
    try {
      return await this.#done;
    } catch (error) {
      throw fromNative(error);
    } finally {
      this.#ended = true;
    }
  }
}
