/** What this host can do for containers; `wbuild doctor` prints it. The kernel's part is tried by the launcher, not guessed. */
import { execFile } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ownCgroups } from "./cgroup.ts";
import { errnoText } from "./errno.ts";
import { launcherPath } from "./launch.ts";
import { findProgram } from "./programs.ts";
import { canMakeContainers, insideUserNamespace, mappedIds, ownIdRanges } from "./userns.ts";

export interface Capability {
  /** Stable name, for programs: "overlay", "id maps" … */
  readonly name: string;
  readonly ok: boolean;
  /** False when builds with RUN work without it, with less. */
  readonly required: boolean;
  /** What was found, for people. */
  readonly detail: string;
  /** What to do where it is not ok. */
  readonly remedy?: string;
}

interface Trial {
  readonly name: string;
  readonly ok: boolean;
  readonly errno: number;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** One JSON line each from `wbuild-sandbox probe`; undefined when the launcher cannot be run. */
async function tryKernel(): Promise<Map<string, Trial> | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-probe-"));
  try {
    const { stdout } = await promisify(execFile)(launcherPath(), ["probe", folder], { timeout: 20_000 });
    const trials = stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Trial);
    return new Map(trials.map((trial) => [trial.name, trial]));
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Can a process have a register of interpreters (binfmt_misc) of its own here? Linux 6.7. Takes some 30 ms. */
export async function canRegisterInterpreters(): Promise<boolean> {
  return (await tryKernel())?.get("interpreters")?.ok === true;
}

const capability = (name: string, required: boolean, ok: boolean, detail: string, remedy?: string): Capability => ({
  name,
  ok,
  required,
  detail,
  ...(ok || remedy === undefined ? {} : { remedy }),
});

function kernel(): Capability {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  const at = major * 1000 + minor;
  const asRoot = canMakeContainers() && !insideUserNamespace();
  const needed = asRoot ? 5006 : 5011;
  return capability(
    "kernel",
    true,
    at >= needed,
    `Linux ${release()}`,
    `Linux ${asRoot ? "5.6" : "5.11"} or later is needed`,
  );
}

function userNamespaces(trial: Trial | undefined, asRoot: boolean): Capability {
  const restricted = readOrEmpty("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === "1";
  const off =
    readOrEmpty("/proc/sys/kernel/unprivileged_userns_clone") === "0" ||
    readOrEmpty("/proc/sys/user/max_user_namespaces") === "0";
  const remedy = restricted
    ? "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that allows userns for wbuild-sandbox"
    : off
      ? "sysctl user.max_user_namespaces=15000 (on older Debian also kernel.unprivileged_userns_clone=1)"
      : "run as root";
  const ok = trial?.ok === true;
  const use = asRoot ? "not used by root" : "ordinary users build in one";
  return capability("user namespaces", !asRoot, ok, ok ? use : errnoText(trial?.errno ?? 0), remedy);
}

function idMaps(): Capability {
  if (insideUserNamespace()) {
    const count = mappedIds();
    return capability("id maps", false, count > 1, `${count} ids in this user namespace`, "map a range of ids into it");
  }
  if (canMakeContainers()) return capability("id maps", false, true, "root: every id");
  const { uids } = ownIdRanges();
  const count = uids.reduce((sum, range) => sum + range.count, 0);
  return capability(
    "id maps",
    false,
    count > 0,
    count > 0
      ? `${count} ids from /etc/subuid besides this user`
      : "a single id: every file in an image belongs to root, chown to others fails",
    "apt-get install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER",
  );
}

function cgroups(): Capability {
  const { version, controllers, unified } = ownCgroups();
  const wanted = ["memory", "cpu", "pids"];
  const offered =
    version === 2 ? readOrEmpty(join(unified ?? "", "cgroup.controllers")).split(/\s+/) : [...controllers.keys()];
  const missing = wanted.filter((name) => !offered.includes(name));
  const places = version === 2 ? [unified ?? ""] : wanted.map((name) => controllers.get(name) ?? "");
  const ours = places.every((folder) => mayWrite(folder));
  const found = wanted.filter((name) => offered.includes(name)).join(", ");
  return capability(
    "cgroups",
    false,
    version !== 0 && missing.length === 0 && ours,
    version === 0 ? "none mounted" : `version ${version}: ${found}${ours ? "" : ", not ours to change"}`,
    version === 2
      ? "systemd-run --user --scope -p Delegate=yes wbuild … gives an ordinary user control groups"
      : `${missing.length > 0 ? `mount the control groups ${missing.join(", ")}` : "run as root"}; --memory, --cpus and --pids-limit are not enforced without`,
  );
}

function network(trial: Trial | undefined, asRoot: boolean): Capability {
  const helper = asRoot ? "nft" : "pasta";
  const path = findProgram(helper);
  const tun = asRoot || mayWrite("/dev/net/tun");
  const ok = path !== undefined && tun && (asRoot ? trial?.ok === true : true);
  const found = asRoot ? "veth and nftables" : "pasta";
  return capability(
    "private network",
    false,
    ok,
    ok
      ? `${found} (${path})`
      : `no ${path === undefined ? helper : "access to /dev/net/tun"}: steps use this host's network`,
    path === undefined
      ? `apt-get install ${asRoot ? "nftables" : "passt"}`
      : "as root: modprobe tun; chmod 666 /dev/net/tun",
  );
}

function fromTrial(
  name: string,
  required: boolean,
  trial: Trial | undefined,
  good: string,
  remedy: string,
): Capability {
  return capability(name, required, trial?.ok === true, trial?.ok ? good : errnoText(trial?.errno ?? 0), remedy);
}

/**
 * Everything that running steps needs of this host, in the order in which people should read it. Takes about 30 ms; mounts
 * and namespaces are made in child processes and vanish with them. Throws nothing.
 */
export async function probeHost(): Promise<Capability[]> {
  const trials = await tryKernel();
  if (trials === undefined) {
    return [kernel(), capability("launcher", true, false, `${launcherPath()} cannot be run`, "npm run setup")];
  }
  const asRoot = canMakeContainers();
  const initial = asRoot && !insideUserNamespace();
  return [
    kernel(),
    capability("launcher", true, true, launcherPath()),
    capability(
      "privilege",
      false,
      true,
      initial ? "root" : asRoot ? "root of a user namespace" : "an ordinary user: steps run in a user namespace",
    ),
    fromTrial(
      "overlay",
      true,
      trials.get(asRoot ? "overlay" : "overlay in a user namespace"),
      asRoot ? "as root" : "in a user namespace",
      "modprobe overlay; for ordinary users Linux 5.11 or later",
    ),
    userNamespaces(trials.get("user namespace"), asRoot),
    idMaps(),
    fromTrial("seccomp", true, trials.get("seccomp"), "filters can be loaded", "a kernel with CONFIG_SECCOMP_FILTER"),
    cgroups(),
    network(trials.get("network namespace"), initial),
  ];
}
