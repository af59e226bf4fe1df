/** The digest of bytes that pass by: large content is hashed on a thread of its own, small content where it is. */
import { DigestStream } from "../../native/addon/digest-stream.ts";
import { Hash } from "../../native/addon/hash.ts";
import type { Digest } from "./digest.ts";

/** Fewer bytes are hashed before a thread has begun. */
const worthThread = 512 * 1024;

/** To be disposed of, whether or not the digest was asked for. */
export interface Digester extends AsyncDisposable {
  /** The next bytes. A promise says to wait before more are given. The bytes are the caller's again at once. */
  update(bytes: Uint8Array): Promise<void> | undefined;
  /** Of all bytes; none may come after it. */
  digest(): Promise<Digest>;
}

/** `size`: how many bytes are expected. Any number may come. */
export function openDigester(size: number): Digester {
  if (size < worthThread) {
    const hash = new Hash();
    return {
      update: (bytes) => void hash.update(bytes),
      digest: async () => `sha256:${hash.digest()}`,
      async [Symbol.asyncDispose]() {},
    };
  }
  const stream = new DigestStream();
  return {
    update: (bytes) => stream.push(bytes),
    digest: () => stream.finish(),
    async [Symbol.asyncDispose]() {
      await stream.finish();
    },
  };
}
