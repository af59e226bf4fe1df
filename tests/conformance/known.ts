/** Where other builders are known to make something else, and why. */
import type { Case } from "./case.ts";

export interface Known {
  readonly peer: "docker" | "buildah";
  /** Of `about: name`, or of a line of the Dockerfile. */
  readonly cases?: RegExp;
  readonly lines?: RegExp;
  /** The peer's versions; absent: all. */
  readonly versions?: RegExp;
  /** The differences it explains; absent: all of the case. */
  readonly explains?: RegExp;
  readonly reason: string;
}

const old = /^20\./;

export const known: readonly Known[] = [
  {
    peer: "docker",
    versions: old,
    lines: /^(COPY|ADD) .*--(link|parents|exclude|unpack|checksum|keep-git-dir)\b|^HEALTHCHECK .*--start-interval/,
    reason: "this BuildKit is older than the flag",
  },
  {
    peer: "docker",
    versions: old,
    lines: /^(COPY|ADD|RUN) .*<</,
    reason: "this BuildKit is older than here-documents",
  },
  {
    peer: "docker",
    versions: old,
    lines: /--chmod=([^0-7]|0*[0-7]{4})/,
    reason: "this BuildKit knows permission bits only",
  },
  {
    peer: "docker",
    versions: old,
    lines: /^RUN .*--(security|device|network)/,
    reason: "this BuildKit is older than the flag",
  },
  {
    peer: "docker",
    versions: old,
    lines: /^RUN .*type=secret.*env=/,
    reason: "this BuildKit is older than the option",
  },
  {
    peer: "docker",
    versions: old,
    lines: /--ch(own|mod)=/,
    explains: /^history/,
    reason: "this BuildKit leaves flags out of the history",
  },
  {
    peer: "docker",
    versions: old,
    lines: /^EXPOSE|^HEALTHCHECK/,
    reason: "this BuildKit writes the history in another form",
  },
  { peer: "docker", versions: old, lines: /\$\{\w+([-+?#%/])/, reason: "this BuildKit is older than the modifier" },
  {
    peer: "docker",
    versions: old,
    cases: /^ARG: (a value of the build|a global one|platform|the target)|^FROM and stages: a platform/,
    reason: "this BuildKit writes an ARG's value into the history only where the line has it, and has no TARGETSTAGE",
  },
  {
    peer: "docker",
    versions: old,
    cases: /no name once|label without a name/,
    reason: "this BuildKit takes a blank name",
  },
  { peer: "docker", versions: old, cases: /asked for by number/, reason: "this BuildKit finds targets by name only" },
  {
    peer: "docker",
    versions: old,
    cases: /ONBUILD of what is no/,
    reason: "this BuildKit reads triggers only when they are due",
  },
  { peer: "docker", versions: old, cases: /packed with zstd/, reason: "this BuildKit does not know zstd" },
  { peer: "docker", versions: old, cases: /an escaped star/, reason: "this BuildKit looks for the backslash, too" },
  {
    peer: "docker",
    versions: old,
    lines: /^RUN .*type=tmpfs,.*size=/,
    reason: "this BuildKit is older than the option",
  },
  { peer: "docker", versions: old, cases: /^RUN: nothing/, reason: "this BuildKit runs a shell with nothing to do" },
  { peer: "docker", versions: old, lines: /^# check=/, reason: "this BuildKit has no checks" },
  { peer: "docker", lines: /^# syntax=/, reason: "BuildKit fetches the front end, and there is no network" },
  {
    peer: "docker",
    versions: old,
    lines: /--mount/,
    explains: /only theirs: .* dir /,
    reason: "this BuildKit leaves mount points behind",
  },
  {
    peer: "docker",
    cases: /ignore file that is a folder/,
    reason: "we do not build with an ignore file that cannot be read",
  },
  { peer: "docker", cases: /a pattern that is none/, reason: "we refuse a pattern that can match nothing" },
  { peer: "docker", cases: /a whiteout's name/, reason: "we refuse files that would delete others" },
  { peer: "docker", cases: /climbs out/, reason: "we refuse archives that try to" },
  {
    peer: "docker",
    cases: /a name that nobody has|no accounts/,
    reason: "we refuse an account that is not known, where BuildKit takes root",
  },
  {
    peer: "docker",
    lines: /^(COPY|ADD) \["with space/,
    explains: /^history/,
    reason: "our history can be read back where names have blanks",
  },
];

/** Why a case differs; undefined when one of its differences is not explained. */
export function reasonOf(
  peer: { name: string; version: string },
  about: string,
  one: Case,
  differences: readonly string[],
): string | undefined {
  const title = `${about}: ${one.name}`;
  const fitting = known.filter(
    (each) =>
      each.peer === peer.name &&
      (each.versions?.test(peer.version) ?? true) &&
      (each.cases?.test(title) || one.file.some((line) => each.lines?.test(line))),
  );
  const reasons = differences.map((line) => fitting.find(({ explains }) => explains?.test(line) ?? true)?.reason);
  return reasons.includes(undefined) ? undefined : [...new Set(reasons)].join("; ");
}
