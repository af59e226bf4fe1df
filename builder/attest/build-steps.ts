/** The nodes of a build graph as provenance shows them: the shape of BuildKit's `llbDefinition`, step by step. */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { SourceText } from "../diagnose/source.ts";
import { withoutUrlSecrets } from "../diagnose/url-secrets.ts";
import type { CopyOp, Node, Op, RunMount, RunOp } from "../graph/graph.ts";

export interface BuildStep {
  readonly id: string;
  readonly op: object;
  /** `step3:0`: the first output of that step. */
  readonly inputs?: readonly string[];
}

export interface StepMap {
  readonly steps: readonly BuildStep[];
  /** Node id → step id. */
  readonly digestMapping: Readonly<Record<string, string>>;
  /** Step id → lines of the Dockerfile. */
  readonly locations: Readonly<Record<string, object>>;
  /** Step's output → the layers that its files are made of, bottom first; of very long builds the last one alone. */
  readonly layers: Readonly<Record<string, readonly (readonly Descriptor[])[]>>;
}

/** Of all steps together. Each step has the layers of those before it: of thousands in a row that would be millions. */
const mostLayers = 50_000;

/** `nodes` have inputs before users; `layersOf` gives the layers of a node's result. */
export function stepsOf(nodes: readonly Node[], layersOf: ReadonlyMap<string, readonly Descriptor[]>): StepMap {
  const ids = new Map(nodes.map((node, i) => [node.id, `step${i}`]));
  const steps: BuildStep[] = [];
  const locations: Record<string, object> = {};
  const layers: Record<string, readonly (readonly Descriptor[])[]> = {};
  const isWhole = [...layersOf.values()].reduce((sum, own) => sum + own.length, 0) <= mostLayers;
  for (const node of nodes) {
    const id = ids.get(node.id) ?? "";
    const inputs = node.inputs.map((input) => `${ids.get(input.id) ?? "?"}:0`);
    steps.push({ id, op: opOf(node), ...(inputs.length > 0 ? { inputs } : {}) });
    if (node.span) {
      const { start, end } = node.span;
      // The end of a span is one past its last character.
      const last = end.column === 1 && end.line > start.line ? end.line - 1 : end.line;
      locations[id] = { locations: [{ ranges: [{ start: { line: start.line }, end: { line: last } }] }] };
    }
    const own = layersOf.get(node.id);
    if (own && own.length > 0) layers[`${id}:0`] = [isWhole ? own : own.slice(-1)];
  }
  return { steps, digestMapping: Object.fromEntries(ids), locations, layers };
}

/** The Dockerfile, as the step map's lines count it. The leak: a login or a signed URL in it ends in a published document. */
export function sourceInfo({ name, text }: SourceText): object {
  const data = Buffer.from(withoutUrlSecrets(text), "utf8").toString("base64");
  return { filename: name, language: "Dockerfile", data };
}

function opOf({ op, title }: Node): object {
  const constraints = { description: { "llb.customname": title } };
  switch (op.kind) {
    case "source":
      return {
        Op: { source: { identifier: op.reference === undefined ? "scratch" : `docker-image://${op.reference}` } },
        platform: { OS: op.platform.os, Architecture: op.platform.architecture, ...variant(op.platform.variant) },
        constraints,
      };
    case "run":
      return { Op: { exec: execOf(op) }, constraints };
    case "copy":
    case "add":
      return { Op: { file: { actions: [{ Action: { copy: copyOf(op) }, ...inputsOf(op) }] } }, constraints };
    case "mkdir":
      return {
        Op: { file: { actions: [{ Action: { mkdir: { path: op.path, mode: 0o755, makeParents: true } }, input: 0 }] } },
        constraints,
      };
    case "merge":
      return { Op: { merge: { inputs: [{ input: 0 }, { input: 1 }] } }, constraints };
    default:
      return { Op: { [(op as Op).kind]: {} }, constraints };
  }
}

function variant(text: string | undefined): object {
  return text === undefined ? {} : { Variant: text };
}

/** Without proxies, which often hold a password; of secrets their names alone. */
function execOf(op: RunOp): object {
  const { argv, commandLine, env, cwd, user, network, security, mounts = [] } = op;
  return {
    meta: {
      args: (commandLine === undefined ? argv : [commandLine]).map(withoutUrlSecrets),
      env: env.map(withoutUrlSecrets),
      cwd,
      ...(user === "" ? {} : { user }),
    },
    ...(network === "default" ? {} : { network: network.toUpperCase() }),
    ...(security === "default" ? {} : { security: security.toUpperCase() }),
    mounts: [{ input: 0, dest: "/", output: 0 }, ...mounts.map(mountOf)],
  };
}

function mountOf(mount: RunMount): object {
  switch (mount.kind) {
    case "bind":
      return {
        input: mount.input,
        selector: mount.source,
        dest: mount.target,
        ...(mount.writable ? {} : { readonly: true }),
      };
    case "cache":
      return {
        mountType: "CACHE",
        dest: mount.target,
        cacheOpt: { ID: mount.id, sharing: mount.sharing.toUpperCase() },
      };
    case "tmpfs":
      return { mountType: "TMPFS", dest: mount.target };
    case "secret":
      return { mountType: "SECRET", dest: mount.target ?? "", secretOpt: { ID: mount.id, optional: !mount.required } };
    default:
      return { mountType: "SSH", dest: mount.target, SSHOpt: { ID: mount.id, optional: !mount.required } };
  }
}

function inputsOf(op: CopyOp): object {
  return {
    input: 0,
    secondaryInput: op.from === "node" ? 1 : -1,
    ...(op.from === "context" ? { local: "context" } : {}),
  };
}

function copyOf({ sources, target, chown, exclude, documents }: CopyOp): object {
  return {
    src: sources.map(withoutUrlSecrets),
    dest: target,
    ...(chown === undefined ? {} : { owner: chown }),
    ...(exclude === undefined ? {} : { excludePatterns: exclude }),
    ...(documents === undefined ? {} : { documents: documents.map(({ name }) => name) }),
  };
}
