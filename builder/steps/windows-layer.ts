/** What COPY, ADD and WORKDIR of a Windows image add to what they placed: the shape of a Windows layer, and owners. */
import type { Change } from "../../layerfs/layer/entry.ts";
import { windowsSid } from "../../layerfs/windows/accounts.ts";
import { showWindowsPath } from "../../layerfs/windows/path.ts";
import { sidOf } from "../../layerfs/windows/sddl.ts";
import { encodeSecurity, type SecurityDescriptor } from "../../layerfs/windows/security.ts";
import { shapeLayer } from "../../layerfs/windows/shape.ts";
import { WbuildError } from "../../native/error.ts";
import type { LayerStack } from "./stack.ts";
import type { World } from "./step.ts";

/**
 * Changes below C: → those of the layer. The first layer on scratch is a base layer, which brings its hives as files.
 * Throws WIN_* for files that Windows cannot have.
 */
export async function windowsChanges(changes: Iterable<Change>, below: LayerStack, world: World): Promise<Change[]> {
  const { epochSeconds } = world.style;
  return shapeLayer({
    changes,
    below: await below.tree(),
    origin: below.layers.length === 0 ? "base" : "copy",
    // As on Linux: folders that a build makes have no time of their own, and so no other in the next build.
    madeNs: 0n,
    ...(epochSeconds === undefined ? {} : { epochSeconds }),
    onDropped: ({ path, reason }) => world.warn(`${showWindowsPath(path)} is left out: ${reason}`),
  });
}

/** Read, write, execute, delete, and change who may: what dockerd gives the owner, with FILE_* rights for the generic ones. */
const ownerRights = 0x1701bf;
const fullRights = 0x1f01ff;
const inherits = 0x03;

/**
 * The descriptor of --chown, as dockerd has it: the account owns the file, administrators and the system may do all,
 * the account almost all; what is made below a folder inherits it. Throws STEP_USER for an unknown account.
 */
export function ownedSecurity(account: string): Uint8Array {
  const owner = windowsSid(account);
  if (owner === undefined) throw new WbuildError("STEP_USER", `there is no Windows account ${JSON.stringify(account)}`);
  const allow = (sid: string, mask: number) => ({ type: 0, flags: inherits, mask, sid });
  const full = ["BA", "SY"].map((name) => allow(sidOf(name), fullRights));
  const descriptor: SecurityDescriptor = {
    control: 0,
    owner,
    group: sidOf("SY"),
    dacl: { revision: 2, aces: [...full, allow(owner, ownerRights)] },
  };
  return encodeSecurity(descriptor);
}
