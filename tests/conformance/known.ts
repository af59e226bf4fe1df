/** Where other builders are known to make something else, and why. */
import type { Case } from "./case.ts";

export interface Known {
  readonly peer: "docker" | "buildah";
  /** Of `about: name`, or of a line of the Dockerfile. */
  readonly cases?: RegExp;
  readonly lines?: RegExp;
  /** The peer's versions; absent: all. */
  readonly versions?: RegExp;
  readonly reason: string;
}

export const known: readonly Known[] = [
  {
    peer: "docker",
    versions: /^20\./,
    lines: /^(COPY|ADD) .*--(link|parents|exclude|unpack|checksum|keep-git-dir)\b/,
    reason: "this BuildKit is older than the flag",
  },
  {
    peer: "docker",
    versions: /^20\./,
    lines: /^(COPY|ADD|RUN) .*<</,
    reason: "this BuildKit is older than here-documents",
  },
  { peer: "docker", versions: /^20\./, lines: /--chmod=[^0-7]/, reason: "this BuildKit knows octal modes only" },
];

export function knownOf(peer: { name: string; version: string }, about: string, one: Case): Known | undefined {
  const title = `${about}: ${one.name}`;
  return known.find(
    (each) =>
      each.peer === peer.name &&
      (each.versions?.test(peer.version) ?? true) &&
      (each.cases?.test(title) || one.file.some((line) => each.lines?.test(line))),
  );
}
