/** RUN --device: finds devices in the host's CDI files, and says what a container needs to have them. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Mount } from "../../../native/core/spec.ts";
import { WbuildError } from "../../../native/error.ts";
import { type CdiDevice, type DeviceEdits, readCdiSpec } from "./spec.ts";

export interface GrantedDevices {
  readonly mounts: readonly Mount[];
  readonly env: Readonly<Record<string, string>>;
  /** Groups that the process belongs to besides its own. */
  readonly groups: readonly number[];
}

export interface DeviceRequest {
  /** `vendor.com/class=name`, `vendor.com/class=*`, `vendor.com/class` (any one), or a class of BuildKit's. */
  readonly name: string;
  readonly required: boolean;
}

const largestFile = 4 << 20;

/** Where CDI files lie; later folders count more. `WBUILD_CDI_DIRS` names others, separated by colons. */
export function cdiFolders(): string[] {
  return (process.env.WBUILD_CDI_DIRS ?? "/etc/cdi:/var/run/cdi").split(":").filter((folder) => folder !== "");
}

/**
 * What the requests need. A device that is not required and not here is left out.
 * Throws STEP_DEVICE for one that is required, and for a file that cannot be read.
 */
export async function findDevices(
  requests: readonly DeviceRequest[],
  folders: readonly string[],
  warn: (text: string) => void,
): Promise<GrantedDevices> {
  const known = await readFolders(folders);
  const chosen = new Map<string, CdiDevice>();
  for (const { name, required } of requests) {
    const found = matching(name, known);
    if (found.length === 0 && required) {
      const names = known.map((device) => device.name);
      throw new WbuildError("STEP_DEVICE", `this host has no device ${JSON.stringify(name)}`, {
        facts: { device: name, known: names, folders },
        hint:
          names.length > 0
            ? `it has ${names.slice(0, 10).join(", ")}`
            : `no device is described in ${folders.join(", ")}`,
      });
    }
    for (const device of found) chosen.set(device.name, device);
  }
  // What belongs to a file is done once, however many of its devices are asked for.
  const edits = [...new Set([...chosen.values()].flatMap((device) => device.edits))];
  if (edits.some(({ hooks }) => hooks.length > 0))
    warn(`hooks of ${[...chosen.keys()].join(", ")} are left out: wbuild runs no program of the host for a step`);
  return {
    mounts: edits.flatMap(mountsOf),
    env: Object.fromEntries(edits.flatMap(({ env }) => env.map(pairOf))),
    groups: [...new Set(edits.flatMap(({ additionalGids }) => additionalGids))],
  };
}

function matching(name: string, known: readonly CdiDevice[]): CdiDevice[] {
  if (!name.includes("/")) return known.filter((device) => device.class === name);
  if (name.endsWith("=*")) return known.filter((device) => device.kind === name.slice(0, -2));
  if (name.includes("=")) return known.filter((device) => device.name === name);
  return known.filter((device) => device.kind === name).slice(0, 1);
}

async function readFolders(folders: readonly string[]): Promise<CdiDevice[]> {
  const known = new Map<string, CdiDevice>();
  for (const folder of folders) {
    for (const name of namesIn(folder)) {
      const path = join(folder, name);
      for (const device of await readCdiSpec(readText(path), path)) known.set(device.name, device);
    }
  }
  return [...known.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /\.(json|ya?ml)$/.test(name))
      .sort();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return [];
    throw cause;
  }
}

function readText(path: string): string {
  const refuse = (why: string, cause?: unknown) =>
    new WbuildError("STEP_DEVICE", `cannot read ${path}: ${why}`, { cause, facts: { path } });
  try {
    const { size } = statSync(path);
    if (size > largestFile) throw refuse(`it has more than ${largestFile} bytes`);
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof WbuildError) throw cause;
    throw refuse((cause as Error).message, cause);
  }
}

function mountsOf({ deviceNodes, mounts }: DeviceEdits): Mount[] {
  return [
    ...deviceNodes.map(
      ({ path, hostPath }): Mount => ({ kind: "device", source: hostPath ?? path, target: path, readonly: false }),
    ),
    ...mounts.map(({ hostPath, containerPath, type, options }): Mount => {
      const readonly = options.includes("ro");
      if (type === "tmpfs") return { kind: "tmpfs", target: containerPath, readonly };
      return { kind: "bind", source: hostPath, target: containerPath, readonly };
    }),
  ];
}

function pairOf(text: string): [name: string, value: string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}
