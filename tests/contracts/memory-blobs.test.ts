/** The test double that stands in for the store keeps the promises of the store. */
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { blobStoreContract } from "./blob-store.ts";

blobStoreContract("memory blobs", async () => ({
  blobs: new MemoryBlobs(),
  [Symbol.asyncDispose]: async () => undefined,
}));
