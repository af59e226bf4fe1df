/**
 * Proves the layers of a Windows image against the rules of those who import them: one streaming pass over each, the lowest
 * first, with the paths of all below at hand. Configuration and manifest are builder/image/inspect/verify.ts's half.
 */
import { createHash } from "node:crypto";
import { isWbuildError } from "../../native/error.ts";
import { decompressStream } from "../layer/compress.ts";
import { usualTarLimits } from "../layer/read.ts";
import type { TarLimits } from "../layer/tar-guard.ts";
import type { Digest } from "../store/digest.ts";
import { deltaNames } from "./deltas.ts";
import type { Findings } from "./verify/findings.ts";
import { checkLayerHive } from "./verify/hive-check.ts";
import { LayerCheck } from "./verify/layer-check.ts";
import { PathTree } from "./verify/path-tree.ts";
import { tarEntries } from "./verify/tar-entries.ts";

export interface LayerToVerify {
  /** The blob's bytes in whatever compression; undefined when they are not at hand. */
  readonly open: (() => AsyncIterable<Uint8Array>) | undefined;
  /** What the configuration calls the uncompressed tar. */
  readonly diffId: Digest;
  /** A foreign layer (its descriptor has `urls`) may be absent. */
  readonly isForeign?: boolean;
}

export interface VerifyLimits {
  readonly tar?: TarLimits;
  /** Bytes of memory for the paths of all layers together; default 768 MiB, some three million paths. */
  readonly pathBytes?: number;
  /** Bytes of the largest hive that is looked into; default 1 GiB. */
  readonly hiveBytes?: number;
}

/**
 * Adds what is wrong to `findings`. Throws only for what is not in the bytes: the store's errors, an abort of the stream.
 */
export async function verifyWindowsLayers(
  layers: readonly LayerToVerify[],
  findings: Findings,
  limits: VerifyLimits = {},
): Promise<void> {
  const tree = new PathTree(limits.pathBytes ?? 768 * 2 ** 20);
  let isComplete = true;
  let below: ReadonlySet<string> | undefined;
  for (const [index, layer] of layers.entries()) {
    const number = index + 1;
    const check = new LayerCheck({ number, tree, findings, isComplete });
    const isRead = await verifyLayer(layer, number, check, findings, limits);
    if (!check.hasRoom) {
      findings.add("too-many-entries", "its paths and those below need more memory than this check may take", {
        layer: number,
      });
      return;
    }
    if (isRead) check.end(below);
    else isComplete = false;
    // Of a layer that could not be read nothing is held against those above.
    below = index === 0 && isRead ? undefined : isRead ? check.summary.deltas() : new Set<string>(deltaNames);
  }
}

/** The digest of the uncompressed tar is the one that the configuration says. For layers of any system. */
export async function verifyDiffId(layer: LayerToVerify, number: number, findings: Findings): Promise<boolean> {
  return pass(layer, number, findings, async (bytes) => {
    for await (const _ of bytes);
  });
}

async function verifyLayer(
  layer: LayerToVerify,
  number: number,
  check: LayerCheck,
  findings: Findings,
  limits: VerifyLimits,
): Promise<boolean> {
  const { tar = usualTarLimits, hiveBytes = 2 ** 30 } = limits;
  return pass(layer, number, findings, async (bytes) => {
    const entries = tarEntries(bytes, {
      limits: tar,
      keep: (entry) => entry.size <= hiveBytes && check.roleOf(entry) !== undefined,
    });
    for await (const { entry, content } of entries) {
      // The rest still has to pass for the digest.
      if (!check.hasRoom) continue;
      check.entry(entry);
      const role = check.roleOf(entry);
      if (role === undefined) continue;
      const tell = (rule: Parameters<Findings["add"]>[0], what: string) =>
        findings.add(rule, what, { layer: number, path: entry.name });
      if (content === undefined) tell("hive-size", `it has ${entry.size} bytes`);
      else checkLayerHive(content, role, tell);
    }
  });
}

/** One pass over the uncompressed bytes, whose digest is compared. True when all of them could be read. */
async function pass(
  { open, diffId, isForeign = false }: LayerToVerify,
  number: number,
  findings: Findings,
  read: (bytes: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<boolean> {
  if (open === undefined) {
    findings.add(isForeign ? "layer-foreign" : "layer-missing", "its bytes are not in the store", { layer: number });
    return false;
  }
  const hash = createHash("sha256");
  const hashed = async function* () {
    for await (const part of decompressStream(open(), { maxBytes: usualTarLimits.maxBytes })) {
      hash.update(part);
      yield part;
    }
  };
  try {
    await read(hashed());
  } catch (error) {
    if (!isWbuildError(error) || !error.code.startsWith("LAYER_")) throw error;
    findings.add("tar-unreadable", error.message, { layer: number });
    return false;
  }
  const found: Digest = `sha256:${hash.digest("hex")}`;
  if (found !== diffId) findings.add("diff-id", `its tar has the digest ${found}, not ${diffId}`, { layer: number });
  return true;
}
