/** Why a user gets no user namespace here, or one with a single id, and what to set for more. Reads the host's settings only. */
import { readFileSync } from "node:fs";
import { constants, userInfo } from "node:os";
import { errnoText } from "./errno.ts";
import { ownIdRanges } from "./id-ranges.ts";
import { findProgram } from "./programs.ts";

export interface Lack {
  /** For people: "no newuidmap". */
  readonly why: string;
  readonly remedy: string;
}

const { errno } = constants;

function setting(name: string): string {
  try {
    return readFileSync(`/proc/sys/${name}`, "utf8").trim();
  } catch {
    return "";
  }
}

/** `read` is for tests: the text of a kernel setting, "" where this kernel has none. */
export function userNamespaceLack(code: number, read: (name: string) => string = setting): Lack {
  if (code === errno.ENOSPC) {
    const most = read("user/max_user_namespaces");
    const why =
      most === "0" ? "user.max_user_namespaces is 0" : "as many as user.max_user_namespaces allows are in use";
    return { why, remedy: "as root: sysctl user.max_user_namespaces=15000" };
  }
  if (read("kernel/unprivileged_userns_clone") === "0") {
    const why = "kernel.unprivileged_userns_clone is 0";
    return { why, remedy: "as root: sysctl kernel.unprivileged_userns_clone=1" };
  }
  if (read("kernel/apparmor_restrict_unprivileged_userns") === "1") {
    return {
      why: `${errnoText(code)}: AppArmor keeps them from programs without a profile`,
      remedy:
        "as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile that allows userns for wbuild-sandbox",
    };
  }
  if (code === errno.EINVAL || code === errno.ENOSYS) {
    return { why: "this kernel has none", remedy: "a kernel with CONFIG_USER_NS, or run as root" };
  }
  return {
    why: `${errnoText(code)}: in a container its system call filter refuses them`,
    remedy: "start the container with seccomp=unconfined and apparmor=unconfined, or run as root",
  };
}

/** What this user lacks for more ids than one; undefined where all is there. Whether newuidmap works is another matter. */
export function idRangesLack(): Lack | undefined {
  let name: string;
  try {
    name = userInfo().username;
  } catch {
    const why = `user ${process.getuid?.()} has no name`;
    return { why, remedy: "add it to /etc/passwd: newuidmap works for users with a name only" };
  }
  const { uids, gids } = ownIdRanges();
  const programs = ["newuidmap", "newgidmap"].filter((program) => findProgram(program) === undefined);
  const files = [...(uids.length === 0 ? ["/etc/subuid"] : []), ...(gids.length === 0 ? ["/etc/subgid"] : [])];
  if (programs.length + files.length === 0) return undefined;
  const ranges = [
    ...(uids.length === 0 ? ["--add-subuids 100000-165535"] : []),
    ...(gids.length === 0 ? ["--add-subgids 100000-165535"] : []),
  ];
  return {
    why: [
      ...(programs.length > 0 ? [`no ${programs.join(" and ")}`] : []),
      ...(files.length > 0 ? [`no range for ${name} in ${files.join(" and ")}`] : []),
    ].join(", "),
    remedy: `as root: ${[
      ...(programs.length > 0 ? ["apt-get install uidmap"] : []),
      ...(ranges.length > 0 ? [`usermod ${ranges.join(" ")} ${name}`] : []),
    ].join("; ")}`,
  };
}

/** For newuidmap that is there and fails, with what it fails. */
export const refusedHelper: string =
  "newuidmap and newgidmap need their setuid bit (or file capabilities), and must not be started with no_new_privs " +
  "(in a pod: allowPrivilegeEscalation: true)";
