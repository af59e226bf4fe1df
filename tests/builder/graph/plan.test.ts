import test from "ava";
import type { PlanOptions } from "../../../builder/graph/plan-world.ts";
import { printJson, printMermaid, printText } from "../../../builder/graph/print.ts";
import { isWbuildError, WbuildError } from "../../../native/error.ts";
import { baseOf, type Planned, plan } from "./planned.ts";

const titles = ({ graph }: Planned) => graph.nodes.map((node) => node.title);

test("plan: stages that the target does not need are not looked at", async (t) => {
  const planned = await plan(["FROM nothere AS unused", "RUN x", "FROM busy", "RUN y"]);
  t.deepEqual(planned.asked, ["busy"]);
  t.deepEqual(titles(planned), ["[stage-1 1/2] FROM busy", "[stage-1 2/2] RUN y"]);
});

test("plan: a target ends at its stage", async (t) => {
  const planned = await plan(["FROM busy AS a", "RUN a", "FROM a AS b", "RUN b"], { target: "a" });
  t.deepEqual(titles(planned), ["[a 1/2] FROM busy", "[a 2/2] RUN a"]);
});

test("plan: a base named by several stages is looked up once", async (t) => {
  const planned = await plan(["FROM busy AS a", "RUN a", "FROM busy", "COPY --from=a /x /y", "COPY --from=0 /z /z"]);
  t.deepEqual(planned.asked, ["busy"]);
});

for (const lines of [
  ["FROM busy AS build", "RUN a", "FROM biuld"],
  ["FROM busy AS build", "FROM busy", "COPY --from=bulid /a /"],
  ["FROM busy AS build", "FROM busy", "RUN --mount=from=bulid,target=/a x"],
])
  test(`plan: the misspelt name of a stage in ${lines.at(-1)} is no image`, async (t) => {
    const findBase = async (name: string) => {
      const base = baseOf(name);
      if (!base) throw new WbuildError("REG_UNREACHABLE", "no network", { hint: "look at the cable" });
      return base;
    };
    const error = (await t.throwsAsync(plan(lines, { findBase }), { message: "no network" })) as WbuildError;
    t.regex(error.hint ?? "", /no stage has this name, so it is an image; did you mean the stage build\?$/);
  });

test("plan: a base of Microsoft's that cannot be reached is told with what would do", async (t) => {
  const facts = { registry: "mcr.microsoft.com", repository: "windows/nanoserver" };
  const findBase = async () => Promise.reject(new WbuildError("REG_UNREACHABLE", "no network", { facts }));
  const image = "mcr.microsoft.com/windows/nanoserver";
  const error = (await t.throwsAsync(plan([`ARG B=${image}:ltsc2022`, "FROM $B"], { findBase }))) as WbuildError;
  t.true(error.hint?.endsWith(`--build-context ${image}:TAG=wbuild.local/windows`), error.hint);
});

test("plan: one unnamed stage is not named in titles", async (t) => {
  t.deepEqual(titles(await plan(["FROM busy", "WORKDIR /a", "ENV A=b", "COPY x ."])), [
    "[1/3] FROM busy",
    "[2/3] WORKDIR /a",
    "[3/3] COPY x .",
  ]);
});

test("plan: ONBUILD triggers of a base run first and are not inherited", async (t) => {
  const { graph } = await plan(["FROM app", "RUN last"]);
  t.deepEqual(
    graph.nodes.map((node) => node.title),
    ["[1/4] FROM app", "[2/4] COPY . /src", "[3/4] RUN make", "[4/4] RUN last"],
  );
  t.is(graph.target.config.OnBuild, undefined);
});

test("plan: triggers name stages of the file that is built", async (t) => {
  const { graph } = await plan(["FROM busy AS tools", "RUN make", "FROM child"]);
  const run = graph.target.node;
  t.is(run.title, "[stage-1 3/3] RUN --mount=from=tools,target=/m <<EOF cat");
  t.deepEqual(run.op.kind === "run" && run.op.argv, ["/bin/sh", "-c", "<<EOF cat\nx\nEOF"]);
  t.deepEqual(
    [run, run.inputs[0]].map((node) => node?.inputs[1]?.title),
    ["[tools 2/2] RUN make", "[tools 2/2] RUN make"],
  );
});

test("plan: a circle that only triggers close is found, and shown at the FROM that brings them", async (t) => {
  const lines = ["FROM child AS a", "FROM a AS tools", "FROM tools"];
  const error = await t.throwsAsync(plan(lines));
  t.true(isWbuildError(error, "DF_STAGE_CYCLE"), String(error));
  t.like(error, { facts: { span: { start: { line: 1, column: 6 } } } });
});

test("plan: what is wrong with a trigger is shown at the FROM that brings it", async (t) => {
  const error = await t.throwsAsync(plan(["FROM busy AS tools", "", "FROM broken"]));
  t.true(isWbuildError(error, "DF_EXPANSION"), String(error));
  t.like(error, { facts: { span: { start: { line: 3, column: 1 } } } });
});

const unknownImages: [name: string, lines: string[], line: number, column: number][] = [
  ["FROM", ["FROM busy", "FROM none"], 2, 6],
  ["COPY --from", ["FROM busy", "RUN a", "COPY --from=none /a /b"], 3, 13],
  ["RUN --mount from", ["FROM busy", "RUN --mount=from=none,target=/m make"], 2, 18],
  ["a trigger's COPY --from", ["FROM busy AS other", "FROM child"], 2, 1],
];
for (const [name, lines, line, column] of unknownImages)
  test(`plan: an image that cannot be had is blamed on the word that names it: ${name}`, async (t) => {
    const findBase: PlanOptions["findBase"] = async (image) => {
      const base = baseOf(image);
      if (!base) throw new WbuildError("REG_NOT_FOUND", `there is no ${image}`);
      return base;
    };
    const error = await t.throwsAsync(plan(lines, { findBase }));
    t.true(isWbuildError(error, "REG_NOT_FOUND"), String(error));
    t.like(error, { facts: { file: "Dockerfile", span: { start: { line, column } } } });
  });

test("plan: build arguments for the build itself are never unused, and a foreign front end is told of", async (t) => {
  const names = [
    "SYNTAX",
    "CONTEXT_KEEP_GIT_DIR",
    "INLINE_CACHE",
    "MULTI_PLATFORM",
    "DOCKERFILE_CHECK",
    "CACHE_MOUNT_NS",
  ];
  const buildArgs = Object.fromEntries([...names.map((name) => [`BUILDKIT_${name}`, "x"]), ["SOURCE_DATE_EPOCH", "0"]]);
  const { warnings } = await plan(["FROM busy"], { buildArgs });
  t.deepEqual(warnings, ["wbuild reads Dockerfiles itself and does not load the syntax x"]);
});

test("plan: BUILDKIT_SANDBOX_HOSTNAME is the name of a step's host", async (t) => {
  const { graph, warnings } = await plan(["FROM busy", "RUN x"], { buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: "box" } });
  t.like(graph.target.node.op, { hostname: "box" });
  t.deepEqual(warnings, []);
});

test("plan: a script that its shell will stumble over is told of", async (t) => {
  const script = (text: string) => ["RUN <<EOF", ...text.split("\n"), "EOF"];
  const of = async (base: string, text: string) => (await plan([`FROM ${base}`, ...script(text)])).warnings;
  t.deepEqual(await of("busy", "ü\nb"), []);
  t.regex((await of("busy", "a\r\nb"))[0] ?? "", /lines of <<EOF end with carriage returns/);
  t.deepEqual(await of("win", "a\r\nb\r"), []);
  t.regex((await of("win", "ü\nb"))[0] ?? "", /cmd cannot read "ü"/);
  t.deepEqual(await of("win", "ü"), []);
});

test("plan: a platform that comes to nothing is shown where it stands", async (t) => {
  const error = await t.throwsAsync(plan(["ARG P", "FROM --platform=$P busy"]));
  t.like(error, { code: "IMG_PLATFORM_SYNTAX", facts: { span: { start: { line: 2, column: 17 } } } });
});

test("plan: a RUN has the base's environment, ENV over ARG, the folder and the user", async (t) => {
  const { graph } = await plan(["FROM app", "ARG A=1", "ARG B=2", "ENV B=3", 'RUN ["x", "y"]']);
  const op = graph.target.node.op;
  t.like(op, { kind: "run", argv: ["x", "y"], cwd: "/srv", user: "app" });
  t.deepEqual(op.kind === "run" ? [...op.env].sort() : [], ["A=1", "B=3", "HOME=/h", "PATH=/bin"]);
});

test("plan: proxies reach a RUN but not its id, its history or what is printed", async (t) => {
  const secret = "http://user:secret@proxy";
  const lines = ["FROM busy", "RUN x"];
  const without = await plan(lines);
  const withProxy = await plan(lines, { buildArgs: { HTTP_PROXY: secret } });
  const { node, history } = withProxy.graph.target;
  t.is(node.id, without.graph.target.node.id);
  t.deepEqual(node.op.kind === "run" && node.op.proxyEnv, [`HTTP_PROXY=${secret}`, `http_proxy=${secret}`]);
  for (const text of [
    JSON.stringify(history.map((line) => line.createdBy)),
    printJson([withProxy.graph]),
    printText([withProxy.graph]),
  ]) {
    t.false(text.includes("secret"));
  }
});

const sameIds: [name: string, a: string[], b: string[], same: boolean][] = [
  ["comments and blank lines", ["FROM busy", "RUN a"], ["# hello", "FROM busy", "", "RUN a"], true],
  ["a stage's name", ["FROM busy AS x", "RUN a"], ["FROM busy AS y", "RUN a"], true],
  ["another command", ["FROM busy", "RUN a"], ["FROM busy", "RUN b"], false],
  ["a variable before it", ["FROM busy", "RUN a"], ["FROM busy", "ENV A=1", "RUN a"], false],
  ["a label before it", ["FROM busy", "RUN a"], ["FROM busy", "LABEL A=1", "RUN a"], true],
  ["a folder before it", ["FROM busy", "RUN a"], ["FROM busy", "WORKDIR /w", "RUN a"], false],
  ["shell and exec form", ["FROM busy", "RUN a"], ["FROM busy", 'RUN ["a"]'], false],
  ["another owner", ["FROM busy", "COPY a b"], ["FROM busy", "COPY --chown=1 a b"], false],
  ["another base", ["FROM busy", "COPY a b"], ["FROM scratch", "COPY a b"], false],
];

for (const [name, a, b, same] of sameIds) {
  test(`plan: ${name} ${same ? "keeps" : "changes"} the id`, async (t) => {
    const [one, two] = await Promise.all([plan(a), plan(b)]);
    t.is(one.graph.target.node.id === two.graph.target.node.id, same);
  });
}

test("plan: history tells each instruction, and the node of those that make a layer", async (t) => {
  const { graph } = await plan(["FROM busy", "ENV A=b", "ARG C=d", "RUN make", 'CMD ["x"]', "COPY a /"]);
  t.deepEqual(
    graph.target.history.map((line) => [line.createdBy, line.node !== undefined]),
    [
      ["ENV A=b", false],
      ["ARG C=d", false],
      ["RUN |1 C=d /bin/sh -c make # buildkit", true],
      ['CMD ["x"]', false],
      ["COPY a / # buildkit", true],
    ],
  );
});

test("plan: labels of the command line are in the config and in no id", async (t) => {
  const plain = await plan(["FROM busy", "RUN a"]);
  const labelled = await plan(["FROM busy", "RUN a"], { labels: { who: "me" } });
  t.deepEqual(labelled.graph.target.config.Labels, { who: "me" });
  t.is(labelled.graph.target.node.id, plain.graph.target.node.id);
});

test("plan: a build argument nobody declares is worth a warning", async (t) => {
  const { warnings } = await plan(["FROM busy", "RUN a"], { buildArgs: { NOPE: "1" } });
  t.deepEqual(warnings, ["build argument NOPE is not used by any ARG"]);
});

test("plan: the graph as text, JSON and mermaid names every node and edge", async (t) => {
  const { graph } = await plan(["FROM busy AS a", "RUN a", "FROM scratch", "COPY --from=a '/x\"];' /"]);
  const text = printText([graph]);
  t.is(text.split("\n").filter(Boolean).length, graph.nodes.length);
  const json = JSON.parse(printJson([graph])) as { target: string; nodes: { id: string; inputs: string[] }[] };
  t.is(json.target, graph.target.node.id);
  for (const node of json.nodes) for (const input of node.inputs) t.true(json.nodes.some(({ id }) => id === input));
  const mermaid = printMermaid([graph]);
  t.is((mermaid.match(/-->|-\.->/g) ?? []).length, 3);
  t.false(mermaid.includes('x"]'), "a label cannot be ended by what a Dockerfile says");
});

const unsafe: [name: string, lines: string[], more: Partial<PlanOptions>][] = [
  ["the host's network", ["FROM busy", "RUN --network=host x"], {}],
  ["the host's network in a build without any", ["FROM busy", "RUN --network=host x"], { network: "none" }],
  ["a step without a sandbox", ["FROM busy", "RUN --security=insecure x"], {}],
];
for (const [name, lines, more] of unsafe) {
  test(`plan: a Dockerfile cannot give itself ${name}`, async (t) => {
    const error = await t.throwsAsync(plan(lines, more));
    t.true(isWbuildError(error, "DF_NOT_ALLOWED"), String(error));
    t.is((error as { facts?: { span?: { start: { line: number } } } }).facts?.span?.start.line, 2);
  });
}

const networks: [flag: string, build: PlanOptions["network"], step: string][] = [
  ["", "none", "none"],
  ["--network=default ", "host", "host"],
  ["--network=none ", "host", "none"],
  ["--network=host ", "host", "host"],
  ["--security=sandbox ", "default", "default"],
];
for (const [flag, network, expected] of networks) {
  test(`plan: RUN ${flag}in a build with network ${network}`, async (t) => {
    const { op } = (await plan(["FROM busy", `RUN ${flag}x`], { network })).graph.target.node;
    t.is(op.kind === "run" ? op.network : "", expected);
  });
}
