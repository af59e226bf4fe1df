/** What a RUN has mounted, made ready: files of other nodes, caches, secrets, agents. All of it ends with the step. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Entry } from "../../layerfs/layer/entry.ts";
import type { CacheMountWish } from "../../layerfs/store/cache-mounts.ts";
import { type Digest, digestOf, isDigest } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { driveTree, windowsTree } from "../../layerfs/windows/drive.ts";
import type { Mount } from "../../native/core/spec.ts";
import { WbuildError } from "../../native/error.ts";
import { digestOfSelection, type Selected } from "../context/select.ts";
import type { RunMount, RunOp } from "../graph/graph.ts";
import type { GrantedDevices } from "../runtime/cdi/devices.ts";
import { fillFrom } from "./fill-cache.ts";
import type { LayerStack } from "./stack.ts";
import type { World } from "./step.ts";

export interface RunMounts extends AsyncDisposable {
  readonly mounts: readonly Mount[];
  /** Variables that the step gets besides its own. */
  readonly env: Readonly<Record<string, string>>;
  /** Groups that its process belongs to besides its user's. */
  readonly groups: readonly number[];
}

type MountOf<Kind extends RunMount["kind"]> = Extract<RunMount, { kind: Kind }>;

/**
 * Digest of all files that mounts show, whatever made them: the selected files and folders with what lies in them.
 * Undefined where none are mounted. Throws STEP_MOUNT_SOURCE.
 */
export async function mountedContent(
  op: RunOp,
  inputs: readonly LayerStack[],
  { store }: Pick<World, "store">,
): Promise<Digest | undefined> {
  const parts: unknown[] = [];
  for (const mount of op.mounts ?? []) {
    if ((mount.kind !== "bind" && mount.kind !== "cache") || mount.input === undefined) continue;
    parts.push([mount.target, await contentOf(mount, inputs, store)]);
  }
  return parts.length === 0 ? undefined : digestOf(`mounts/1 ${JSON.stringify(parts)}`);
}

/** The layers below say all that it depends on: a whole image that every step mounts is read once. */
async function contentOf(
  mount: { input?: number; source?: string },
  inputs: readonly LayerStack[],
  store: Store,
): Promise<Digest> {
  const stack = inputs[mount.input ?? 0] as LayerStack;
  const fact = `mounted ${stack.os} ${await stack.chainId(store)} ${JSON.stringify(mount.source)}`;
  const known = store.facts.get(fact);
  if (typeof known === "string" && isDigest(known)) return known;
  const { tree, root } = await sourceOf(mount, inputs);
  const { type, mode, uid, gid } = root;
  // Its own name does not count: it shows as the target.
  const selected: Selected = { pattern: "", path: "", root };
  const digest = digestOf(JSON.stringify([type, mode, uid, gid, await digestOfSelection(tree, [selected])]));
  store.facts.set(fact, digest);
  return digest;
}

/** What a mount takes its files from, links followed inside it. */
async function sourceOf(
  { input = 0, source = "" }: { input?: number; source?: string },
  inputs: readonly LayerStack[],
) {
  const stack = inputs[input] as LayerStack;
  const whole = await stack.tree();
  const tree = stack.os === "windows" ? driveTree(whole) : whole;
  const path = await tree.resolve(source, true);
  const root = path === "" ? rootOf(await tree.stat("")) : path === undefined ? undefined : await tree.stat(path);
  if (path === undefined || root === undefined) {
    const names = (await tree.list("")).map((entry) => entry.path).slice(0, 20);
    throw new WbuildError("STEP_MOUNT_SOURCE", `${JSON.stringify(source)} is not there to be mounted`, {
      facts: { path: source, top: names },
      hint: "source is counted from the root of the stage, image or context that the mount names",
    });
  }
  return { stack, tree, root, path: stack.os === "windows" ? join("Files", path) : path };
}

/** An image whose layers say nothing of its root has one all the same. */
function rootOf(entry: Entry | undefined): Entry {
  return entry ?? { path: "", type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: 0n };
}

/**
 * Makes everything ready; `scratch` is an empty folder of the step's own, on the store's file system.
 * Throws STEP_MOUNT_SOURCE, STEP_SECRET, STEP_SSH, STEP_DEVICE, STORE_*, or the signal's reason while it waits for a cache.
 */
export async function openMounts(
  op: RunOp,
  inputs: readonly LayerStack[],
  world: World,
  scratch: string,
): Promise<RunMounts> {
  const held: AsyncDisposable[] = [];
  const env: Record<string, string> = {};
  const close = async () => {
    for (const one of held.splice(0).reverse()) await one[Symbol.asyncDispose]();
  };
  try {
    // Caches first, in an order that all steps of all builds share: two that want the same two must not wait for each other.
    const caches = new Map<RunMount, string>();
    const byId = new Map<string, string>();
    for (const mount of cachesOf(op)) {
      const wish = await cacheWish(mount, op, inputs, world);
      const used = byId.has(wish.id) ? undefined : await world.store.cacheMounts.use(wish);
      if (used) held.push(used);
      // Twice in one step is the same folder at two places, or the step would wait for itself.
      const folder = used?.folder ?? (byId.get(wish.id) as string);
      byId.set(wish.id, folder);
      caches.set(mount, folder);
    }
    const mounts: Mount[] = [];
    for (const [index, mount] of (op.mounts ?? []).entries()) {
      const made = await openMount(mount, {
        op,
        inputs,
        world,
        held,
        env,
        caches,
        folder: join(scratch, `mount${index}`),
      });
      if (made) mounts.push({ ...made, target: await placeOf(made.target, op, inputs) });
    }
    for (const { target, text, mode } of op.files ?? []) {
      const place = await placeOf(target, op, inputs);
      mounts.push({ kind: "file", bytes: Buffer.from(text), target: place, mode, readonly: true });
    }
    const devices = await devicesOf(op, world);
    mounts.push(...devices.mounts);
    return { mounts, env: { ...devices.env, ...env }, groups: devices.groups, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function devicesOf({ devices = [] }: RunOp, world: World): Promise<GrantedDevices> {
  if (devices.length === 0) return { mounts: [], env: {}, groups: [] };
  const { cdiFolders, findDevices } = await import("../runtime/cdi/devices.ts");
  return findDevices(devices, cdiFolders(), world.warn);
}

interface Opening {
  readonly op: RunOp;
  readonly inputs: readonly LayerStack[];
  readonly world: World;
  readonly held: AsyncDisposable[];
  readonly env: Record<string, string>;
  readonly caches: ReadonlyMap<RunMount, string>;
  /** Not there yet. */
  readonly folder: string;
}

async function openMount(mount: RunMount, opening: Opening): Promise<Mount | undefined> {
  switch (mount.kind) {
    case "bind":
      return openBind(mount, opening);
    case "cache":
      return {
        kind: "bind",
        source: opening.caches.get(mount) as string,
        target: mount.target,
        readonly: mount.readonly === true,
      };
    case "tmpfs": {
      const size = mount.sizeBytes ? { sizeBytes: mount.sizeBytes } : {};
      return { kind: "tmpfs", target: mount.target, readonly: false, mode: 0o1777, ...size };
    }
    case "secret":
      return openSecret(mount, opening);
    case "ssh":
      return openSsh(mount, opening);
  }
}

async function openBind(mount: MountOf<"bind">, { inputs, folder }: Opening): Promise<Mount> {
  const { stack, path } = await sourceOf(mount, inputs);
  const shown = {
    kind: "layers",
    source: path,
    lower: (await stack.folders()).toReversed(),
    target: mount.target,
    readonly: mount.writable !== true,
  } as const;
  if (!mount.writable) return shown;
  const [upper, work] = [join(folder, "upper"), join(folder, "work")];
  for (const made of [folder, upper, work]) mkdirSync(made, { mode: 0o755 });
  return { ...shown, upper, work };
}

function cachesOf(op: RunOp): MountOf<"cache">[] {
  const caches = (op.mounts ?? []).filter((mount) => mount.kind === "cache");
  return caches.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

async function cacheWish(
  mount: MountOf<"cache">,
  op: RunOp,
  inputs: readonly LayerStack[],
  world: World,
): Promise<CacheMountWish> {
  const { mode, uid, gid, input } = mount;
  const begins = input === undefined ? undefined : await sourceOf(mount, inputs);
  // As BuildKit has it: caches that would begin differently are different ones.
  const content = begins && (await contentOf(mount, inputs, world.store));
  const id = JSON.stringify([op.os ?? "linux", mount.id, mode, uid, gid, content]);
  return {
    id,
    sharing: mount.sharing,
    description: mount.id,
    signal: world.signal,
    ...(mode === undefined ? {} : { mode }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(begins ? { fill: (folder: string) => fillFrom(begins.tree, begins.root, folder) } : {}),
  };
}

/** The value is in memory only: here, and in a file of the container's own tmpfs. */
function openSecret(mount: MountOf<"secret">, { world, env }: Opening): Mount | undefined {
  const bytes = world.secrets?.get(mount.id);
  if (bytes === undefined) {
    if (!mount.required) return undefined;
    throw new WbuildError("STEP_SECRET", `the secret ${JSON.stringify(mount.id)} is required, and was not given`, {
      facts: { id: mount.id },
      hint: `give it with --secret id=${mount.id},src=FILE or --secret id=${mount.id},env=NAME`,
    });
  }
  if (mount.env !== undefined) {
    if (bytes.includes(0))
      throw new WbuildError("STEP_SECRET", `the secret ${JSON.stringify(mount.id)} holds a NUL byte: no variable can`, {
        facts: { id: mount.id },
        hint: "mount it as a file",
      });
    env[mount.env] = Buffer.from(bytes).toString("utf8");
  }
  if (mount.target === undefined) return undefined;
  const { target, mode, uid, gid } = mount;
  return { kind: "file", bytes, target, mode, uid, gid, readonly: true };
}

async function openSsh(mount: MountOf<"ssh">, { op, world, env, held }: Opening): Promise<Mount | undefined> {
  // The first one's, unless the image or the Dockerfile has its own; also where no agent was given, as with BuildKit.
  if (!op.env.some((pair) => pair.startsWith("SSH_AUTH_SOCK="))) env.SSH_AUTH_SOCK ??= mount.target;
  const given = world.ssh?.get(mount.id);
  if (given === undefined) {
    if (!mount.required) return undefined;
    throw new WbuildError("STEP_SSH", `the ssh agent ${JSON.stringify(mount.id)} is required, and was not given`, {
      facts: { id: mount.id },
      hint: `give it with --ssh ${mount.id}, or --ssh ${mount.id}=KEYFILE`,
    });
  }
  const { forwardAgent } = await import("../runtime/ssh/forward.ts");
  const { target, mode, uid, gid } = mount;
  const forwarded = await forwardAgent(given, { mode, uid, gid });
  held.push(forwarded);
  // Connecting to a socket needs the right to write to it, and a mount without that right would refuse.
  return { kind: "bind", source: forwarded.path, target, readonly: false };
}

/** A target as the runtime takes it: on Windows in the image's spelling, below the folder that is C:. */
async function placeOf(target: string, op: RunOp, inputs: readonly LayerStack[]): Promise<string> {
  if (op.os !== "windows") return target;
  const tree = windowsTree(await (inputs[0] as LayerStack).tree());
  const place = await tree.resolve(target.slice(1), { follow: true, missing: "keep" });
  if (place !== undefined) return `/${place}`;
  throw new WbuildError("BOX_MOUNT_TARGET", `${JSON.stringify(target)} leads to another drive than C:`, {
    facts: { path: target },
  });
}
