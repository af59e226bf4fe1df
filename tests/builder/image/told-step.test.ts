/** Work beside the graph's steps, as the faces hear of it. */
import test from "ava";
import { toldAsStep, toldTogether } from "../../../builder/image/told-step.ts";
import type { BuildEvent } from "../../../builder/progress/events.ts";

/** What was reported, a word or two each. */
function heard() {
  const words: string[] = [];
  const report = (event: BuildEvent) => {
    if (event.kind === "start") words.push(`start ${event.step.title}`);
    else if (event.kind === "progress") words.push(`${event.id}: ${event.label} ${event.done}`);
    else if (event.kind === "failed") words.push(`failed ${event.id}: ${event.message}`);
    else words.push(event.kind);
  };
  return { words, report };
}

const moved = (label: string, done: number) => ({ digest: `sha256:${label}`, label, done }) as const;

test("a step has a start, what it moves, and an end", async (t) => {
  const { words, report } = heard();
  await toldAsStep(report, "push x", async (tell) => tell(moved("a", 1)));
  await t.throwsAsync(
    toldAsStep(report, "push y", () => Promise.reject(new Error("no"))),
    { message: "no" },
  );
  t.deepEqual(words, ["start push x", "push x: a 1", "done", "start push y", "failed push y: no"]);
});

test("transfers with one title are one step, as long as any of them lasts", async (t) => {
  const { words, report } = heard();
  const together = toldTogether(report);
  let endFirst = () => {};
  const first = together("fetch x", async (tell) => {
    await new Promise<void>((resolve) => {
      endFirst = resolve;
    });
    tell(moved("a", 1));
  });
  await together("fetch x", async (tell) => tell(moved("b", 2)));
  await together("fetch y", async (tell) => tell(moved("c", 3)));
  endFirst();
  await first;
  await together("fetch x", async (tell) => tell(moved("d", 4)));
  t.deepEqual(
    words.filter((word) => word !== "done"),
    ["start fetch x", "fetch x: b 2", "start fetch y", "fetch y: c 3", "fetch x: a 1", "start fetch x", "fetch x: d 4"],
  );
});

test("who asked for a transfer that fails hears of it, the others do not", async (t) => {
  const { words, report } = heard();
  const together = toldTogether(report);
  let endOther = () => {};
  const other = new Promise<void>((resolve) => {
    endOther = resolve;
  });
  const failing = together("fetch x", () => Promise.reject(new Error("gone")));
  const sound = together("fetch x", () => other);
  await t.throwsAsync(failing, { message: "gone" });
  t.deepEqual(words, ["start fetch x"], "the other one lasts");
  const late = together("fetch x", async (tell) => tell(moved("late", 1)));
  endOther();
  await t.notThrowsAsync(Promise.all([sound, late]));
  await told();
  t.deepEqual(words, ["start fetch x", "fetch x: late 1", "failed fetch x: gone"]);
});

test("a failure that ends the others is told as one; what somebody gives up, as canceled", async (t) => {
  for (const [fails, end] of [
    [true, "failed fetch x: gone"],
    [false, "canceled"],
  ] as const) {
    const { words, report } = heard();
    const stop = new AbortController();
    const together = toldTogether(report);
    const other = together(
      "fetch x",
      () =>
        new Promise<void>((_, reject) => {
          stop.signal.addEventListener("abort", () => reject(stop.signal.reason));
        }),
      stop.signal,
    );
    if (fails) await t.throwsAsync(together("fetch x", () => Promise.reject(new Error("gone")), stop.signal));
    stop.abort(new Error("enough"));
    await t.throwsAsync(other, { message: "enough" });
    await told();
    t.deepEqual(words, ["start fetch x", end]);
  }
});

/** The end of a step is told behind that of its work. */
const told = () => new Promise((resolve) => setImmediate(resolve));
