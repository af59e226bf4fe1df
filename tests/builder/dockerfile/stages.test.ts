/** Stages: finding them, what they are built on, and which ones a target needs. */
import test from "ava";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { findStage, neededStages, originOfCopy, originOfFrom } from "../../../builder/dockerfile/stages.ts";
import { isWbuildError } from "../../../native/error.ts";

const read = (text: string) => parseDockerfile({ name: "Dockerfile", text });

const chain = read(`FROM alpine AS base
FROM base AS tools
FROM golang AS Build
COPY --from=tools /t /t
FROM scratch AS unused
COPY --from=busybox /bin /bin
FROM scratch
COPY --from=2 /out /
`);

const targets: [wanted: string | undefined, index: number][] = [
  [undefined, 4],
  ["", 4],
  ["base", 0],
  ["BUILD", 2],
  ["3", 3],
];
for (const [wanted, index] of targets) {
  test(`the target ${wanted ?? "by default"} is stage ${index}`, (t) => t.is(findStage(chain, wanted).index, index));
}

const unknown: [wanted: string, hint: RegExp][] = [
  ["biuld", /did you mean build\? its stages are base, tools, build, unused/],
  ["9", /its stages are/],
  ["zzz", /its stages are/],
];
for (const [wanted, hint] of unknown) {
  test(`the target ${wanted} does not exist`, (t) => {
    const error = t.throws(() => findStage(chain, wanted));
    t.true(isWbuildError(error, "DF_TARGET"));
    t.regex(isWbuildError(error) ? (error.hint ?? "") : "", hint);
  });
}

test("a target among stages without names", (t) => {
  const error = t.throws(() => findStage(read("FROM a"), "x"));
  t.is(isWbuildError(error) ? error.hint : "", "none of its stages has a name");
});

const needed: [target: string | undefined, stages: number[]][] = [
  [undefined, [0, 1, 2, 4]],
  ["build", [0, 1, 2]],
  ["unused", [3]],
  ["base", [0]],
];
for (const [target, stages] of needed) {
  test(`the target ${target ?? "by default"} needs ${stages}`, (t) => {
    const found = neededStages(chain, findStage(chain, target), (stage) => stage.from.image.text);
    t.deepEqual(
      found.map((stage) => stage.index),
      stages,
    );
  });
}

test("FROM means an earlier stage, scratch, or an image", (t) => {
  t.is(originOfFrom(chain, "BASE", 1).kind, "stage");
  t.deepEqual(originOfFrom(chain, "build", 1), { kind: "image", name: "build" });
  t.deepEqual(originOfFrom(chain, "scratch", 1), { kind: "scratch" });
  // A stage may have the name of its own image: it does not mean itself.
  t.deepEqual(originOfFrom(read("FROM alpine AS alpine"), "alpine", 0), { kind: "image", name: "alpine" });
});

test("COPY --from means a stage by name or number, else an image", (t) => {
  const span = chain.stages[0]!.from.span;
  t.is(originOfCopy(chain, { text: "Tools", span }).kind, "stage");
  t.is(originOfCopy(chain, { text: "0", span }).kind, "stage");
  t.deepEqual(originOfCopy(chain, { text: "nginx:latest", span }), { kind: "image", name: "nginx:latest" });
  const error = t.throws(() => originOfCopy(chain, { text: "7", span }));
  t.true(isWbuildError(error, "DF_STAGE_INDEX"));
});

const cycles = [
  "FROM scratch AS a\nCOPY --from=a /x /x",
  "FROM scratch AS a\nCOPY --from=b /x /x\nFROM a AS b",
  "FROM scratch AS a\nCOPY --from=2 /x /x\nFROM a AS b\nFROM b AS c",
];
for (const text of cycles) {
  test(`stages in a circle: ${text.replaceAll("\n", "; ")}`, (t) => {
    const dockerfile = read(text);
    const error = t.throws(() => neededStages(dockerfile, findStage(dockerfile), (stage) => stage.from.image.text));
    t.true(isWbuildError(error, "DF_STAGE_CYCLE"));
  });
}

test("thousands of chained stages need no deep stack", (t) => {
  const text = Array.from({ length: 20_000 }, (_, n) => `FROM ${n === 0 ? "scratch" : `s${n - 1}`} AS s${n}`).join(
    "\n",
  );
  const dockerfile = read(text);
  const byName = new Map(dockerfile.stages.map((stage) => [stage.name, stage]));
  t.is(byName.size, 20_000);
  const target = findStage(dockerfile, "s300");
  t.is(neededStages(dockerfile, target, (stage) => stage.from.image.text).length, 301);
});

test("of stages with one name the last is found: of the file, or above a FROM", (t) => {
  const twice = read("FROM x AS a\nFROM a AS b\nFROM y AS A\nFROM a\nCOPY --from=a /f /\n");
  t.is(findStage(twice, "a").index, 2);
  const origins = [1, 3].map((index) => originOfFrom(twice, "a", index));
  t.deepEqual(
    origins.map((origin) => (origin.kind === "stage" ? origin.stage.index : origin.kind)),
    [0, 2],
  );
  const from = originOfCopy(twice, { text: "a", span: twice.stages[3]!.from.span });
  t.is(from.kind === "stage" ? from.stage.index : undefined, 2);
});
