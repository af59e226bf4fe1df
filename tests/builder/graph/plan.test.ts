import test from "ava";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import type { BuildGraph } from "../../../builder/graph/graph.ts";
import { planBuild } from "../../../builder/graph/plan.ts";
import type { PlanOptions } from "../../../builder/graph/plan-world.ts";
import { printJson, printMermaid, printText } from "../../../builder/graph/print.ts";
import type { BaseImage } from "../../../builder/image/stored/base-image.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../../native/error.ts";
import type { ContainerConfig } from "../../../registry/oci/image.ts";

const platform = { os: "linux", architecture: "amd64" };

const windows = { os: "windows", architecture: "amd64", "os.version": "10.0.20348.2700", "os.features": ["win32k"] };

function baseImage(name: string, config: ContainerConfig): BaseImage {
  const diffId = digestOf(name);
  const blob = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: diffId, size: 1 };
  return {
    reference: `registry.test/${name}:latest`,
    layers: [{ blob, diffId }],
    config: {
      ...(name.startsWith("win") ? windows : platform),
      config,
      rootfs: { type: "layers", diff_ids: [diffId] },
    },
  };
}

const bases: Record<string, ContainerConfig> = {
  busy: { Env: ["PATH=/bin"], Cmd: ["sh"] },
  win: { Env: ["Path=C:\\x"], User: "ContainerAdministrator", WorkingDir: "C:\\" },
  app: { Env: ["PATH=/bin", "HOME=/h"], WorkingDir: "/srv", User: "app", OnBuild: ["COPY . /src", "RUN make"] },
  child: { OnBuild: ["COPY --from=tools /t /t", "RUN --mount=from=tools,target=/m <<EOF cat\nx\nEOF"] },
  broken: { OnBuild: ["ENV A=b", "COPY --from=tools --chown=${A /a /b"] },
};

interface Planned {
  readonly graph: BuildGraph;
  readonly asked: string[];
  readonly warnings: string[];
}

async function plan(lines: string[], more: Partial<PlanOptions> = {}): Promise<Planned> {
  const asked: string[] = [];
  const warnings: string[] = [];
  const graph = await planBuild(parseDockerfile({ name: "Dockerfile", text: lines.join("\n") }), {
    buildArgs: {},
    labels: {},
    buildPlatform: platform,
    targetPlatform: platform,
    network: "default",
    extraHosts: [],
    findBase: async (name) => {
      asked.push(name);
      const config = bases[name];
      if (!config) throw new Error(`no base ${name}`);
      return baseImage(name, config);
    },
    warn: (text) => warnings.push(text),
    ...more,
  });
  return { graph, asked, warnings };
}

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
      const config = bases[name];
      if (!config) throw new WbuildError("REG_UNREACHABLE", "no network", { hint: "look at the cable" });
      return baseImage(name, config);
    };
    const error = (await t.throwsAsync(plan(lines, { findBase }), { message: "no network" })) as WbuildError;
    t.regex(error.hint ?? "", /no stage has this name, so it is an image; did you mean the stage build\?$/);
  });

test("plan: a base of Microsoft's that cannot be reached is told with what would do", async (t) => {
  const findBase = async () => Promise.reject(new WbuildError("REG_UNREACHABLE", "no network"));
  const image = "mcr.microsoft.com/windows/nanoserver:ltsc2022";
  const error = (await t.throwsAsync(plan([`FROM ${image}`], { findBase }))) as WbuildError;
  t.true(error.hint?.endsWith(`--build-context ${image}=wbuild.local/windows`), error.hint);
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
      const config = bases[image];
      if (!config) throw new WbuildError("REG_NOT_FOUND", `there is no ${image}`);
      return baseImage(image, config);
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

const backtick = "# escape=`";

test("plan: an image on a Windows base has the base's version and features", async (t) => {
  const { graph } = await plan(["FROM win", "COPY a b"]);
  t.deepEqual(graph.target.platform, windows);
});

test("plan: a RUN of Windows in shell form has dockerd's command line, quotes and all", async (t) => {
  const { graph } = await plan([backtick, "FROM win", 'RUN app "a  b" `', '  --x="C:\\y\\"']);
  t.like(graph.target.node.op, {
    kind: "run",
    os: "windows",
    osVersion: "10.0.20348.2700",
    argv: ["cmd", "/S", "/C", 'app "a  b"   --x="C:\\y\\"'],
    commandLine: 'cmd /S /C app "a  b"   --x="C:\\y\\"',
    env: ["Path=C:\\x"],
    cwd: "C:\\",
    user: "ContainerAdministrator",
  });
});

test("plan: a RUN of Windows in exec form has words and no command line", async (t) => {
  const { op } = (await plan(["FROM win", 'RUN ["app", "a b"]'])).graph.target.node;
  t.like(op, { os: "windows", argv: ["app", "a b"] });
  t.false("commandLine" in op);
});

test("plan: names of variables have no letter case in a RUN of Windows", async (t) => {
  const { op } = (await plan(["FROM win", "ARG PATH=arg", "ARG A=1", "ENV a=2", "RUN x"])).graph.target.node;
  t.deepEqual(op.kind === "run" && op.env, ["PATH=arg", "A=2"]);
});

test("plan: an op of Linux says nothing of its system, so that old results are still known", async (t) => {
  const { graph } = await plan(["FROM busy", "WORKDIR /a", "COPY a b", "RUN x"]);
  for (const { op } of graph.nodes) t.false("os" in op || "commandLine" in op || "fromOs" in op, op.kind);
});

test("plan: WORKDIR of Windows makes a folder of C:, for nobody in particular", async (t) => {
  const { graph } = await plan([backtick, "FROM win", "WORKDIR app\\bin"]);
  t.deepEqual(graph.target.node.op, { kind: "mkdir", os: "windows", path: "/app/bin" });
  t.is(graph.target.config.WorkingDir, "C:\\app\\bin");
});

test("plan: COPY --from knows the system on both sides", async (t) => {
  const lines = [backtick, "FROM busy AS l", "COPY --from=win C:\\app\\x /x", "FROM win", "COPY --from=l /x C:\\y\\"];
  const { graph } = await plan(lines);
  const ops = graph.nodes.flatMap(({ op }) => (op.kind === "copy" ? [op] : []));
  t.deepEqual(ops, [
    { kind: "copy", from: "node", fromOs: "windows", sources: ["app/x"], target: "/x" },
    { kind: "copy", os: "windows", from: "node", sources: ["x"], target: "/y/" },
  ]);
});

const flags: [flag: string, code: string | undefined][] = [
  ["--chmod=755", "DF_UNSUPPORTED_FLAG"],
  ["--chown=app", "DF_CHOWN"],
  ["--chown=app:app", "DF_CHOWN"],
  ["--chown=1000", "DF_CHOWN"],
  ["--chown=S-1-5-32-99999999999", "DF_CHOWN"],
  ["--chown=ContainerUser", undefined],
  ["--chown=containeradministrator", undefined],
  ["--chown=BUILTIN\\\\Users", undefined],
  ["--chown=S-1-5-21-1-2-3-1001", undefined],
];
for (const [flag, code] of flags) {
  test(`plan: COPY ${flag} on Windows ${code === undefined ? "is taken" : `is ${code}`}`, async (t) => {
    const planned = plan([backtick, "FROM win", `COPY ${flag} a b`]);
    if (code === undefined)
      return t.like((await planned).graph.target.node.op, { chown: flag.slice(8).replace("\\\\", "\\") });
    const error = await t.throwsAsync(planned);
    t.true(isWbuildError(error, code as "DF_CHOWN"), String(error));
    if (isWbuildError(error)) t.like(error.facts, { span: { start: { line: 3 } } });
  });
}

const warned: [name: string, lines: string[], more: Partial<PlanOptions>, text: RegExp | undefined][] = [
  ["a swallowed backslash", ["FROM win", "WORKDIR C:\\app"], {}, /escape character/],
  ["no warning under the backtick", [backtick, "FROM win", "WORKDIR C:\\app"], {}, undefined],
  ["no warning on Linux", ["FROM busy", "WORKDIR C:\\app"], {}, undefined],
  ["mixed forms", ["FROM win", "ENTRYPOINT app", 'CMD ["x"]'], {}, /do not go together/],
  ["one form", ["FROM win", 'ENTRYPOINT ["app"]', 'CMD ["x"]'], {}, undefined],
  ["scratch", ["FROM scratch", "COPY a b"], { targetPlatform: windows }, /hives/],
  [
    "scratch to copy from",
    ["FROM scratch AS s", "COPY a b", "FROM win", "COPY --from=s b ."],
    { targetPlatform: windows },
    undefined,
  ],
];
for (const [name, lines, more, text] of warned) {
  test(`plan: Windows, ${name}`, async (t) => {
    const { warnings } = await plan(lines, more);
    t.is(warnings.length, text === undefined ? 0 : 1, warnings.join("; "));
    if (text) t.regex(warnings[0] ?? "", text);
  });
}
