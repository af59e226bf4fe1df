/** ADD: COPY that unpacks local tar archives, plain or compressed, told by their bytes and not by their names. */
import { open } from "node:fs/promises";
import { decompressStream } from "../../layerfs/layer/compress.ts";
import type { Content, Entry } from "../../layerfs/layer/entry.ts";
import { decodeIndex } from "../../layerfs/layer/layer-index.ts";
import { readTar } from "../../layerfs/layer/read.ts";
import { unpackLayer } from "../../layerfs/layer/unpack.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { WbuildError } from "../../native/error.ts";
import type { Selected } from "../context/select.ts";
import { isTarHeader } from "../context/unpacked-tar.ts";
import type { CopyOp } from "../graph/graph.ts";
import { commitPlacement, copyStep, fetchedOps, noteSources, placementOn, selectAll, sourceTree } from "./copy.ts";
import type { Placement } from "./place.ts";
import { placeAll, placeDocuments } from "./place-all.ts";
import type { LayerStack } from "./stack.ts";
import type { Step, World } from "./step.ts";

export const addStep: Step<CopyOp> = {
  contentKey: (op, inputs, world) =>
    (copyStep.contentKey as NonNullable<typeof copyStep.contentKey>)(op, inputs, world),

  async perform(node, inputs, world) {
    const { op } = node;
    const fetched = fetchedOps(op);
    // Nothing to look into: what is left is a COPY.
    const looks = op.unpack !== false && op.sources.length > 0;
    if (!looks && fetched.length === 0) return copyStep.perform(node, inputs, world);
    const below = inputs[0] as LayerStack;
    const { placement } = await placementOn(below, op);
    // What comes from elsewhere stays as it is unless --unpack says otherwise.
    for (const one of [...(op.sources.length > 0 ? [op] : []), ...fetched]) {
      const unpacks = one === op ? looks : op.unpack === true;
      const source = await sourceTree(one, inputs, world);
      await noteSources(one, world);
      const plain: Selected[] = [];
      for (const selected of await selectAll(one, source, world)) {
        const { root } = selected;
        if (unpacks && (await isArchive(source, root))) await unpackInto(one, source, root, placement, world);
        else plain.push(selected);
      }
      if (plain.length > 0) await placeAll(one, source, plain, placement);
    }
    await placeDocuments(op, placement);
    return commitPlacement(node, placement, below, world);
  },
};

/** A tar header starts with a name and has its magic at 257; the compressed forms are known by their first bytes. */
async function isArchive(tree: Tree, entry: Entry): Promise<boolean> {
  if (entry.type !== "file" || entry.size < 4) return false;
  const head = await firstBytes(tree, entry, 512);
  if (isTarHeader(head)) return true;
  if (!compressedMagic.some((magic) => magic.every((byte, i) => head[i] === byte))) return false;
  // A compressed file is an archive only when a tar is inside: `ADD data.gz` copies data.gz.
  try {
    return isTarHeader(await takeBytes(decompressStream(tree.read(entry)), 512));
  } catch {
    return false;
  }
}

const compressedMagic = [
  [0x1f, 0x8b],
  [0x28, 0xb5, 0x2f, 0xfd],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a],
  [0x42, 0x5a, 0x68],
];

async function firstBytes(tree: Tree, entry: Entry, count: number): Promise<Uint8Array> {
  const content: Content | undefined = entry.content;
  if (content?.kind !== "file") return takeBytes(tree.read(entry), count);
  await using file = await open(content.path, "r");
  const buffer = Buffer.alloc(count);
  const { bytesRead } = await file.read(buffer, 0, count, 0);
  return buffer.subarray(0, bytesRead);
}

async function takeBytes(bytes: AsyncIterable<Uint8Array>, count: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of bytes) {
    parts.push(part);
    size += part.length;
    if (size >= count) break;
  }
  return Buffer.concat(parts).subarray(0, count);
}

/** Unpacks into a scratch folder first: there every attack of a hostile tar is refused, and what is left is a tree. */
async function unpackInto(op: CopyOp, tree: Tree, archive: Entry, placement: Placement, world: World): Promise<void> {
  const place = await world.store.snapshots.reserve();
  world.keep(place);
  let index: Uint8Array;
  try {
    const bytes = decompressStream(tree.read(archive));
    index = (await unpackLayer({ bytes }, place.folder, { form: "plain", absoluteNames: "strip" })).index;
  } catch (cause) {
    throw new WbuildError("STEP_ARCHIVE", `cannot unpack ${archive.path}`, {
      cause,
      facts: { path: archive.path },
      hint: "look at it with `tar -tvf` and make it anew, or COPY it and unpack it in a RUN",
    });
  }
  const base = await placement.locate(op.target);
  await placement.folder(base, { keepsModes: true });
  const entries = [...entriesOf(index, archive)];
  const told = entries.some(maybeImplied) ? await namesIn(tree, archive) : undefined;
  for (const entry of entries) {
    if (entry.path === "") continue;
    const name = base === "" ? entry.path : `${base}/${entry.path}`;
    if (told && entry.type === "directory" && !told.has(entry.path)) {
      // Only the way to something: what the target has there stays, be it a link to a folder.
      await placement.folder(await placement.locate(name), { keepsModes: true });
      continue;
    }
    const path = await placement.locate(name, { lastToo: false });
    const content: Content = { kind: "file", path: `${place.folder}/${entry.path}` };
    const target =
      entry.type === "hardlink" ? await placement.locate(`${base}/${entry.target}`, { lastToo: false }) : entry.target;
    await placement.put(
      path,
      {
        ...entry,
        ...(entry.type === "file" ? { content } : {}),
        ...(target === undefined ? {} : { target }),
      },
      { replace: true },
    );
  }
}

/** Throws LAYER_WHITEOUT_NAME: in an image the name would delete what lies below, and that is no file to unpack. */
function* entriesOf(index: Uint8Array, archive: Entry): Generator<Entry> {
  for (const change of decodeIndex(index)) {
    if (change.kind === "set") {
      yield change.entry;
      continue;
    }
    throw new WbuildError(
      "LAYER_WHITEOUT_NAME",
      `${archive.path} holds a name that starts with .wh.: that means a deletion in a layer`,
      {
        facts: { path: archive.path, deletes: change.path },
      },
    );
  }
}

/** Folders that a tar leaves out are unpacked like this; it may also say so itself. */
function maybeImplied({ type, mode, uid, gid, mtimeNs, pax }: Entry): boolean {
  return type === "directory" && mode === 0o755 && uid === 0 && gid === 0 && mtimeNs === 0n && (pax?.size ?? 0) === 0;
}

/** The names that an archive really has. */
async function namesIn(tree: Tree, archive: Entry): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const { path } of readTar(decompressStream(tree.read(archive)))) names.add(path);
  return names;
}
