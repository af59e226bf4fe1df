/**
 * Programs that move images and build none: how each fetches one into an empty folder, sends it from there, and copies it
 * between registries. None of them unpacks or compresses: what is sent is what lies there.
 */
import { execFileSync } from "node:child_process";
import { fetchPeers, findPeer } from "../../native/setup/peers.mjs";
import type { Command } from "./measure.ts";
import { has } from "./tools.ts";

export interface Mover {
  readonly name: string;
  readonly version: string;
  pull(name: string, into: string): Command;
  push(from: string, name: string): Command;
  copy(from: string, to: string): Command;
}

/** skopeo with a `dir:`, crane and oras with an OCI layout. Those that are not here are told with the reason. */
export async function openMovers(tell: (text: string) => void): Promise<Mover[]> {
  await fetchPeers(["crane", "oras"]);
  const movers: Mover[] = [];
  if (has("skopeo")) movers.push(skopeo);
  else tell("without skopeo: it is not installed");
  for (const [name, open] of [
    ["crane", crane],
    ["oras", oras],
  ] as const) {
    const found = findPeer(name);
    if (found.missing === undefined) movers.push(open(found.program, found.version));
    else tell(`without ${name}: ${found.missing}`);
  }
  return movers;
}

const skopeoFlags = ["--insecure-policy", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false"];
const skopeoCopy = (from: string, to: string): Command => ({ argv: ["skopeo", ...skopeoFlags, from, to] });

const skopeo: Mover = {
  name: "skopeo",
  get version() {
    return execFileSync("skopeo", ["--version"], { encoding: "utf8" }).trim();
  },
  pull: (name, into) => skopeoCopy(`docker://${name}`, `dir:${into}`),
  push: (from, name) => skopeoCopy(`dir:${from}`, `docker://${name}`),
  copy: (from, to) => skopeoCopy(`docker://${from}`, `docker://${to}`),
};

const crane = (program: string, version: string): Mover => ({
  name: "crane",
  version,
  pull: (name, into) => ({ argv: [program, "pull", "--format", "oci", name, into] }),
  push: (from, name) => ({ argv: [program, "push", from, name] }),
  copy: (from, to) => ({ argv: [program, "copy", from, to] }),
});

const oras = (program: string, version: string): Mover => {
  const cp = (...args: string[]): Command => ({ argv: [program, "cp", "--no-tty", ...args] });
  return {
    name: "oras",
    version,
    pull: (name, into) => cp("--from-plain-http", name, "--to-oci-layout", `${into}:latest`),
    push: (from, name) => cp("--from-oci-layout", `${from}:latest`, "--to-plain-http", name),
    copy: (from, to) => cp("--from-plain-http", from, "--to-plain-http", to),
  };
};
