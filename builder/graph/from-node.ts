/** What `--from` names: a stage of the file, or an image; as the node whose files are meant. */
import { dockerfileError } from "../dockerfile/errors.ts";
import type { Word } from "../dockerfile/instruction.ts";
import { originOfCopy } from "../dockerfile/stages.ts";
import type { Node } from "./graph.ts";
import { locatedAt } from "./located-at.ts";
import type { StageView } from "./plan-world.ts";

/** `flag` is what the Dockerfile calls it (`COPY --from`). Throws DF_STAGE_CYCLE, DF_STAGE_INDEX, and what looking an image up throws. */
export async function fromNode(view: StageView, word: Word, flag: string): Promise<{ node: Node; os: string }> {
  const { dockerfile, source, options } = view.world;
  const origin = originOfCopy(dockerfile, word);
  if (origin.kind !== "stage") {
    const image = origin.kind === "image" ? origin.name : "scratch";
    const { node, base } = await view.world.sourceOf(image, options.targetPlatform).catch((error: unknown) => {
      throw locatedAt(error, word, view.world);
    });
    return { node, os: base?.config.os ?? options.targetPlatform.os };
  }
  if (origin.stage === view.stage) {
    throw dockerfileError("DF_STAGE_CYCLE", `${flag} names its own stage`, { span: word.span, source });
  }
  const { node, platform } = await view.world.stageOf(origin.stage, view.stage);
  return { node, os: platform.os };
}
