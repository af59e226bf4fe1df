/** What tests and benchmarks in TypeScript know of peers.mjs. */

export type Peer =
  | { readonly folder: string; readonly program: string; readonly version: string; readonly missing?: undefined }
  | { readonly missing: string; readonly program?: undefined };

interface Place {
  /** Where the peers lie; the user's cache without it. */
  readonly folder?: string;
}

interface Archive {
  readonly mirror?: string;
  readonly keyring?: string;
}

export declare function findPeer(name: string, at?: Place): Peer;
export declare function fetchPeers(
  names: readonly string[],
  how?: Place & Archive & { readonly update?: boolean },
): Promise<void>;
