/** Where other builders are known to make something else, and why. */
import type { Case } from "./case.ts";

interface Known {
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
const since23 = /^2[3-9]\./;
const oldBuildah = /^1\.2\d\./;

const known: readonly Known[] = [
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
    cases: /no name once|label without a name|ARG: a bad name/,
    reason: "BuildKit takes a name that nothing can use",
  },
  {
    peer: "docker",
    versions: old,
    cases: /a trigger that (copies|mounts)/,
    reason: "this BuildKit does not look for stages in triggers",
  },
  {
    peer: "docker",
    versions: old,
    cases: /a trigger with a here-document/,
    reason: "this BuildKit is older than here-documents",
  },
  {
    peer: "docker",
    versions: old,
    cases: /triggers of every kind/,
    explains: /^history/,
    reason: "this BuildKit writes the history in another form",
  },
  { peer: "docker", cases: /asked for by number/, reason: "BuildKit finds targets by name only" },
  { peer: "docker", cases: /ONBUILD of what is no/, reason: "BuildKit reads triggers only when they are due" },
  { peer: "docker", versions: old, cases: /packed with zstd/, reason: "this BuildKit does not know zstd" },
  { peer: "docker", cases: /an escaped star/, reason: "BuildKit looks for the backslash, too" },
  {
    peer: "docker",
    versions: old,
    lines: /^RUN .*type=tmpfs,.*size=/,
    reason: "this BuildKit is older than the option",
  },
  { peer: "docker", cases: /^RUN: nothing/, reason: "BuildKit runs a shell with nothing to do" },
  {
    peer: "docker",
    versions: since23,
    lines: /^(COPY|ADD) .*--parents\b|^RUN .*--security/,
    reason: "the front end in this BuildKit leaves the flag to the labs channel, which is not reached here",
  },
  {
    peer: "docker",
    versions: since23,
    cases: /--exclude: files that a wildcard matches/,
    reason: "BuildKit excludes only what lies in folders (moby/buildkit#5489), its reference says otherwise",
  },
  {
    peer: "docker",
    versions: since23,
    cases: /--exclude: a pattern from a variable/,
    reason: "BuildKit expands no variable in the flag",
  },
  {
    peer: "docker",
    versions: old,
    cases: /folders made for the target get an octal mode|--link: with a mode/,
    reason: "BuildKit gives these folders the mode since 2025",
  },
  {
    peer: "docker",
    cases: /a platform that an image is not made for/,
    reason: "we refuse an image of the store that is made for another platform, where BuildKit takes it",
  },
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
  {
    peer: "docker",
    versions: old,
    cases: /--chown is everything's in the archive|--chmod is for what is no archive/,
    reason: "this BuildKit leaves an archive's owners as they are",
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
  {
    peer: "buildah",
    lines: /^(COPY|ADD) .*--(link|parents|exclude|unpack|checksum|keep-git-dir)\b|^RUN .*--(security|device|network)\b/,
    versions: oldBuildah,
    reason: "this buildah is older than the flag",
  },
  {
    peer: "buildah",
    versions: oldBuildah,
    lines: /^HEALTHCHECK .*--start-interval/,
    reason: "this buildah is older than the flag",
  },
  { peer: "buildah", versions: oldBuildah, lines: /<</, reason: "this buildah is older than here-documents" },
  {
    peer: "buildah",
    versions: oldBuildah,
    lines: /--chmod=([^0-7]|17777)/,
    reason: "this buildah parses octal modes only",
  },
  {
    peer: "buildah",
    versions: oldBuildah,
    lines: /\$\{\w+(:\?|[-+?#%/])/,
    reason: "this buildah is older than the modifier",
  },
  {
    peer: "buildah",
    lines: /^RUN/,
    explains: /only theirs: .* etc\/(hosts|hostname|resolv.conf)$/,
    reason: "buildah leaves the files behind that it mounts over",
  },
  {
    peer: "buildah",
    lines: /^RUN .*--mount/,
    explains: /only theirs: .* (dir|file) /,
    reason: "buildah leaves mount points behind",
  },
  {
    peer: "buildah",
    lines: /^VOLUME/,
    explains: /only theirs: .* dir /,
    reason: "buildah makes the folders of volumes",
  },
  {
    peer: "buildah",
    cases: /folders made for the target get an octal mode/,
    reason: "buildah gives the mode to what is copied only",
  },
  { peer: "buildah", cases: /setuid, setgid/, reason: "buildah drops the bits" },
  { peer: "buildah", cases: /a bracket that is a name|an escaped star/, reason: "buildah matches other names with it" },
  {
    peer: "buildah",
    cases: /nothing matches at all|a pattern without a match/,
    reason: "buildah fails, BuildKit does not",
  },
  {
    peer: "buildah",
    cases: /a target that is a link to a file/,
    reason: "buildah replaces the link, BuildKit writes through it",
  },
  {
    peer: "buildah",
    cases: /cannot take the place of a/,
    reason: "buildah replaces what is there, BuildKit refuses to",
  },
  { peer: "buildah", cases: /a whiteout's name|climbs out/, reason: "we refuse what would reach beyond its place" },
  { peer: "buildah", cases: /a flag twice/, reason: "buildah takes the last one, BuildKit fails" },
  {
    peer: "buildah",
    cases: /a stage's name has no letter case/,
    reason: "buildah tells letter case apart, BuildKit does not",
  },
  {
    peer: "buildah",
    cases: /--chown is everything's in the archive|--chmod is for what is no archive/,
    reason: "buildah leaves an archive's owners as they are",
  },
  { peer: "buildah", cases: /: no name|no name once|label without a name/, reason: "buildah takes a blank name" },
  { peer: "buildah", cases: /an ARG after an ENV/, reason: "buildah lets ENV win, BuildKit the later line" },
  {
    peer: "buildah",
    cases: /a stage on another sees its arguments|the target's name/,
    reason: "buildah has no such arguments",
  },
  { peer: "buildah", cases: /: a range$/, explains: /^ExposedPorts/, reason: "buildah keeps a range as one port" },
  { peer: "buildah", cases: /a port that is none|a port too high/, reason: "buildah does not look at ports" },
  {
    peer: "buildah",
    lines: /^RUN .*--mount/,
    explains: /only theirs: - /,
    reason: "buildah takes folders away that it mounted over",
  },
  {
    peer: "buildah",
    versions: oldBuildah,
    lines: /^RUN .*--mount.*(target|dst|destination)=\/tmp/,
    explains: /^(only (theirs: - |ours: )|succeeds \/ fails)/,
    // It says so: "unable to cleanup run mounts copier: remove "/"", and its tar is empty.
    reason: "this buildah removes all files with the mount point",
  },
  {
    peer: "buildah",
    versions: oldBuildah,
    lines: /^RUN .*(sharing=private|env=|size=|type=cache.*from=wbuild)/,
    reason: "this buildah is older than the option",
  },
  { peer: "buildah", cases: /bind: changes are forgotten/, reason: "buildah writes into the context" },
  { peer: "buildah", cases: /bind: what is not there/, reason: "buildah does not look whether it is there" },
  { peer: "buildah", cases: /CMD of nothing/, reason: "buildah drops an empty command line" },
  { peer: "buildah", cases: /a duration too short/, reason: "buildah takes shorter ones" },
  {
    peer: "buildah",
    cases: /ONBUILD of what is no|a flag of none|a bad name|an instruction before FROM/,
    reason: "buildah does not look at it",
  },
  {
    peer: "buildah",
    cases: /no letter case|asked for by name/,
    reason: "buildah tells letter case apart, BuildKit does not",
  },
  { peer: "buildah", cases: /of two stages of one name/, reason: "buildah takes the first, BuildKit the later one" },
  { peer: "buildah", cases: /the escape directive/, reason: "buildah takes the backslash as well" },
  { peer: "buildah", lines: /^# check=/, reason: "buildah has no checks" },
  { peer: "buildah", cases: /a file that is too large/, reason: "we read at most 4 MiB" },
  {
    peer: "buildah",
    cases: /: SHELL$|triggers of every kind/,
    explains: /^Cmd/,
    reason: "buildah gives CMD the usual shell",
  },
  {
    peer: "buildah",
    cases: /triggers of every kind/,
    explains: /only theirs: .* etc\//,
    reason: "buildah leaves the files behind that it mounts over",
  },
  { peer: "buildah", cases: /a trigger that (copies|mounts)/, reason: "buildah does not look for stages in triggers" },
  {
    peer: "buildah",
    cases: /escaped with the other character/,
    reason: "buildah reads quotes before it reads escapes",
  },
  {
    peer: "buildah",
    versions: oldBuildah,
    cases: /HEALTHCHECK with all flags/,
    reason: "this buildah is older than the flag",
  },
  { peer: "buildah", cases: /a file stands in the folder's place/, reason: "buildah does not look what the folder is" },
  { peer: "buildah", cases: /bind: what is not in the stage/, reason: "buildah does not look whether it is there" },
  { peer: "buildah", cases: /the container's own mounts/, reason: "buildah mounts over /proc" },
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
