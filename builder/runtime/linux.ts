/** The Linux personality: unpacked layers become an overlay, the image's own accounts a user, the upper folder the changes. */
import { chmodSync, chownSync, lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { sweepUpper } from "../../layerfs/layer/overlay.ts";
import { resolveUser } from "../../layerfs/tree/accounts.ts";
import { startSandbox } from "../../native/core/sandbox.ts";
import type { SandboxSpec } from "../../native/core/spec.ts";
import { insideUserNamespace, mappedIds } from "../../native/core/userns.ts";
import { WbuildError } from "../../native/error.ts";
import { checkPrivilege, onceEach, type Start } from "./before-start.ts";
import { interpreterFor, isNative } from "./foreign.ts";
import { layerFoldersTree } from "./layer-folders.ts";
import type { Execution, LayerFolders, RuntimeCore, StepHost, StepProcess } from "./runtime.ts";

const singleId =
  "this user has a single-id map: every file belongs to root, who is in no other group, and chown to or USER of anybody else fails " +
  "(apt-get install uidmap, and ranges in /etc/subuid and /etc/subgid, give more)";

function hasSingleId(): boolean {
  return insideUserNamespace() && mappedIds() === 1;
}

/** overlayfs takes 500; the launcher needs one for mount points of its own. */
const mostLayers = 499;

/** The upper folder is what the container sees as `/`: it takes the mode and owner of the image's own. */
function likeBelow(upper: string, below: string): void {
  const { mode, uid, gid } = lstatSync(below);
  chmodSync(upper, mode & 0o7777);
  chownSync(upper, uid, gid);
}

export function sandboxNetwork(host: StepHost): SandboxSpec["network"] {
  return host.network === "default" ? "private" : host.network;
}

async function specOf(
  on: LayerFolders,
  upper: string,
  scratch: string,
  process: StepProcess,
  host: StepHost,
): Promise<SandboxSpec> {
  const work = join(scratch, "work");
  mkdirSync(work);
  // overlayfs refuses a folder that comes twice (ELOOP); what the upper one of two equal layers says holds for the lower one too.
  const lower = [...new Set(on.folders.toReversed())];
  if (lower.length > mostLayers) {
    throw new WbuildError("BOX_LAYERS", `the image has ${lower.length} layers, a container can have ${mostLayers}`, {
      facts: { layers: lower.length, most: mostLayers },
    });
  }
  if (lower.length === 0) {
    // FROM scratch: overlayfs wants something below.
    const empty = join(scratch, "empty");
    mkdirSync(empty, { mode: 0o755 });
    lower.push(empty);
  } else {
    likeBelow(upper, lower[0] as string);
  }
  const { user, env, ...rest } = process;
  const { uid, gid, groups, home } = await resolveUser(layerFoldersTree(on.folders), user);
  return {
    root: { lower, upper, work, ...(host.readonlyRoot === true ? { readonly: true } : {}) },
    mounts: host.mounts,
    // As Docker has it: HOME from the image's passwd where nobody has set it.
    process: {
      ...rest,
      env: { HOME: home, ...env },
      makeCwd: host.readonlyRoot !== true,
      uid,
      gid,
      // What cannot be had is told once, above, and not once more of every user that an image knows.
      groups: hasSingleId() ? [] : [...new Set([...groups, ...(host.groups ?? [])])],
    },
    hostname: host.hostname,
    network: sandboxNetwork(host),
    extraHosts: host.extraHosts,
    limits: host.limits,
    security: host.security,
    ...(await interpreters(on.architecture)),
  };
}

/** Throws BOX_EMULATOR. */
async function interpreters(architecture: string | undefined): Promise<Pick<SandboxSpec, "interpreters">> {
  if (architecture === undefined || isNative(architecture)) return {};
  const found = await interpreterFor(architecture);
  return found?.how === "own" ? { interpreters: [found.line] } : {};
}

async function start(...[on, upper, scratch, process, host, warn]: Start): Promise<Execution> {
  checkPrivilege();
  const warnOnce = onceEach(warn);
  if (hasSingleId()) warnOnce(singleId);
  const spec = await specOf(on, upper, scratch, process, host);
  const running = await startSandbox(spec, warnOnce);
  return {
    folder: upper,
    output: running.output,
    exited: running.exited,
    signal: (name) => running.signal(name),
    async layer() {
      await running.exited;
      const sweep = await sweepUpper(upper);
      return { input: [sweep.batch], unpacked: () => sweep.changes() };
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

/** Throws nothing itself; `start` throws BOX_* and STEP_USER. */
export function createLinuxRuntime(): RuntimeCore {
  return { kind: "linux", start };
}
