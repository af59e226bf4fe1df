/** Where images are copied from and to: what a registry, a store, a layout and an archive have in common. */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { FetchedManifest } from "../repository.ts";

/** What says something about an image: its manifest, and the tag that it is found by when it has one (cosign's). */
export interface Referrer {
  readonly descriptor: Descriptor;
  readonly tag?: string;
}

export interface CopySource {
  /** For messages. */
  readonly place: string;
  /** The repository that the content is in: blobs are mounted from there when the target is in the same registry. */
  readonly repository?: { readonly registry: string; readonly name: string };
  /** The same of a single blob, where the source knows it of some. */
  readonly repositoryOf?: (blob: Digest, registry: string) => string | undefined;
  /** What the source's name means. Throws REG_NOT_FOUND. */
  named(): Promise<FetchedManifest>;
  /** One manifest of it. Throws REG_NOT_FOUND or REG_INCOMPLETE. Whoever calls compares the digest. */
  manifest(which: Descriptor): Promise<FetchedManifest>;
  /** The bytes of a blob from `from` on. Throws REG_NOT_FOUND or REG_INCOMPLETE. Whoever calls compares the digest. */
  blob(blob: Descriptor, from: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** What came under this digest was something else. True: it is worth asking again, of the next place. */
  readonly distrust?: (blob: Digest) => boolean;
  /** Signatures, attestations and the like of a manifest; undefined where nobody could tell. */
  readonly referrers?: (of: Digest) => Promise<readonly Referrer[]>;
}

/** What a manifest is to a target: what its name shall mean, a part of that, something said about it, or under a tag. */
export type Role = "named" | "part" | "referrer" | { readonly tag: string };

export interface PutBlobOptions {
  /** Repositories that may have it, with their registry. */
  readonly from?: { readonly registry: string; readonly name: string };
  readonly signal: AbortSignal;
}

export interface CopyTarget {
  readonly place: string;
  readonly repository?: { readonly registry: string; readonly name: string };
  /** Can it hold signatures and attestations beside the image? */
  readonly takesReferrers: boolean;
  /** What was written of a blob cannot be taken back: one whose bytes prove wrong ends the copy. */
  readonly isOneWay?: true;
  /** It holds one image, and this is why: an index is then replaced by the image that was chosen from it. */
  readonly onlyOne?: string;
  /** `done`: there in this role. `there`: content and all that it names is there, but the name is missing. */
  state(manifest: Descriptor, role: Role): Promise<"done" | "there" | "absent">;
  /** `open` gives verified bytes, and may be called again. Throws what it throws, REG_ARCHIVE_FORMAT, REG_ARCHIVE_TARGET. */
  putBlob(
    blob: Descriptor,
    open: (from?: number) => AsyncIterable<Uint8Array>,
    options: PutBlobOptions,
  ): Promise<"sent" | "mounted" | "present">;
  /** After all that the manifest names. */
  putManifest(manifest: FetchedManifest, role: Role): Promise<void>;
  /** Everything is there: what has only now its name gets it. */
  finish(): Promise<void>;
  /** Removes what a failed copy would leave under a name. Never throws. */
  abort(): Promise<void>;
}
