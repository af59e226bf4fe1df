/** The door of the runtime core: a SandboxSpec becomes a running process. Knows paths and numbers, nothing of images. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { WbuildError } from "../error.ts";
import { makeCgroups, ownCgroups, removeCgroups } from "./cgroup.ts";
import { hostsFile, nameServers, resolvConf, resolvSources } from "./etc-files.ts";
import { type LaunchOption, type LaunchWarning, launch } from "./launch.ts";
import { type NetworkPlan, planPrivateNetwork } from "./network.ts";
import { type Mount, type Running, type SandboxLimits, type SandboxSpec, ulimitNames } from "./spec.ts";
import { insideUserNamespace, mappedIds } from "./userns.ts";

function mountOptions(mount: Mount): LaunchOption[] {
  const options: LaunchOption[] = [
    ["mount", mount.kind],
    ["mount.target", mount.target],
    ["mount.readonly", mount.readonly],
  ];
  if (mount.source !== undefined) options.push(["mount.source", mount.source]);
  if (mount.sizeBytes !== undefined) options.push(["mount.size", mount.sizeBytes]);
  if (mount.mode !== undefined) options.push(["mount.mode", mount.mode]);
  if (mount.uid !== undefined) options.push(["mount.uid", mount.uid]);
  if (mount.gid !== undefined) options.push(["mount.gid", mount.gid]);
  for (const folder of new Set(mount.lower)) options.push(["mount.lower", folder]);
  if (mount.upper !== undefined) options.push(["mount.upper", mount.upper]);
  if (mount.work !== undefined) options.push(["mount.work", mount.work]);
  if (mount.bytes !== undefined) options.push(["mount.hex", Buffer.from(mount.bytes).toString("hex")]);
  return options;
}

function limitOptions(limits: SandboxLimits): LaunchOption[] {
  return Object.entries(limits.ulimits).map(([name, [soft, hard]]): LaunchOption => {
    if (!ulimitNames.includes(name)) {
      throw new WbuildError("BOX_LIMIT", `there is no resource limit ${JSON.stringify(name)}`, {
        facts: { name, known: ulimitNames },
        hint: `known are ${ulimitNames.join(", ")}`,
      });
    }
    return ["limit", `${name}:${soft}:${hard}`];
  });
}

/** A small file of ours at a path of the container; never in a layer. */
function file(target: string, text: string): LaunchOption[] {
  return [
    ["mount", "file"],
    ["mount.target", target],
    ["mount.source", text],
  ];
}

function networkOptions(plan: NetworkPlan): LaunchOption[] {
  const options: LaunchOption[] = [["network", plan.kind]];
  if (plan.kind === "veth") options.push(["network.range", plan.range], ["network.mtu", plan.mtu]);
  if (plan.kind === "pasta") options.push(["network.pasta", plan.program]);
  return options;
}

/** Everything but the network, which may have to be tried twice. */
function specOptions(spec: SandboxSpec): LaunchOption[] {
  const { root, process: run } = spec;
  const options: LaunchOption[] = root.lower.map((folder): LaunchOption => ["lower", folder]);
  if (root.upper !== undefined) options.push(["upper", root.upper]);
  if (root.work !== undefined) options.push(["work", root.work]);
  options.push(
    ["root.readonly", root.readonly === true],
    ["hostname", spec.hostname],
    ["cwd", run.cwd],
    ["cwd.make", run.makeCwd === true],
    ["uid", run.uid],
    ["gid", run.gid],
    ...run.groups.map((group): LaunchOption => ["group", group]),
    ["tty", run.tty],
    ["relay", run.output === "pipe" || run.relay === true],
    ["shm", spec.limits.shmBytes],
    ["insecure", spec.security === "insecure"],
    ...(spec.interpreters ?? []).map((line): LaunchOption => ["interpreter", line]),
    ...limitOptions(spec.limits),
    ...run.argv.map((arg): LaunchOption => ["arg", arg]),
    ...Object.entries(run.env).map(([name, value]): LaunchOption => ["env", `${name}=${value}`]),
  );
  return options;
}

function planNetwork(spec: SandboxSpec, resolvers: readonly string[], warn: (text: string) => void): NetworkPlan {
  return spec.network === "private" ? planPrivateNetwork(resolvers, warn) : { kind: spec.network };
}

function warningText(warning: LaunchWarning): string {
  switch (warning.code) {
    case "BOX_LIMIT":
      return `the resource limit ${warning.path} is set only as high as this host lets us raise it`;
    case "BOX_GROUPS":
      return `supplementary groups cannot be set for ${warning.path} with this user's id map`;
    case "BOX_CGROUP_VIEW":
      return "the container cannot see its control group: /sys/fs/cgroup stays empty";
    default:
      return `${warning.code} ${warning.path}`;
  }
}

/** Starts on a given network. */
async function startOn(spec: SandboxSpec, plan: NetworkPlan, warn: (text: string) => void): Promise<Running> {
  const inUserNamespace = insideUserNamespace();
  const cgroups = makeCgroups(spec.limits, warn);
  const options: LaunchOption[] = [
    ...specOptions(spec),
    ...networkOptions(plan),
    ...file("/etc/resolv.conf", resolvConf(plan.kind, resolvSources(), warn)),
    ...file("/etc/hosts", hostsFile(spec.hostname, spec.extraHosts, plan.kind === "host")),
    ...file("/etc/hostname", `${spec.hostname}\n`),
    ...spec.mounts.flatMap(mountOptions),
    ...cgroups.map((folder): LaunchOption => ["cgroup", folder]),
    ["cgroup.mount", ownCgroups().version === 2],
    ["userxattr", inUserNamespace],
    // With one id there is nobody that a setuid program could become: Docker's default (not set) would grant nothing.
    ["no-new-privs", inUserNamespace && mappedIds() === 1],
  ];
  const whenReady = plan.kind === "veth" ? plan.ready.then(() => options) : options;
  const { stdin, output, tty } = spec.process;
  try {
    const running = await launch(whenReady, { stdin, output, foreground: tty }, (w) => warn(warningText(w)));
    if (cgroups.length > 0) void running.exited.finally(() => removeCgroups(cgroups)).catch(() => {});
    return running;
  } catch (error) {
    removeCgroups(cgroups);
    throw error;
  }
}

/**
 * Runs one process in a container of its own and resolves when it has been executed. What cannot be had as asked (network,
 * limits, groups) is told through `warn`. `output` must be read: the process waits for its reader.
 * Throws BOX_* (see docs/sandbox.md); BOX_COMMAND when the program cannot be executed.
 */
export async function startSandbox(spec: SandboxSpec, warn: (text: string) => void): Promise<Running> {
  const plan = planNetwork(spec, nameServers(resolvSources().host), warn);
  if (plan.kind !== "veth" && plan.kind !== "pasta") return await startOn(spec, plan, warn);
  try {
    return await startOn(spec, plan, warn);
  } catch (error) {
    if (error instanceof WbuildError && error.code !== "BOX_NETWORK") throw error;
    warn(`no private network (${(error as Error).message}): the step uses this host's network`);
    // The first try may have marked it as used by a mount without syncs, which overlayfs remembers.
    if (spec.root.work !== undefined) rmSync(join(spec.root.work, "work"), { recursive: true, force: true });
    return await startOn(spec, { kind: "host" }, warn);
  }
}
