/** Started by sandbox-death.test.ts, which kills it: a container whose processes carry a mark, and says when they run. */
import { startSandbox } from "../../native/core/sandbox.ts";
import { makePlace, specFor } from "../native/core/box.ts";

const mark = process.argv[2] ?? "";
const place = makePlace();
const script = `trap '' TERM INT HUP; setsid sleep ${mark} & sleep ${mark} & echo ready; wait; wait`;
const running = await startSandbox(specFor(place, ["sh", "-c", script], { network: "none" }), () => {});
for await (const { bytes } of running.output)
  process.stdout.write(`${place.folder}\n${bytes.length > 0 ? "ready" : ""}\n`);
