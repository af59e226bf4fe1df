/** Started on a terminal by terminal.test.ts: one container with a terminal of its own; the exit code is passed on. */
import { startSandbox } from "../../../native/core/sandbox.ts";
import { makePlace, specFor } from "./box.ts";

const place = makePlace();
const spec = specFor(place, ["sh", "-c", process.argv[2] ?? ""], {
  process: {
    tty: true,
    stdin: "inherit",
    output: "inherit",
    env: { PATH: "/bin", TERM: "xterm", PS1: "$ " },
    uid: Number(process.argv[3] ?? 0),
  },
});
const running = await startSandbox(spec, () => {});
const exit = await running.exited;
await running[Symbol.asyncDispose]();
place.remove();
process.exit(exit.code ?? 99);
