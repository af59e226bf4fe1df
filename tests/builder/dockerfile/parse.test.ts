/** Bounds of a whole Dockerfile; what its lines mean is in the golden files. */
import test from "ava";
import { parseDockerfile, parseTrigger } from "../../../builder/dockerfile/parse.ts";
import { isWbuildError } from "../../../native/error.ts";

function failure(read: () => unknown): { code: string; others: number } | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (!isWbuildError(error)) throw error;
    return { code: error.code, others: Array.isArray(error.facts.others) ? error.facts.others.length : 0 };
  }
}

test("a text of 4 MiB is read, a longer one is not looked at", (t) => {
  const filled = (length: number) => `FROM scratch\n#${"x".repeat(length - 14)}`;
  const most = 4 * 1024 * 1024;
  t.is(parseDockerfile({ name: "Dockerfile", text: filled(most) }).stages.length, 1);
  const refused = failure(() => parseDockerfile({ name: "Dockerfile", text: filled(most + 1) }));
  t.deepEqual(refused, { code: "DF_TOO_LARGE", others: 0 });
});

test("problems are told together, up to ten", (t) => {
  const lines = (count: number) => `FROM scratch\n${"WHAT is this\n".repeat(count)}`;
  for (const [count, others] of [
    [1, 0],
    [4, 3],
    [10, 9],
    [50, 9],
  ] as const) {
    const told = failure(() => parseDockerfile({ name: "Dockerfile", text: lines(count) }));
    t.deepEqual(told, { code: "DF_UNKNOWN_INSTRUCTION", others }, String(count));
  }
});

for (const [text, code] of [
  ["", "DF_EMPTY"],
  ["# nothing", "DF_EMPTY"],
  ["RUN a\nRUN b", "DF_ONBUILD_TRIGGER"],
  ["ONBUILD RUN a", "DF_ONBUILD_TRIGGER"],
  ["FROM a", "DF_ONBUILD_TRIGGER"],
  ["COPY a", "DF_MISSING_ARGUMENT"],
]) {
  test(`an image's trigger ${JSON.stringify(text)} is refused`, (t) => {
    t.is(failure(() => parseTrigger(text ?? "", { name: "image", text: "" }))?.code, code);
  });
}
