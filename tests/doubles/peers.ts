/** Programs of newer Debian suites that judge what we make; `npm test` fetches them, nothing here asks the network. */
import { findPeer, type Peer } from "../../native/setup/peers.mjs";
import { testUnless } from "./test-unless.ts";

/** A peer by its name in native/setup/peers.mjs: its `program`, or why it is `missing`. */
export function peer(name: string): Peer {
  return findPeer(name);
}

/** `test`, unless one of these peers is missing: then the titles say which, and why. */
export function testWithPeers(...names: readonly string[]): ReturnType<typeof testUnless> {
  return testUnless(names.map((name) => peer(name).missing).find((missing) => missing !== undefined));
}
