/** What a rule of the verifier is. */

/** error: an importer refuses the image, or makes something else of it than was meant. warning: it works, but not everywhere or not well. */
export type Severity = "error" | "warning";

/**
 * hcs: the import into folders that dockerd and containerd's `windows` snapshotter use. cimfs: containerd's `cimfs` and
 * `blockcim`. containerd, dockerd: their handling of manifests and configurations. ntfs: the file system below.
 */
export type Importer = "hcs" | "cimfs" | "containerd" | "dockerd" | "ntfs";

export interface Rule {
  readonly severity: Severity;
  readonly importers: readonly Importer[];
  /** What must hold. */
  readonly rule: string;
  /** What happens where it does not. */
  readonly why: string;
  /** What whoever makes the image should do. */
  readonly remedy: string;
}

export const all: readonly Importer[] = ["hcs", "cimfs"];

export function error(importers: readonly Importer[], rule: string, why: string, remedy: string): Rule {
  return { severity: "error", importers, rule, why, remedy };
}

export function warning(importers: readonly Importer[], rule: string, why: string, remedy: string): Rule {
  return { severity: "warning", importers, rule, why, remedy };
}
