/** RUN --mount → what is mounted, and the nodes whose files that shows. Files of the context are copied into a node of their own. */
import { posix } from "node:path";
import { dockerfileError, quoted } from "../dockerfile/errors.ts";
import type { Run, Word } from "../dockerfile/instruction.ts";
import { type BindMount, type CacheMount, type Mount, readMounts } from "../dockerfile/read-mount.ts";
import { windowsTarget } from "../image/config/windows-path.ts";
import { fromNode } from "./from-node.ts";
import type { CopyOp, Node, RunMount } from "./graph.ts";
import { nodeId } from "./key.ts";
import type { StageView } from "./plan-world.ts";

export interface PlannedMounts {
  readonly mounts: readonly RunMount[];
  /** What mounts show files of: input 1 and those that follow. */
  readonly more: readonly Node[];
}

/** Where the context's files lie in the node that is made for a mount. */
const contextPlace = "context";

/** Throws DF_* with the mount's place, and what looking a stage or an image up throws. */
export async function planMounts(step: Run, view: StageView): Promise<PlannedMounts> {
  const { dockerfile, source } = view.world;
  const { os } = view.platform;
  const read = readMounts(step.mounts ?? [], view.scope.lookup, dockerfile.escape, source, os);
  const more: Node[] = [];
  const inputOf = (node: Node): number => {
    const known = more.findIndex(({ id }) => id === node.id);
    return known === -1 ? more.push(node) : known + 1;
  };
  const mounts: RunMount[] = [];
  for (const mount of read) mounts.push(await planMount(mount, step, view, inputOf));
  // What lies inside another mount comes after it, in whatever order they are written.
  const depth = (mount: RunMount) => ("target" in mount && mount.target !== undefined ? mount.target : "");
  mounts.sort((a, b) => (depth(a) < depth(b) ? -1 : depth(a) > depth(b) ? 1 : 0));
  return { mounts, more };
}

async function planMount(mount: Mount, step: Run, view: StageView, inputOf: (node: Node) => number): Promise<RunMount> {
  const target = (text: string) => targetOf(text, mount.word, view);
  switch (mount.type) {
    case "bind": {
      const { node, source } = await filesOf(mount, step, view);
      const writable = mount.readonly ? {} : { writable: true as const };
      return { kind: "bind", input: inputOf(node), source, target: target(mount.target), ...writable };
    }
    case "cache": {
      const { word: _, type: __, from, source: path, readonly, id, ...rest } = mount;
      const files = from === undefined ? undefined : await filesOf(mount, step, view);
      const namespace = view.world.global.buildArg("BUILDKIT_CACHE_MOUNT_NS");
      return {
        kind: "cache",
        ...rest,
        id: namespace ? `${namespace}/${id}` : id,
        target: target(mount.target),
        ...(readonly ? { readonly: true } : {}),
        ...(files === undefined ? {} : { input: inputOf(files.node), source: files.source }),
      };
    }
    case "tmpfs": {
      const { word: _, type: __, ...rest } = mount;
      return { kind: "tmpfs", ...rest, target: target(mount.target) };
    }
    case "secret": {
      const { word: _, type: __, target: path, ...rest } = mount;
      return { kind: "secret", ...rest, ...(path === undefined ? {} : { target: target(path) }) };
    }
    case "ssh": {
      if (view.platform.os === "windows")
        throw problem(
          mount.word,
          view,
          "of type ssh is not possible on Windows: its programs have no sockets of that kind",
        );
      const { word: _, type: __, ...rest } = mount;
      return { kind: "ssh", ...rest, target: target(mount.target) };
    }
  }
}

/** Absolute and clean; of Windows counted from C:. Relative ones continue the working folder. */
function targetOf(text: string, word: Word, view: StageView): string {
  const { WorkingDir: folder } = view.config;
  const path =
    view.platform.os === "windows"
      ? windowsTarget(folder, { text: text || ".", span: word.span }, view.world.source)
      : posix.resolve("/", folder ?? "", text);
  const clean = path.length > 1 ? path.replace(/\/$/, "") : path;
  if (clean === "/" || /\0/.test(clean)) throw problem(word, view, `cannot have the target ${quoted(text)}`);
  return clean;
}

/** The node with the files of a mount, and where in it they lie. */
async function filesOf(mount: BindMount | CacheMount, step: Run, view: StageView) {
  // `..` stops at the root, as in COPY; backslashes separate where the files are those of Windows.
  const clean = (path: string) => posix.resolve("/", path).slice(1);
  if (mount.from !== undefined) {
    const { node, os } = await fromNode(view, mount.from, "RUN --mount from");
    const path = os === "windows" ? mount.source.replace(/^[A-Za-z]:/, "").replaceAll("\\", "/") : mount.source;
    return { node, source: clean(path) };
  }
  const path = view.platform.os === "windows" ? mount.source.replaceAll("\\", "/") : mount.source;
  return { node: await contextNode(clean(path), step, view), source: contextPlace };
}

/**
 * A copy of a part of the context on nothing: it honours the ignore file, is found again by its content, and cannot change
 * while the step runs.
 */
async function contextNode(path: string, step: Run, view: StageView): Promise<Node> {
  const { buildPlatform } = view.world.options;
  const { node: empty } = await view.world.sourceOf("scratch", buildPlatform);
  const op: CopyOp = {
    kind: "copy",
    from: "context",
    // A name, not a pattern.
    sources: [path === "" ? "." : path.replace(/[*?[\]\\]/g, "\\$&")],
    target: `/${contextPlace}`,
  };
  const title = path === "" ? "the context, for a mount" : `${path} of the context, for a mount`;
  return { id: nodeId(op, [empty]), op, inputs: [empty], span: step.span, title: `[context] ${title}` };
}

function problem(word: Word, view: StageView, text: string): Error {
  return dockerfileError(
    "DF_MOUNT",
    `RUN --mount ${text}`,
    { span: word.span, source: view.world.source },
    { facts: { mount: word.text } },
  );
}
