import test from "ava";
import type { PlanOptions } from "../../../builder/graph/plan-world.ts";
import { isWbuildError } from "../../../native/error.ts";
import { plan, windows } from "./planned.ts";

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
