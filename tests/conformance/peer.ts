/** Other builders that are given the same cases, and where what they make differs from ours. */
import { isDeepStrictEqual } from "node:util";
import type { ContainerConfig } from "../../registry/oci/image.ts";
import type { CaseBuilder, Outcome } from "./builder.ts";
import type { Case } from "./case.ts";

export interface Peer extends AsyncDisposable {
  readonly name: string;
  readonly version: string;
  build(one: Case, builder: CaseBuilder): Promise<Outcome>;
  /** Differences beside those of images. */
  compareAnswers?(): Promise<string[]>;
}

/** The last line that a peer's program printed before it failed; what is no failure of a program is thrown again. */
export function refusal(error: unknown): Outcome {
  const { stderr } = error as { stderr?: string };
  if (stderr === undefined) throw error;
  return { error: { code: "", message: stderr.trim().split("\n").at(-1) ?? "" }, warnings: [] };
}

const fields: readonly (keyof ContainerConfig)[] = [
  ...(["Env", "Cmd", "Entrypoint", "Labels", "ExposedPorts", "Volumes", "User", "WorkingDir"] as const),
  ...(["StopSignal", "Shell", "Healthcheck", "OnBuild"] as const),
];

/** Point by point, ours first; empty where nothing differs. */
export function differences(ours: Outcome, theirs: Outcome): string[] {
  const found: string[] = [];
  const differ = (what: string, a: unknown, b: unknown) => {
    if (!isDeepStrictEqual(a, b)) found.push(`${what}: ${JSON.stringify(a)} / ${JSON.stringify(b)}`);
  };
  if (ours.error || theirs.error) {
    if (ours.error && theirs.error) return [];
    const told = (one: Outcome) => (one.error ? `fails (${one.error.message})` : "succeeds");
    return [`${told(ours)} / ${told(theirs)}`];
  }
  for (const line of ours.tree ?? []) if (!theirs.tree?.includes(line)) found.push(`only ours: ${line}`);
  for (const line of theirs.tree ?? []) if (!ours.tree?.includes(line)) found.push(`only theirs: ${line}`);
  differ("files with the time of their source", ours.oldFiles, theirs.oldFiles);
  for (const field of fields) differ(field, meaning(ours.config?.[field]), meaning(theirs.config?.[field]));
  // Not every builder writes histories in the same words.
  if (theirs.history) differ("history", ours.history, theirs.history);
  return found;
}

/** Nothing, null, and what is empty mean the same to every runtime; a working folder of nothing is the root. */
function meaning(value: unknown): unknown {
  if (value === "/" || value === null || value === undefined || value === "" || value === false) return undefined;
  return typeof value === "object" && Object.keys(value).length === 0 ? undefined : value;
}
