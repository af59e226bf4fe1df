/** What this host can do for containers; `wbuild doctor` prints it. The kernel's part is tried by the launcher, not guessed. */
import { execFile } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { release, constants as system, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ownCgroups } from "./cgroup.ts";
import { errnoText } from "./errno.ts";
import { ownIdRanges } from "./id-ranges.ts";
import { hiddenProc, launcherPath } from "./launch.ts";
import { findProgram } from "./programs.ts";
import { canMakeContainers, insideUserNamespace, mappedIds, tryIdRanges } from "./userns.ts";
import { idRangesLack, refusedHelper, userNamespaceLack } from "./userns-lack.ts";

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

/** In a folder of `place`: one JSON line each from `wbuild-sandbox probe`; undefined when the launcher cannot be run. */
async function tryKernel(place: string): Promise<Map<string, Trial> | undefined> {
  const folder = mkdtempSync(join(place, "wbuild-probe-"));
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
  return (await tryKernel(tmpdir()))?.get("interpreters")?.ok === true;
}

/** A remedy is told only where one is needed. */
function capability({ remedy, ...found }: Capability): Capability {
  return found.ok || remedy === undefined ? found : { ...found, remedy };
}

function kernel(): Capability {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  const at = major * 1000 + minor;
  const asRoot = canMakeContainers() && !insideUserNamespace();
  const needed = asRoot ? 5006 : 5011;
  return capability({
    name: "kernel",
    required: true,
    ok: at >= needed,
    detail: `Linux ${release()}`,
    remedy: `Linux ${asRoot ? "5.6" : "5.11"} or later is needed`,
  });
}

function userNamespaces(trial: Trial | undefined, asRoot: boolean): Capability {
  const ok = trial?.ok === true;
  const { why, remedy } = userNamespaceLack(trial?.errno ?? 0);
  const use = asRoot ? "not used by root" : "ordinary users build in one";
  return capability({ name: "user namespaces", required: !asRoot, ok, detail: ok ? use : why, remedy });
}

const oneId = "every file of a Linux image belongs to root there, chown to others fails";

async function idMaps(trial: Trial | undefined): Promise<Capability> {
  const idMap = { name: "id maps", required: false };
  if (canMakeContainers()) {
    if (!insideUserNamespace()) return { ...idMap, ok: true, detail: "root: every id" };
    const count = mappedIds();
    const detail = `${count} ids in this user namespace`;
    return capability({ ...idMap, ok: count > 1, detail, remedy: "map a range of ids into it" });
  }
  const lacking = (detail: string, remedy: string) => ({ ...idMap, ok: false, detail, remedy });
  if (trial?.ok !== true) return lacking("none without a user namespace", "see above");
  const lack = idRangesLack();
  if (lack !== undefined) return lacking(`a single id, ${lack.why}: ${oneId}`, lack.remedy);
  const refused = await tryIdRanges().then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (refused !== undefined) return lacking(`a single id, ${refused}: ${oneId}`, refusedHelper);
  const count = ownIdRanges().uids.reduce((sum, range) => sum + range.count, 0);
  return { ...idMap, ok: true, detail: `${count} ids from /etc/subuid besides this user` };
}

/** For what is tried in a user namespace, where there can be none. */
const notTried = (name: string): Capability => ({
  name,
  required: true,
  ok: false,
  detail: "cannot be tried without a user namespace",
  remedy: "see above",
});

function overlay(trial: Trial | undefined, asRoot: boolean): Capability {
  const ok = trial?.ok === true;
  return capability({
    name: "overlay",
    required: true,
    ok,
    detail: ok ? (asRoot ? "as root" : "in a user namespace") : errnoText(trial?.errno ?? 0),
    remedy: overlayRemedy(trial?.errno ?? 0, asRoot),
  });
}

function overlayRemedy(code: number, asRoot: boolean): string {
  const { errno } = system;
  if (code === errno.ENODEV) return "as root: modprobe overlay";
  if (code === errno.EOPNOTSUPP) {
    return "keep the store ($WBUILD_HOME) on a file system with user attributes: ext4, xfs, btrfs, tmpfs since Linux 6.6";
  }
  if (code === errno.EINVAL) {
    return "keep the store ($WBUILD_HOME) on ext4, xfs, btrfs or tmpfs: not on another overlay (a container's own files), NFS or FAT";
  }
  return asRoot
    ? "run with CAP_SYS_ADMIN"
    : "ordinary users need Linux 5.11, and no AppArmor profile that forbids mounts";
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
  return capability({
    name: "cgroups",
    required: false,
    ok: version !== 0 && missing.length === 0 && ours,
    detail: version === 0 ? "none mounted" : `version ${version}: ${found}${ours ? "" : ", not ours to change"}`,
    remedy:
      version === 2
        ? "systemd-run --user --scope -p Delegate=yes wbuild … gives an ordinary user control groups"
        : `${missing.length > 0 ? `mount the control groups ${missing.join(", ")}` : "run as root"}; --memory, --cpus and --pids-limit are not enforced without`,
  });
}

function network(trial: Trial | undefined, asRoot: boolean): Capability {
  const helper = asRoot ? "nft" : "pasta";
  const path = findProgram(helper);
  const tun = asRoot || mayWrite("/dev/net/tun");
  const ok = path !== undefined && tun && (asRoot ? trial?.ok === true : true);
  const found = asRoot ? "veth and nftables" : "pasta";
  return capability({
    name: "private network",
    required: false,
    ok,
    detail: ok
      ? `${found} (${path})`
      : `no ${path === undefined ? helper : "access to /dev/net/tun"}: steps use this host's network`,
    remedy:
      path === undefined
        ? `apt-get install ${asRoot ? "nftables" : "passt"}`
        : "as root: modprobe tun; chmod 666 /dev/net/tun",
  });
}

/** What every step needs, and whether this kernel has it. */
function fromTrial(name: string, trial: Trial | undefined, good: string, remedy: string): Capability {
  const ok = trial?.ok === true;
  return capability({ name, required: true, ok, detail: ok ? good : errnoText(trial?.errno ?? 0), remedy });
}

/**
 * Everything that running steps needs of this host, in the order in which people should read it. `place` is a folder on the
 * file system where steps will write. Takes about 50 ms; mounts and namespaces are made in child processes and vanish with
 * them. Throws what making a folder in `place` throws.
 */
export async function probeHost(place: string = tmpdir()): Promise<Capability[]> {
  const trials = await tryKernel(place);
  const launcher = { name: "launcher", required: true };
  if (trials === undefined) {
    const detail = `${launcherPath()} cannot be run`;
    return [kernel(), { ...launcher, ok: false, detail, remedy: "npm run setup" }];
  }
  const asRoot = canMakeContainers();
  const initial = asRoot && !insideUserNamespace();
  const namespace = trials.get("user namespace");
  const where = asRoot ? "" : " in a user namespace";
  const canTry = asRoot || namespace?.ok === true;
  return [
    kernel(),
    { ...launcher, ok: true, detail: launcherPath() },
    {
      name: "privilege",
      required: false,
      ok: true,
      detail: initial
        ? "root"
        : asRoot
          ? "root of a user namespace"
          : "an ordinary user: steps run in a user namespace",
    },
    userNamespaces(namespace, asRoot),
    await idMaps(namespace),
    canTry ? overlay(trials.get(`overlay${where}`), asRoot) : notTried("overlay"),
    canTry ? fromTrial("proc", trials.get(`proc${where}`), "a step can have its own", hiddenProc) : notTried("proc"),
    fromTrial("seccomp", trials.get("seccomp"), "filters can be loaded", "a kernel with CONFIG_SECCOMP_FILTER"),
    cgroups(),
    network(trials.get("network namespace"), initial),
  ];
}
