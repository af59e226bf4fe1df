/**
 * BuildGraph: what must be done for one image, as immutable nodes. A node knows its inputs and, by its id,
 * everything of its own that decides the result; it does not know how it is carried out (steps/) nor when (solve/).
 */
import type { Layer, Platform } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { ContainerConfig, History } from "../../registry/oci/image.ts";
import type { Span } from "../diagnose/source.ts";
import type { NetworkMode } from "../runtime/runtime.ts";
import type { FileMode } from "./file-mode.ts";

/** The layers of a base image. Its blobs may still lie in a registry: they are fetched when somebody needs them. */
export interface SourceOp {
  readonly kind: "source";
  /** Full reference as the base was found; undefined for `scratch`. */
  readonly reference?: string;
  readonly layers: readonly Layer[];
  readonly platform: Platform;
}

/** Absent means Linux: what was known of a Linux step before there were others is still known. */
interface OnSystem {
  readonly os?: "windows";
}

/** Targets are absolute in the container; on Windows counted from C:. What is mounted is in no layer. */
export type RunMount =
  /** Files of another node: `source` is clean and relative to its root ("" is all of it), `input` its place in `inputs`. */
  | {
      readonly kind: "bind";
      readonly input: number;
      readonly source: string;
      readonly target: string;
      /** Changes can be made, and are forgotten. */
      readonly writable?: true;
    }
  /** A folder that later builds find again, by its id. With `input` it begins with those files. */
  | {
      readonly kind: "cache";
      readonly id: string;
      readonly target: string;
      readonly sharing: "shared" | "private" | "locked";
      readonly readonly?: true;
      readonly mode?: number;
      readonly uid?: number;
      readonly gid?: number;
      readonly input?: number;
      readonly source?: string;
    }
  | { readonly kind: "tmpfs"; readonly target: string; readonly sizeBytes?: number }
  /** Its value is part of no key, no layer and no log. */
  | {
      readonly kind: "secret";
      readonly id: string;
      readonly target?: string;
      readonly env?: string;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly kind: "ssh";
      readonly id: string;
      readonly target: string;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

/** A file that a step finds and no layer holds: a here-document's script. Its target is spelled like a mount's. */
export interface RunFile {
  readonly target: string;
  readonly text: string;
  readonly mode: number;
}

/** Input 0: the file system the process runs on. Further inputs: what mounts take their files from. */
export interface RunOp extends OnSystem {
  readonly kind: "run";
  readonly argv: readonly string[];
  /** Windows, shell form: the whole command line as dockerd would hand it over; argv then only says what runs. */
  readonly commandLine?: string;
  /** Windows: what the base says it is, such as 10.0.20348.2700. */
  readonly osVersion?: string;
  /** `arm64`, `arm/v7`: programs may ask for it, and on scratch nothing else tells it. Absent: amd64. */
  readonly architecture?: string;
  /** `NAME=value`, in order; ENV and declared ARGs. */
  readonly env: readonly string[];
  /** Proxy variables: given to the process, but no part of the id (they differ from host to host and must not leak). */
  readonly proxyEnv: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly network: NetworkMode;
  readonly extraHosts: readonly (readonly [name: string, address: string])[];
  readonly security: "default" | "insecure";
  /** Absent: the one that every step has. */
  readonly hostname?: string;
  readonly mounts?: readonly RunMount[];
  readonly files?: readonly RunFile[];
  /** Device requests of `--device`, by name or class, as CDI writes them. */
  readonly devices?: readonly { readonly name: string; readonly required: boolean }[];
}

/** Input 0: the file system copied onto. Input 1, if `from` is "node": the file system copied from. */
export interface CopyOp extends OnSystem {
  readonly kind: "copy" | "add";
  readonly from: "context" | "node";
  /** Which context, by its label (context/remote-sources.ts); absent: the build's own. */
  readonly context?: string;
  readonly sources: readonly string[];
  /** ADD: what comes from elsewhere besides, each `source` of the context with that label. */
  readonly fetched?: readonly { readonly context: string; readonly source: string }[];
  /** The system of the files copied from, where it is not Linux: they are looked up by its rules. */
  readonly fromOs?: "windows";
  /** Absolute, with slashes; a trailing one means folder. On Windows counted from C:. */
  readonly target: string;
  readonly chown?: string;
  /** Permission bits for files and folders, or what changes them. */
  readonly chmod?: FileMode;
  /** Sources keep the folders above them; those before a `/./` are left out. */
  readonly parents?: true;
  /** Patterns, relative to each source. */
  readonly exclude?: readonly string[];
  /** ADD: false leaves archives as they are, true unpacks also what came from elsewhere. */
  readonly unpack?: boolean;
  /** Files that the Dockerfile brings itself: name → text. Beside `sources`, which may then be empty. */
  readonly documents?: readonly { readonly name: string; readonly text: string }[];
}

/**
 * The files of input 0 with the layers of input 1 on top, which stand on nothing: COPY --link. What they hold was made
 * without a look at input 0, so it is found again, and need not be made again, whatever input 0 becomes.
 */
export interface MergeOp extends OnSystem {
  readonly kind: "merge";
}

/** Input 0: the file system. WORKDIR: makes the folder where it is missing. */
export interface MkdirOp extends OnSystem {
  readonly kind: "mkdir";
  /** Absolute, with slashes; on Windows counted from C:. */
  readonly path: string;
  /** The stage's USER: what is made belongs to it. */
  readonly user?: string;
}

export type Op = SourceOp | RunOp | CopyOp | MergeOp | MkdirOp;

export interface Node {
  /** Digest over op and inputs' ids. Span and title are no part of it. */
  readonly id: Digest;
  readonly op: Op;
  readonly inputs: readonly Node[];
  readonly span?: Span;
  /** Name and index of the stage it belongs to; no part of the id either. */
  readonly stage?: readonly string[];
  /** As people read it: `[build 2/5] RUN make`. */
  readonly title: string;
}

/** One line of the image's history: made by a node's layer, or (without node) by a change of the config alone. */
export interface PlannedHistory {
  readonly createdBy: string;
  readonly comment: string;
  readonly author?: string;
  readonly node?: Node;
}

/** One image to be made. */
export interface Target {
  readonly platform: Platform;
  /** The last node of the stage. */
  readonly node: Node;
  readonly config: ContainerConfig;
  readonly author?: string;
  /** The base image's own, before ours. */
  readonly baseHistory: readonly History[];
  readonly baseCreated?: string;
  readonly history: readonly PlannedHistory[];
  readonly stage: string;
}

export interface BuildGraph {
  readonly target: Target;
  /** Every node the target needs, inputs before users. */
  readonly nodes: readonly Node[];
}
