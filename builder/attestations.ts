/** The door for what is said about images: a finished build → SBOM and provenance; an image of the store → its SBOM. */
import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import type { Platform } from "../layerfs/store/descriptor.ts";
import { hexOf } from "../layerfs/store/digest.ts";
import type { Store } from "../layerfs/store/store.ts";
import {
  type Attestation,
  type AttestationStyle,
  imageSubjects,
  statementOf,
  writeAttestations,
} from "./attest/attestation-manifest.ts";
import { stepsOf } from "./attest/build-steps.ts";
import { imageUrl } from "./attest/purl.ts";
import { spdxType } from "./attest/read-attestations.ts";
import { imageResource, type Resource } from "./attest/resource.ts";
import { type Scanned, scanTree } from "./attest/scan/scan.ts";
import { scanChoice } from "./attest/scan-arguments.ts";
import { type BuildRecord, provenance } from "./attest/slsa.ts";
import { type SpdxDocument, spdxDocument } from "./attest/spdx.ts";
import type { BuildRequest } from "./build-request.ts";
import { withoutUrlSecrets } from "./diagnose/url-secrets.ts";
import { registryLayers } from "./diff.ts";
import { isProxy } from "./dockerfile/scope.ts";
import type { BuildGraph, Node } from "./graph/graph.ts";
import { softwareOf } from "./image/inspect/registry-diff.ts";
import type { Attest, AttestFiles, FinishedImage } from "./image/output/write-result.ts";
import { formatPlatform, hostPlatform } from "./image/platform.ts";
import { baseDigest } from "./image/stored/base-image.ts";
import { type LocalImage, shortName } from "./image/stored/local.ts";
import { toldAsStep } from "./image/told-step.ts";
import { openImage } from "./open-image.ts";
import type { PlannedBuild } from "./plan-request.ts";
import type { Report } from "./progress/events.ts";
import type { Solved } from "./solve/solver.ts";
import type { LayerStack } from "./steps/stack.ts";
import { version } from "./version.ts";

/** A build whose steps are done. */
export interface AttestedBuild {
  readonly request: BuildRequest;
  readonly planned: PlannedBuild;
  /** In the order of the graphs. */
  readonly images: readonly FinishedImage[];
  readonly solved: ReadonlyMap<string, Solved>;
  readonly store: Store;
  readonly startedMs: number;
  readonly signal: AbortSignal;
  readonly report: Report;
}

const tool = `wbuild-${version}`;
const mostTold = 5;

/** What `deliver` calls for each image that it writes, and for each folder or tar of files. */
export function attestBuild(build: AttestedBuild): { attestations: Attest; attestFiles: AttestFiles } {
  const { request, images, store } = build;
  const { attest = {} } = request;
  const invocationId = randomBytes(16).toString("hex");
  const finishedMs = Date.now();
  const scans = new Map<FinishedImage, Promise<ScannedPart[]>>();
  const scansOf = (made: FinishedImage) => {
    const graph = graphOf(build, made);
    const title = `listing the packages of ${formatPlatform(plain(graph.target.platform))}`;
    const scan = async () => {
      const parts = await scanParts(build, graph);
      for (const text of lacks(parts)) build.report({ kind: "warning", text, at: Date.now() });
      return parts;
    };
    const known = scans.get(made) ?? toldAsStep(build.report, title, scan);
    scans.set(made, known);
    return known;
  };
  const said = async (made: FinishedImage, sha256: string | undefined, purls: readonly string[]) => {
    const found: Attestation[] = [];
    if (attest.sbom) found.push(...sbomsOf(await scansOf(made), made, sha256, purls[0]));
    if (attest.provenance) {
      const record = await recordOf(build, graphOf(build, made), { invocationId, finishedMs });
      found.push(provenance(record, attest.provenance));
    }
    return found;
  };
  return {
    attestations: async (written, made, style?: AttestationStyle) => {
      const platform = formatPlatform(plain(written.config));
      const purls = namesOf(request).flatMap((name) => imageUrl(name, platform) ?? []);
      const subjects = imageSubjects(written.descriptor.digest, purls);
      const found = await said(made, hexOf(written.descriptor.digest), purls);
      if (found.length === 0) return [];
      const statements = found.map((one) => statementOf(one, subjects));
      return [await writeAttestations(store.blobs, written.descriptor, statements, style)];
    },
    attestFiles: async (made, files) => {
      const found = await said(made, undefined, []);
      const shown = found.filter((one) => !(attest.provenance?.inlineOnly && one.predicateType !== spdxType));
      if (shown.length === 0) return [];
      const subjects = (await files()).map(({ path, digest }) => ({ name: path, digest: { sha256: hexOf(digest) } }));
      return shown.map((one) => ({
        name: one.filename,
        bytes: Buffer.from(`${JSON.stringify(statementOf(one, subjects), null, 2)}\n`, "utf8"),
      }));
    },
  };

  function graphOf({ planned }: AttestedBuild, made: FinishedImage): BuildGraph {
    return planned.graphs[images.indexOf(made)] as BuildGraph;
  }
}

/** How the build for each platform was made, for who asks for no image with it: platform → predicate. */
export async function provenances(build: AttestedBuild, mode: "min" | "max"): Promise<Map<string, object>> {
  const usual = { version: "v1", builderId: "", reproducible: false, inlineOnly: true, filename: "" } as const;
  const moment = { invocationId: randomBytes(16).toString("hex"), finishedMs: Date.now() };
  const found = new Map<string, object>();
  for (const graph of build.planned.graphs) {
    const { predicate } = provenance(await recordOf(build, graph, moment), {
      ...usual,
      ...build.request.attest?.provenance,
      mode,
    });
    found.set(formatPlatform(plain(graph.target.platform)), predicate);
  }
  return found;
}

/** The SBOM of an image of the store, made from its files. `warn` hears what it lacks. Throws what reading its layers throws. */
export async function sbomOf(
  store: Store,
  image: LocalImage,
  signal: AbortSignal,
  warn: (text: string) => void,
): Promise<SpdxDocument> {
  const { config, descriptor } = image;
  const scanned = await scanStack(openImage(store, image), config["os.version"], signal);
  for (const text of lacks([{ scanned }])) warn(text);
  const purl = image.name === undefined ? undefined : imageUrl(image.name, formatPlatform(plain(config)));
  return spdxDocument(scanned, {
    name: (image.name && shortName(image.name)) ?? descriptor.digest,
    sha256: hexOf(descriptor.digest),
    ...(purl === undefined ? {} : { purl }),
    purpose: "CONTAINER",
    created: config.created ?? "",
    tool,
  });
}

/** The documents name all that could not be looked at; who does not read them hears of the first. */
function lacks(parts: readonly Pick<ScannedPart, "scanned">[]): string[] {
  const notes = [...new Set(parts.flatMap(({ scanned }) => scanned.notes))];
  const rest = notes.length > mostTold ? [`${notes.length - mostTold} more, which the SBOM names`] : [];
  return [...notes.slice(0, mostTold), ...rest].map((note) => `the SBOM may lack something: ${note}`);
}

interface ScannedPart {
  readonly name: string | undefined;
  readonly filename: string;
  readonly purpose: "CONTAINER" | "SOURCE";
  readonly scanned: Scanned;
}

function sbomsOf(
  parts: readonly ScannedPart[],
  { image }: FinishedImage,
  sha256: string | undefined,
  purl: string | undefined,
): Attestation[] {
  return parts.map(({ name, filename, purpose, scanned }, at) => {
    const own =
      at === 0 ? { ...(sha256 === undefined ? {} : { sha256 }), ...(purl === undefined ? {} : { purl }) } : {};
    const subject = { name: name ?? "image", purpose, created: image.config.created ?? "", tool, ...own };
    return { predicateType: spdxType, predicate: spdxDocument(scanned, subject), filename };
  });
}

/** The image first, then what the Dockerfile asks for besides: stages, and the context. */
async function scanParts(build: AttestedBuild, graph: BuildGraph): Promise<ScannedPart[]> {
  const { request, planned, solved, signal } = build;
  const stackOf = (node: Node) => (solved.get(node.id) as Solved).stack;
  const lasts = lastNodes(graph);
  const { stages, context } = scanChoice(planned.dockerfile, request.buildArgs, new Set(lasts.keys()));
  const version = graph.target.platform["os.version"];
  const found: ScannedPart[] = [
    {
      name: namesOf(request)[0] ?? graph.target.stage,
      filename: "sbom.spdx.json",
      purpose: "CONTAINER",
      scanned: await scanStack(stackOf(graph.target.node), version, signal),
    },
  ];
  for (const index of stages) {
    const node = lasts.get(index);
    if (!node || node.id === graph.target.node.id) continue;
    const name = planned.dockerfile.stages[index]?.name ?? String(index);
    const scanned = await scanStack(stackOf(node), version, signal);
    found.push({
      name,
      filename: `sbom-${name.replace(/[^a-z0-9._-]/g, "-")}.spdx.json`,
      purpose: "CONTAINER",
      scanned,
    });
  }
  if (context && planned.context) {
    const scanned = await scanTree({ tree: planned.context.tree, os: "linux" }, signal);
    found.push({ name: "context", filename: "sbom-context.spdx.json", purpose: "SOURCE", scanned });
  }
  return found;
}

/** The last node of each stage of the file that has one. */
function lastNodes({ nodes }: BuildGraph): Map<number, Node> {
  const found = new Map<number, Node>();
  for (const node of nodes) {
    const index = node.stage?.at(-1);
    if (index !== undefined) found.set(Number(index), node);
  }
  return found;
}

async function scanStack(stack: LayerStack, osVersion: string | undefined, signal: AbortSignal): Promise<Scanned> {
  const software = async (warn: (text: string) => void) => (await softwareOf(await registryLayers(stack), warn)).root;
  return scanTree(
    { tree: await stack.tree(), os: stack.os, ...(osVersion === undefined ? {} : { osVersion }), software },
    signal,
  );
}

async function recordOf(
  build: AttestedBuild,
  graph: BuildGraph,
  { invocationId, finishedMs }: { invocationId: string; finishedMs: number },
): Promise<BuildRecord> {
  const { request, planned, solved, startedMs } = build;
  const { nodes } = graph;
  const layers = new Map(
    await Promise.all(
      nodes.map(async (node) => {
        const stack = solved.get(node.id)?.stack.layers ?? [];
        return [node.id, (await Promise.all(stack.map((layer) => layer.committed))).map(({ blob }) => blob)] as const;
      }),
    ),
  );
  const mounts = nodes.flatMap(({ op }) => (op.kind === "run" ? (op.mounts ?? []) : []));
  const named = (kind: "secret" | "ssh") => {
    const ids = new Map<string, boolean>();
    for (const mount of mounts)
      if (mount.kind === kind) ids.set(mount.id, (ids.get(mount.id) ?? true) && !mount.required);
    return [...ids].sort().map(([id, optional]) => ({ id, optional }));
  };
  return {
    args: argsOf(request),
    // Where it lies on this host is nobody's business.
    dockerfile: { name: basename(planned.source.name), text: planned.source.text },
    ...contextOf(request, planned, nodes),
    secrets: named("secret"),
    ssh: named("ssh"),
    materials: [...materialsOf(build, nodes), ...planned.remote.materials()],
    steps: stepsOf(nodes, layers),
    // What was fetched is known by its digest; what a step does on a network is not.
    hermetic: nodes.every(({ op }) => op.kind !== "run" || op.network === "none"),
    builderPlatform: formatPlatform(hostPlatform()),
    invocationId,
    startedMs,
    finishedMs,
  };
}

/** A context from elsewhere is known by commit or digest; of a folder of this host there is only the fact. */
function contextOf(request: BuildRequest, { main, context, remote }: PlannedBuild, nodes: readonly Node[]) {
  const labels = nodes.flatMap(({ op }) => (op.kind === "copy" || op.kind === "add" ? (op.context ?? []) : []));
  const folders = labels.flatMap((label) => /^folder (.+)$/s.exec(label)?.[1] ?? []);
  const locals = [...new Set(folders)].sort();
  // Nothing was fetched before the context.
  const [material] = main.isRemote && request.context !== "-" ? remote.materials() : [];
  if (material === undefined) locals.unshift(...(context === undefined ? [] : ["context"]), "dockerfile");
  else if (request.dockerfile === "-") locals.unshift("dockerfile");
  return { locals, ...(material === undefined ? {} : { context: material }) };
}

function materialsOf({ store }: AttestedBuild, nodes: readonly Node[]): Resource[] {
  return nodes.flatMap(({ op }) => {
    if (op.kind !== "source" || op.reference === undefined) return [];
    const digest = baseDigest(store, op.reference, op.platform) ?? baseDigest(store, op.reference, hostPlatform());
    const found = digest && imageResource(op.reference, digest, formatPlatform(plain(op.platform)));
    return found ? [found] : [];
  });
}

/** Without the version, which the digest says better. */
function plain({ os, architecture, variant }: Platform): Platform {
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** As BuildKit's front end is given them. Never a proxy: its address often holds a password. */
function argsOf(request: BuildRequest): Record<string, string> {
  const { target, buildArgs, labels, dockerfile, noCache, network } = request;
  const args: Record<string, string> = { ...(target === undefined ? {} : { target }) };
  if (dockerfile !== undefined) args.filename = basename(dockerfile);
  if (noCache !== false && noCache !== true && noCache.length > 0) args["no-cache"] = noCache.join(",");
  else if (noCache === true) args["no-cache"] = "";
  if (network !== "default") args["force-network-mode"] = network;
  for (const [name, value] of Object.entries(buildArgs))
    if (!isProxy(name)) args[`build-arg:${name}`] = withoutUrlSecrets(value);
  for (const [name, value] of Object.entries(labels)) args[`label:${name}`] = value;
  return args;
}

/** Every name that the image gets. */
function namesOf({ tags, outputs }: BuildRequest): string[] {
  return [...new Set([...tags, ...outputs.flatMap((output) => ("names" in output ? output.names : []))])];
}
