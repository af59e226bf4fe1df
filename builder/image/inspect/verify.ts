/**
 * `inspect --verify`: an image against the rules of those who import it. Configuration, manifest and digests here; the
 * entries of Windows layers in layerfs/windows/verify.ts. docs/formats/windows-verify.md lists the rules.
 */
import { detectCompression } from "../../../layerfs/layer/compress.ts";
import { compressionOf } from "../../../layerfs/layer/compression.ts";
import { showPath } from "../../../layerfs/layer/raw-path.ts";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { Findings } from "../../../layerfs/windows/verify/findings.ts";
import { type Importer, type RuleId, rules, type Severity } from "../../../layerfs/windows/verify/rules.ts";
import { type LayerToVerify, verifyDiffId, verifyWindowsLayers } from "../../../layerfs/windows/verify.ts";
import { type ImageConfig, isForeign, isForeignType, mediaTypes } from "../../../registry/oci/image.ts";
import { formatPlatform } from "../platform.ts";
import type { LocalImage } from "../stored/local.ts";
import { readBytes } from "../stored/read-bytes.ts";

export interface VerifyReport {
  readonly image: string;
  /** Digest of the configuration. */
  readonly id: Digest;
  readonly platform: string;
  readonly layers: number;
  /** Only images for Windows have rules for what is in their layers. */
  readonly isWindows: boolean;
  readonly errors: number;
  readonly warnings: number;
  readonly findings: readonly VerifyFinding[];
  /** Findings that are counted above and not listed: the same again. */
  readonly omitted: readonly { readonly rule: RuleId; readonly layer?: number; readonly count: number }[];
}

export interface VerifyFinding {
  readonly severity: Severity;
  readonly rule: RuleId;
  /** 1 is the lowest. */
  readonly layer?: number;
  readonly path?: string;
  readonly what: string;
  readonly importers: readonly Importer[];
  readonly why: string;
  readonly remedy: string;
}

/** Reads every layer once. What is wrong with the image is in the report; throws STORE_* and the signal's reason. */
export async function verifyImage(store: Store, image: LocalImage, signal: AbortSignal): Promise<VerifyReport> {
  const { config, manifest, ref, id, name } = image;
  const findings = new Findings();
  const isWindows = config.os === "windows" || ref.descriptor.platform?.os === "windows";
  checkCounts(config, manifest.layers.length, findings);
  if (isWindows) checkConfig(config, findings);
  checkPlatform(config, ref.descriptor.platform, findings);
  const layers: LayerToVerify[] = [];
  for (const [index, blob] of manifest.layers.entries()) {
    await checkBlob(store, blob, index + 1, isWindows, findings);
    const diffId = config.rootfs.diff_ids[index];
    if (diffId !== undefined) layers.push(await layerOf(store, blob, diffId, signal));
  }
  if (isWindows) await verifyWindowsLayers(layers, findings);
  else for (const [index, layer] of layers.entries()) await verifyDiffId(layer, index + 1, findings);
  return {
    image: name ?? id,
    id,
    platform: formatPlatform(config),
    layers: manifest.layers.length,
    isWindows,
    errors: findings.count("error"),
    warnings: findings.count("warning"),
    findings: findings.list().map(({ path, rule, ...finding }) => {
      const { importers, why, remedy } = rules[rule];
      return { ...finding, rule, ...(path === undefined ? {} : { path: showPath(path) }), importers, why, remedy };
    }),
    omitted: findings.omitted(),
  };
}

async function layerOf(store: Store, blob: Descriptor, diffId: Digest, signal: AbortSignal): Promise<LayerToVerify> {
  const isHere = (await store.blobs.has(blob.digest)) === blob.size;
  const open = async function* () {
    for await (const part of store.blobs.open(blob)) {
      signal.throwIfAborted();
      yield part;
    }
  };
  return { open: isHere ? open : undefined, diffId, isForeign: isForeign(blob) };
}

function checkCounts({ rootfs, history }: ImageConfig, layers: number, findings: Findings): void {
  const { length } = rootfs.diff_ids;
  if (length !== layers) findings.add("layer-count", `the manifest has ${layers} layers, the configuration ${length}`);
  if (history === undefined || history.length === 0) return;
  const told = history.filter((line) => line.empty_layer !== true).length;
  const what = `${told} lines for ${length} layers`;
  if (told > length) findings.add("history-count", what);
  if (told < length) findings.add("history-short", what);
}

function checkConfig(config: ImageConfig, findings: Findings): void {
  if (config.os !== "windows") findings.add("config-os", `it says ${JSON.stringify(config.os.slice(0, 60))}`);
  const version = config["os.version"];
  if (version === undefined || version === "") findings.add("config-os-version", "it has none");
  else if (!/^\d{1,10}(?:\.\d{1,10}){3}$/.test(version))
    findings.add("config-os-version-form", `it is ${JSON.stringify(version.slice(0, 60))}`);
  if (config.architecture !== "amd64" && config.architecture !== "arm64")
    findings.add("config-architecture", `it is ${JSON.stringify(config.architecture.slice(0, 60))}`);
  for (const feature of config["os.features"] ?? [])
    if (feature !== "win32k") findings.add("config-os-features", `it has ${JSON.stringify(feature.slice(0, 60))}`);
  const { ArgsEscaped, Entrypoint, Cmd } = config.config ?? {};
  if (ArgsEscaped !== true) return;
  const command = (Entrypoint?.length ?? 0) > 0 ? Entrypoint : Cmd;
  if ((command?.length ?? 0) === 0) findings.add("args-escaped-alone", "there is neither an entrypoint nor a command");
  if (command?.slice(1).some((word) => word.includes('"')))
    findings.add("args-escaped", `the command has ${command.length} strings, with quotes in one behind the first`);
}

/** `platform` is what the index said, where the image was chosen from one, or what a build would say there. */
function checkPlatform(config: ImageConfig, platform: Descriptor["platform"], findings: Findings): void {
  if (platform === undefined) return;
  const show = (value: unknown) => (value === undefined ? "nothing" : JSON.stringify(value).slice(0, 100));
  const compare = (rule: RuleId, key: "os" | "architecture" | "os.version" | "os.features") => {
    const [told, real] = [JSON.stringify(platform[key] ?? null), JSON.stringify(config[key] ?? null)];
    if (told !== real)
      findings.add(rule, `${key} is ${show(platform[key])} there and ${show(config[key])} in the configuration`);
  };
  compare("platform-os", "os");
  compare("platform-os", "architecture");
  compare("platform-os-version", "os.version");
  compare("platform-os-features", "os.features");
}

async function checkBlob(
  store: Store,
  blob: Descriptor,
  layer: number,
  isWindows: boolean,
  findings: Findings,
): Promise<void> {
  const { mediaType, urls = [] } = blob;
  if (isForeignType(mediaType) && urls.length === 0) findings.add("foreign-urls", "it has none", { layer });
  // A type that containerd knows and no specification has.
  const said = mediaType === mediaTypes.dockerLayerZstd ? "zstd" : compressionOf(mediaType);
  if (said === undefined) {
    findings.add("media-type", `it is ${JSON.stringify(mediaType.slice(0, 100))}`, { layer });
    return;
  }
  if (isWindows && said === "zstd") findings.add("media-zstd", "it is compressed with zstd", { layer });
  if ((await store.blobs.has(blob.digest)) !== blob.size) return;
  const head = await readBytes(store.blobs.open(blob, { from: 0, to: Math.min(6, blob.size) }));
  const real = detectCompression(head);
  if (real !== said) findings.add("compression-type", `it says ${said} and is ${real}`, { layer });
}
