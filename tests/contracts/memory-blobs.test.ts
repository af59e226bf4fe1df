/** The double that other tests use in the store's place keeps the store's promises. */
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { blobStoreContract } from "./blob-store.ts";

blobStoreContract("memory blobs", async () => ({
  blobs: new MemoryBlobs(),
  [Symbol.asyncDispose]: async () => undefined,
}));
