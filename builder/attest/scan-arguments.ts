/** BUILDKIT_SBOM_SCAN_CONTEXT and BUILDKIT_SBOM_SCAN_STAGE: what a list covers besides the image itself. */
import type { Arg, Dockerfile, Stage } from "../dockerfile/instruction.ts";

type Name = "BUILDKIT_SBOM_SCAN_CONTEXT" | "BUILDKIT_SBOM_SCAN_STAGE";

export interface ScanChoice {
  /** Indexes of stages whose files are looked into, in the order of the file. */
  readonly stages: readonly number[];
  readonly context: boolean;
}

/**
 * What the Dockerfile asks for, of the stages that were built; the target is looked into anyway. A build argument only
 * changes the value of an ARG that is there: before the first FROM for every stage, or in the stage.
 */
export function scanChoice(
  { globalArgs, stages }: Pick<Dockerfile, "globalArgs" | "stages">,
  buildArgs: Readonly<Record<string, string>>,
  built: ReadonlySet<number>,
): ScanChoice {
  const isAsked = (name: Name, stage: Stage) => {
    const own = stage.instructions.filter((one): one is Arg => one.kind === "ARG");
    const everywhere = declared(name, globalArgs);
    const value = declared(name, own) ?? everywhere;
    return value !== undefined && covers(buildArgs[name] ?? (value === "" ? (everywhere ?? "") : value), stage);
  };
  const wanted = stages.filter(({ index }) => built.has(index));
  return {
    stages: wanted.filter((stage) => isAsked("BUILDKIT_SBOM_SCAN_STAGE", stage)).map(({ index }) => index),
    context: wanted.some((stage) => isAsked("BUILDKIT_SBOM_SCAN_CONTEXT", stage)),
  };
}

/** The value that the last ARG of this name gives; "" for one without a value. */
function declared(name: Name, args: readonly Arg[]): string | undefined {
  const found = args.flatMap((arg) => arg.args).findLast((one) => one.name === name);
  return found && (found.value?.text ?? "").replace(/^(["'])(.*)\1$/, "$2");
}

/** `true`, `false`, or names of stages with commas between. */
function covers(value: string, { name, index }: Stage): boolean {
  if (/^(?:1|t|true)$/i.test(value)) return true;
  return value.split(",").some((one) => [name, String(index)].includes(one.trim().toLowerCase()));
}
