/** Finding stages, and which of them a target needs. What nobody needs is never resolved. */
import { WbuildError } from "../../native/error.ts";
import { nearest } from "../diagnose/nearest.ts";
import type { SourceText } from "../diagnose/source.ts";
import { dockerfileError, quoted } from "./errors.ts";
import type { Dockerfile, Instruction, Stage, Word } from "./instruction.ts";
import { mountFrom } from "./read-mount.ts";

/** The stage of that name (letter case is free; of several, the last) or index (`0`, `1` …); undefined when there is none. */
function lookUpStage(dockerfile: Dockerfile, nameOrIndex: string): Stage | undefined {
  const wanted = nameOrIndex.toLowerCase();
  const named = dockerfile.stages.findLast((stage) => stage.name === wanted);
  if (named !== undefined || !/^\d{1,9}$/.test(wanted)) return named;
  return dockerfile.stages[Number(wanted)];
}

/** The target stage: the last one when nothing is asked for. Throws DF_TARGET with the list of stages. */
export function findStage(dockerfile: Dockerfile, nameOrIndex?: string): Stage {
  const last = dockerfile.stages.at(-1);
  const found = nameOrIndex === undefined || nameOrIndex === "" ? last : lookUpStage(dockerfile, nameOrIndex);
  if (found !== undefined) return found;
  const names = dockerfile.stages.flatMap((stage) => (stage.name === undefined ? [] : [stage.name]));
  const suggestion = nearest(nameOrIndex ?? "", names);
  const known = names.length === 0 ? "none of its stages has a name" : `its stages are ${names.join(", ")}`;
  throw new WbuildError("DF_TARGET", `${dockerfile.source.name} has no stage ${quoted(nameOrIndex ?? "")}`, {
    facts: { file: dockerfile.source.name, wanted: nameOrIndex, names, suggestion },
    hint: suggestion === undefined ? known : `did you mean ${suggestion}? ${known}`,
  });
}

/** Where a stage's FROM or a COPY --from points. */
export type Origin =
  | { readonly kind: "scratch" }
  | { readonly kind: "stage"; readonly stage: Stage }
  | { readonly kind: "image"; readonly name: string };

/** What an expanded FROM means in the stage at `index`: the last stage of that name before it, `scratch`, or an image. */
export function originOfFrom(dockerfile: Dockerfile, image: string, index: number): Origin {
  const wanted = image.toLowerCase();
  const earlier = dockerfile.stages.findLast((stage) => stage.index < index && stage.name === wanted);
  if (earlier !== undefined) return { kind: "stage", stage: earlier };
  return image === "scratch" ? { kind: "scratch" } : { kind: "image", name: image };
}

/** What COPY --from and a mount's from mean: any stage by name or index, else an image. Throws DF_STAGE_INDEX for an index there is not. */
export function originOfCopy(dockerfile: Dockerfile, from: Word): Origin {
  const stage = lookUpStage(dockerfile, from.text);
  if (stage !== undefined) return { kind: "stage", stage };
  if (!/^\d+$/.test(from.text)) return { kind: "image", name: from.text };
  throw dockerfileError(
    "DF_STAGE_INDEX",
    `there is no stage ${from.text}`,
    { span: from.span, source: dockerfile.source },
    { facts: { found: from.text }, hint: `the stages are numbered from 0 to ${dockerfile.stages.length - 1}` },
  );
}

/**
 * The stages that the target needs, itself included, in the order of the file. `image` expands a stage's FROM with the
 * global scope. ONBUILD triggers of base images can need more: nobody knows before the image is read.
 * Throws DF_STAGE_CYCLE, DF_STAGE_INDEX and what `image` throws.
 */
export function neededStages(dockerfile: Dockerfile, target: Stage, image: (stage: Stage) => string): Stage[] {
  const done = new Set<Stage>();
  const open = new Set<Stage>();
  // A stack of our own: a file may chain more stages than the call stack holds.
  const todo: { stage: Stage; word?: Word; leave?: true }[] = [{ stage: target }];
  for (let step = todo.pop(); step !== undefined; step = todo.pop()) {
    const { stage, word, leave } = step;
    if (leave) {
      open.delete(stage);
      done.add(stage);
    } else if (open.has(stage)) {
      throw cycle(dockerfile, stage, word);
    } else if (!done.has(stage)) {
      open.add(stage);
      todo.push({ stage, leave: true });
      for (const next of neighbours(dockerfile, stage, image(stage))) todo.push(next);
    }
  }
  return dockerfile.stages.filter((stage) => done.has(stage));
}

function neighbours(dockerfile: Dockerfile, stage: Stage, image: string): { stage: Stage; word: Word }[] {
  const found: { stage: Stage; word: Word }[] = [];
  const base = originOfFrom(dockerfile, image, stage.index);
  if (base.kind === "stage") found.push({ stage: base.stage, word: stage.from.image });
  for (const word of stage.instructions.flatMap((each) => namedBy(each, dockerfile.source))) {
    const origin = originOfCopy(dockerfile, word);
    if (origin.kind === "stage") found.push({ stage: origin.stage, word });
  }
  return found;
}

/** What COPY --from and the mounts of a RUN name: stages, images or named contexts. */
function namedBy(instruction: Instruction, source: SourceText): Word[] {
  if (instruction.kind === "COPY") return instruction.from === undefined ? [] : [instruction.from];
  if (instruction.kind !== "RUN") return [];
  return (instruction.mounts ?? []).flatMap((mount) => mountFrom(mount, source) ?? []);
}

function cycle(dockerfile: Dockerfile, stage: Stage, word: Word | undefined): Error {
  return dockerfileError(
    "DF_STAGE_CYCLE",
    `the stage ${stage.name ?? stage.index} would need itself`,
    { span: word?.span ?? stage.from.span, source: dockerfile.source },
    { facts: { stage: stage.name ?? stage.index } },
  );
}

/**
 * Which stages wait for which while they are planned. neededStages() finds the circles that the file itself has; those that an
 * ONBUILD trigger of an image closes are known only now, and would make stages wait for each other for ever.
 */
export class StageWaits {
  readonly #dockerfile: Dockerfile;
  readonly #waits = new Map<Stage, Set<Stage>>();

  constructor(dockerfile: Dockerfile) {
    this.#dockerfile = dockerfile;
  }

  /** Throws DF_STAGE_CYCLE when the one waited for waits for the other already. */
  note(waiting: Stage, stage: Stage): void {
    const seen = new Set<Stage>([stage]);
    for (const each of seen) {
      if (each === waiting) throw cycle(this.#dockerfile, stage, waiting.from.image);
      for (const next of this.#waits.get(each) ?? []) seen.add(next);
    }
    const known = this.#waits.get(waiting);
    if (known === undefined) this.#waits.set(waiting, new Set([stage]));
    else known.add(stage);
  }
}
