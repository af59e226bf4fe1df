/** Somebody who is not root: what runs a command as them, and why that cannot be tried everywhere. */
import { spawnSync } from "node:child_process";
import { program } from "./cli.ts";

export const uid = 4321;

/** `range`: 65,536 ids of /etc/subuid and /etc/subgid, a name, and a /dev/net/tun that is open to all, as udev makes it. */
export type Ids = "one id" | "range";

const plain = ["setpriv", "--reuid", String(uid), "--regid", String(uid), "--clear-groups"];

/** In a mount namespace of the command's own: nothing of the host changes but that its files of ranges are there. */
const ranges = `mount -t tmpfs wbuild-user /mnt && cd /mnt && echo ${uid}:500000:65536 > ids &&
  { cat /etc/passwd; echo wbuildtest:x:${uid}:${uid}::/:/bin/sh; } > passwd && chmod 644 ids passwd &&
  touch /etc/subuid /etc/subgid && mount --bind ids /etc/subuid && mount --bind ids /etc/subgid &&
  mount --bind passwd /etc/passwd && mknod -m 666 tun c 10 200 && { mount --bind tun /dev/net/tun || true; } &&
  cd "$OLDPWD" && exec "$@"`;

/** The words in front of a command. */
export function asUser(ids: Ids = "one id"): readonly string[] {
  return ids === "one id" ? plain : ["unshare", "--mount", "sh", "-c", ranges, "sh", ...plain];
}

/** Why nothing can be run as somebody else; undefined where it can. */
export function noUser(ids: Ids = "one id"): string | undefined {
  if (process.geteuid?.() !== 0) return "needs root, to become somebody else";
  const [command = "", ...rest] = [...asUser(ids), "ls", program];
  if (spawnSync(command, rest, { stdio: "ignore" }).status !== 0) return "an ordinary user cannot reach this checkout";
  if (ids === "one id") return undefined;
  return spawnSync("newuidmap", { stdio: "ignore" }).error === undefined ? undefined : "needs uidmap";
}
