/** A conformance case: a Dockerfile, what it is built with, and what must come out. Plain data, for any builder. */
import type { BuildRequest } from "../../builder/build-request.ts";
import type { ContainerConfig } from "../../registry/oci/image.ts";

/** A file of a context: its text, or more of it. Without a type given a file of mode 644. */
export type FileSpec =
  | string
  | {
      readonly text?: string;
      readonly bytes?: Uint8Array;
      readonly mode?: number;
      readonly folder?: true;
      /** Of a symlink. */
      readonly to?: string;
      /** A further name of a file that stands before it. */
      readonly same?: string;
    };

export interface Expected {
  /**
   * Every path that differs from the base, in order: `755 0:0 dir app`, `644 0:0 file app/a = "text"`,
   * `777 0:0 link l -> a`, `644 0:0 hard b -> a`, and `- gone`.
   */
  readonly tree?: readonly string[];
  /** Fields of the image's config; undefined for one that must not be there. */
  readonly config?: { readonly [K in keyof ContainerConfig]?: ContainerConfig[K] | undefined };
  /** `created_by` of every line after the base's. */
  readonly history?: readonly string[];
  /** Something said by a warning. */
  readonly warning?: RegExp;
  /** The build fails with this code. */
  readonly error?: string;
}

export interface Case extends Expected {
  readonly name: string;
  readonly file: readonly string[];
  /** Absent: `standardContext`. */
  readonly context?: Readonly<Record<string, FileSpec>>;
  readonly request?: Partial<Omit<BuildRequest, "context" | "dockerfile" | "outputs">>;
  /** Needs a container, and so more time than the others. */
  readonly runs?: true;
}

/** All instructions of one kind, and what they are about. */
export interface CaseTable {
  readonly about: string;
  readonly cases: readonly Case[];
}

export const linux = "FROM wbuild.local/linux";
export const scratch = "FROM scratch";

/** What most cases copy from. */
export const standardContext: Readonly<Record<string, FileSpec>> = {
  "a.txt": "a\n",
  "b.txt": "b\n",
  "run.sh": { text: "#!/bin/sh\necho run\n", mode: 0o755 },
  "private.key": { text: "key\n", mode: 0o600 },
  "with space.txt": "space\n",
  "dir/one.txt": "1\n",
  "dir/two.md": "2\n",
  "dir/link": { to: "one.txt" },
  "dir/sub/three.txt": "3\n",
  "dir/sub/four.md": "4\n",
  "dir/sub/deep/five.txt": "5\n",
  toDir: { to: "dir" },
  "toA.txt": { to: "a.txt" },
  "closed/": { folder: true, mode: 0o700 },
  "closed/x": "x\n",
};
