/** ARG and ENV: who sees what, in which order of precedence. */
import test from "ava";
import { expandInstruction } from "../../../builder/dockerfile/expand.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { GlobalScope, type ScopeOptions, StageScope } from "../../../builder/dockerfile/scope.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const options: ScopeOptions = {
  buildPlatform: amd64,
  targetPlatform: { os: "linux", architecture: "arm", variant: "v7" },
};

/** Reads a Dockerfile, walks its first stage, and gives the scope afterwards with what its LABELs came to. */
function walk(text: string, more: Partial<ScopeOptions> = {}, env: string[] = []) {
  const source = { name: "Dockerfile", text };
  const dockerfile = parseDockerfile(source);
  const global = new GlobalScope(dockerfile, { ...options, ...more });
  const stages: StageScope[] = [];
  const said: string[] = [];
  for (const stage of dockerfile.stages) {
    const image = global.expand(stage.from.image, global.lookup);
    said.push(`FROM ${image}`);
    const base = dockerfile.stages.findIndex((each) => each.name === image);
    const scope = new StageScope(global, env, stages[base]);
    stages.push(scope);
    for (const instruction of stage.instructions) {
      if (instruction.kind === "ARG") scope.declare(instruction);
      const expanded = expandInstruction(instruction, scope.lookup, { escape: dockerfile.escape, source });
      if (expanded.kind === "ENV") scope.setEnv(expanded.pairs);
      if (expanded.kind === "LABEL")
        said.push(expanded.pairs.map((pair) => `${pair.key.text}=${pair.value.text}`).join(" "));
    }
  }
  return { global, scope: stages.at(-1) as StageScope, said };
}

const cases: [title: string, dockerfile: string, buildArgs: Record<string, string>, said: string[]][] = [
  ["a global ARG reaches FROM", "ARG V=3\nFROM a:$V", {}, ["FROM a:3"]],
  ["--build-arg wins over the default", "ARG V=3\nFROM a:$V", { V: "4" }, ["FROM a:4"]],
  ["global ARGs see earlier ones", "ARG A=1\nARG B=$A-2\nFROM a:$B", {}, ["FROM a:1-2"]],
  ["a global ARG does not reach the stage", "ARG A=1\nFROM a\nLABEL x=$A", {}, ["FROM a", "x="]],
  ["a bare ARG takes the global value", "ARG A=1\nFROM a\nARG A\nLABEL x=$A", {}, ["FROM a", "x=1"]],
  ["a default in the stage wins over the global", "ARG A=1\nFROM a\nARG A=2\nLABEL x=$A", {}, ["FROM a", "x=2"]],
  ["--build-arg wins in the stage", "FROM a\nARG A=2\nLABEL x=$A", { A: "3" }, ["FROM a", "x=3"]],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a Dockerfile word.
  ["an empty --build-arg is a value", "FROM a\nARG A=2\nLABEL x=${A-unset}", { A: "" }, ["FROM a", "x="]],
  ["an ARG is visible only after its line", "FROM a\nLABEL x=$A\nARG A=1\nLABEL y=$A", {}, ["FROM a", "x=", "y=1"]],
  ["an ARG behind an ENV wins while it builds", "FROM a\nENV A=e\nARG A=g\nLABEL x=$A", {}, ["FROM a", "x=g"]],
  ["… with the value of --build-arg, too", "FROM a\nENV A=e\nARG A\nLABEL x=$A", { A: "b" }, ["FROM a", "x=b"]],
  ["an ARG without any value hides nothing", "FROM a\nENV A=e\nARG A\nLABEL x=$A", {}, ["FROM a", "x=e"]],
  ["an ARG declared again keeps its value", "FROM a\nARG A=1\nARG A\nLABEL x=$A", {}, ["FROM a", "x=1"]],
  [
    "an inherited ENV wins over an inherited ARG",
    "FROM a AS b\nARG PATH=1\nFROM b\nLABEL x=$PATH",
    {},
    ["FROM a", "FROM b", "x=/bin"],
  ],
  [
    "what only scanners are told is no variable",
    "FROM a\nARG BUILDKIT_SBOM_SCAN_STAGE=true\nLABEL x=$BUILDKIT_SBOM_SCAN_STAGE",
    {},
    ["FROM a", "x="],
  ],
  ["ENV after ARG", "FROM a\nARG A=g\nENV A=e-$A\nLABEL x=$A", {}, ["FROM a", "x=e-g"]],
  ["one ENV sees only what was before it", "FROM a\nENV A=1\nENV A=2 B=$A\nLABEL x=$B", {}, ["FROM a", "x=1"]],
  ["one ARG line goes from left to right", "FROM a\nARG A=1 B=$A\nLABEL x=$B", {}, ["FROM a", "x=1"]],
  ["platform arguments reach FROM", "FROM --platform=$BUILDPLATFORM a:$TARGETARCH$TARGETVARIANT", {}, ["FROM a:armv7"]],
  [
    "platform arguments reach a stage by ARG",
    "FROM a\nARG TARGETPLATFORM\nLABEL x=$TARGETPLATFORM y=$TARGETOS",
    {},
    ["FROM a", "x=linux/arm/v7 y="],
  ],
  ["TARGETSTAGE", "FROM a\nARG TARGETSTAGE\nLABEL x=$TARGETSTAGE", {}, ["FROM a", "x=default"]],
  ["a child stage inherits ARGs", "FROM a AS b\nARG A=1\nFROM b\nLABEL x=$A", {}, ["FROM a", "FROM b", "x=1"]],
  ["another stage does not", "FROM a AS b\nARG A=1\nFROM c\nLABEL x=$A", {}, ["FROM a", "FROM c", "x="]],
  [
    "a proxy argument is not visible to words",
    "FROM a\nLABEL x=$HTTP_PROXY",
    { HTTP_PROXY: "http://p" },
    ["FROM a", "x="],
  ],
  ["label names expand too", "FROM a\nARG N=k\nLABEL $N.x=1", {}, ["FROM a", "k.x=1"]],
];
for (const [title, text, buildArgs, said] of cases) {
  test(`scope: ${title}`, (t) => t.deepEqual(walk(text, { buildArgs }, ["PATH=/bin"]).said, said));
}

test("RUN gets proxies, ARGs with a value and ENV, ENV last", (t) => {
  const text = "FROM a\nARG A=1\nARG NONE\nARG BOTH=arg\nENV BOTH=env C=c";
  const { scope } = walk(text, { buildArgs: { http_proxy: "http://u:p@host" } }, ["PATH=/bin", "C=old"]);
  t.deepEqual(scope.runEnv(), { http_proxy: "http://u:p@host", A: "1", BOTH: "env", PATH: "/bin", C: "c" });
});

test("an undeclared proxy is in no key and no history", (t) => {
  const { scope, global } = walk("FROM a\nARG A=1", { buildArgs: { HTTPS_PROXY: "secret" } });
  t.deepEqual(scope.keyEnv(), { A: "1" });
  t.deepEqual(scope.historyArgs(), ["A=1"]);
  t.deepEqual(global.unused(), []);
});

test("a declared proxy decides the key but stays out of the history", (t) => {
  const { scope } = walk("FROM a\nARG HTTP_PROXY", { buildArgs: { HTTP_PROXY: "secret" } });
  t.deepEqual(scope.keyEnv(), { HTTP_PROXY: "secret" });
  t.deepEqual(scope.historyArgs(), []);
});

test("the history lists each ARG as often as it stands there, with the value that counts, empty when there is none", (t) => {
  const { scope } = walk("FROM a\nARG A=1\nARG B\nARG A=2\nENV B=env");
  t.deepEqual(scope.historyArgs(), ["A=2", "B=env", "A=2"]);
  t.deepEqual(walk("FROM a\nARG B").scope.historyArgs(), ["B="]);
});

test("build arguments that nothing asks for are told", (t) => {
  const buildArgs = { USED: "1", TYPO: "2", SOURCE_DATE_EPOCH: "0", NO_PROXY: "x", GLOBAL: "3", TARGETARCH: "arm64" };
  t.deepEqual(walk("ARG GLOBAL\nFROM a\nARG USED", { buildArgs }).global.unused(), ["TYPO"]);
});

test("a platform argument can be set by hand", (t) => {
  const { said } = walk("FROM a:$TARGETARCH", { buildArgs: { TARGETARCH: "s390x" } });
  t.deepEqual(said, ["FROM a:s390x"]);
});
