/** RUN's mounts, devices and surroundings in the graph: what they are, and which of them make it another step. */
import test from "ava";
import type { RunOp } from "../../../builder/graph/graph.ts";
import type { PlanOptions } from "../../../builder/graph/plan-world.ts";
import { isWbuildError } from "../../../native/error.ts";
import { baseImage, plan as planLines, windows } from "./planned.ts";

async function plan(run: string, more: Partial<PlanOptions> = {}) {
  const base = more.targetPlatform?.os === "windows" ? "win" : "busy";
  const lines = [`FROM busy AS files`, "RUN make", `FROM ${base}`, "ARG WHERE=/from/arg", "WORKDIR /w", run];
  const findBase = async (name: string) => baseImage(name, { Env: ["PATH=/bin"] });
  const { graph, warnings } = await planLines(lines, { findBase, ...more });
  const node = graph.target.node;
  return { node, op: node.op as RunOp, inputs: node.inputs.slice(1), warnings };
}

const rows: [flags: string, mounts: RunOp["mounts"]][] = [
  ["--mount=target=/a", [{ kind: "bind", input: 1, source: "context", target: "/a" }]],
  [
    "--mount=source=x/../y,target=a,rw",
    [{ kind: "bind", input: 1, source: "context", target: "/w/a", writable: true }],
  ],
  [
    "--mount=from=files,source=../x/./y/,target=$WHERE",
    [{ kind: "bind", input: 1, source: "x/y", target: "/from/arg" }],
  ],
  ["--mount=from=other,target=/a", [{ kind: "bind", input: 1, source: "", target: "/a" }]],
  ["--mount=type=cache,target=/c/", [{ kind: "cache", id: "/c", target: "/c", sharing: "shared" }]],
  [
    "--mount=type=cache,id=x,target=c,sharing=locked,ro,mode=0700,uid=1,gid=2,from=files,source=s",
    [
      {
        kind: "cache",
        id: "x",
        target: "/w/c",
        sharing: "locked",
        readonly: true,
        mode: 0o700,
        uid: 1,
        gid: 2,
        input: 1,
        source: "s",
      },
    ],
  ],
  ["--mount=type=tmpfs,target=/t,size=1k", [{ kind: "tmpfs", target: "/t", sizeBytes: 1024 }]],
  [
    "--mount=type=secret,id=k",
    [{ kind: "secret", id: "k", target: "/run/secrets/k", required: false, mode: 0o400, uid: 0, gid: 0 }],
  ],
  [
    "--mount=type=secret,id=k,env=K,required",
    [{ kind: "secret", id: "k", env: "K", required: true, mode: 0o400, uid: 0, gid: 0 }],
  ],
  [
    "--mount=type=ssh --mount=type=ssh,id=b",
    [
      { kind: "ssh", id: "default", target: "/run/buildkit/ssh_agent.0", required: false, mode: 0o600, uid: 0, gid: 0 },
      { kind: "ssh", id: "b", target: "/run/buildkit/ssh_agent.1", required: false, mode: 0o600, uid: 0, gid: 0 },
    ],
  ],
  [
    "--mount=type=tmpfs,target=/a/b --mount=target=/a",
    [
      { kind: "bind", input: 1, source: "context", target: "/a" },
      { kind: "tmpfs", target: "/a/b" },
    ],
  ],
];
for (const [flags, mounts] of rows)
  test(`RUN ${flags}`, async (t) => {
    t.deepEqual((await plan(`RUN ${flags} x`)).op.mounts, mounts);
  });

test("files of the context are a node of their own, by name and not by pattern; each once", async (t) => {
  const { inputs, op } = await plan(
    "RUN --mount=source=a*[b],target=/a --mount=source=./a*[b],target=/b --mount=target=/c x",
  );
  t.deepEqual(
    inputs.map((node) => node.op),
    [
      { kind: "copy", from: "context", sources: ["a\\*\\[b\\]"], target: "/context" },
      { kind: "copy", from: "context", sources: ["."], target: "/context" },
    ],
  );
  t.deepEqual(
    op.mounts?.map((mount) => "input" in mount && mount.input),
    [1, 1, 2],
  );
});

test("on Windows targets count from C:, and backslashes separate", async (t) => {
  const { op } = await plan("RUN --mount=source=a\\\\\\\\b,target=c:/X/y --mount=type=cache,target=z x", {
    targetPlatform: windows,
  });
  t.deepEqual(
    op.mounts?.map((mount) => mount.target),
    ["/X/y", "/w/z"],
  );
});

const refused: [run: string, code: string][] = [
  ["RUN --mount=target=/ x", "DF_MOUNT"],
  ["RUN --mount=target=/a/../.. x", "DF_MOUNT"],
  ["RUN --network=host x", "DF_NOT_ALLOWED"],
  ["RUN --security=insecure x", "DF_NOT_ALLOWED"],
  ["RUN --device=a.com/b=c x", "DF_NOT_ALLOWED"],
  ["RUN --mount=from=2,target=/a x", "DF_STAGE_INDEX"],
];
for (const [run, code] of refused)
  test(`refused, with its line: ${run}`, async (t) => {
    const error = await t.throwsAsync(plan(run));
    t.true(isWbuildError(error, code as "DF_MOUNT"), String(error));
    t.is((error as { facts?: { span?: { start: { line: number } } } }).facts?.span?.start.line, 6);
  });

const granted: [run: string, allow: PlanOptions["allow"], field: Partial<RunOp>][] = [
  ["RUN --network=host x", { networkHost: true }, { network: "host" }],
  ["RUN --security=insecure x", { insecure: true }, { security: "insecure" }],
  ["RUN --security=sandbox x", {}, { security: "default" }],
  ["RUN --device=a.com/b=c x", { devices: true }, { devices: [{ name: "a.com/b=c", required: false }] }],
  [
    "RUN --device=a.com/b=c,required x",
    { devices: ["a.com/b=c"] },
    { devices: [{ name: "a.com/b=c", required: true }] },
  ],
  ["RUN --device=a.com/b=c x", { devices: ["a.com/b"] }, { devices: [{ name: "a.com/b=c", required: false }] }],
];
for (const [run, allow, field] of granted)
  test(`granted by ${JSON.stringify(allow)}: ${run}`, async (t) => {
    t.like((await plan(run, { ...(allow === undefined ? {} : { allow }) })).op, field);
  });

/** The same command with another mount, flag or option: is it another step? */
const keys: [
  what: string,
  a: string,
  b: string,
  another: boolean,
  more?: [Partial<PlanOptions>, Partial<PlanOptions>],
][] = [
  ["a mount at all", "", "--mount=type=tmpfs,target=/a", true],
  ["its target", "--mount=type=tmpfs,target=/a", "--mount=type=tmpfs,target=/b", true],
  ["its type", "--mount=type=tmpfs,target=/a", "--mount=type=cache,target=/a", true],
  [
    "the order in which mounts are written",
    "--mount=target=/a --mount=target=/b",
    "--mount=target=/b --mount=target=/a",
    false,
  ],
  ["another spelling of an option", "--mount=src=x,dst=/a", "--mount=type=bind,source=./x,target=/a,ro", false],
  ["whether a bind can be written to", "--mount=target=/a", "--mount=target=/a,rw", true],
  ["what a bind comes from", "--mount=target=/a", "--mount=from=files,target=/a", true],
  [
    "the part of it that is mounted",
    "--mount=from=files,source=x,target=/a",
    "--mount=from=files,source=y,target=/a",
    true,
  ],
  ["a cache's id", "--mount=type=cache,target=/a", "--mount=type=cache,id=b,target=/a", true],
  ["a cache's sharing", "--mount=type=cache,target=/a", "--mount=type=cache,target=/a,sharing=locked", true],
  ["a secret's id", "--mount=type=secret,id=a,target=/a", "--mount=type=secret,id=b,target=/a", true],
  ["whether a secret is required", "--mount=type=secret,id=a", "--mount=type=secret,id=a,required", true],
  ["the network", "--network=none", "--network=default", true],
  ["the default network, in words", "", "--network=default", false],
  ["the default security, in words", "", "--security=sandbox", false],
  ["what a caller allows", "", "", false, [{}, { allow: { networkHost: true, insecure: true, devices: true } }]],
  [
    "the namespace of caches",
    "--mount=type=cache,target=/a",
    "--mount=type=cache,target=/a",
    true,
    [{}, { buildArgs: { BUILDKIT_CACHE_MOUNT_NS: "x" } }],
  ],
  ["the namespace where there is no cache", "", "", false, [{}, { buildArgs: { BUILDKIT_CACHE_MOUNT_NS: "x" } }]],
  ["the name of the host", "", "", true, [{}, { buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: "x" } }]],
  ["an empty name of the host", "", "", false, [{}, { buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: "" } }]],
];
for (const [what, a, b, another, [first, second] = [{}, {}]] of keys)
  test(`${another ? "another" : "the same"} step: ${what}`, async (t) => {
    const [one, two] = [await plan(`RUN ${a} x`, first), await plan(`RUN ${b} x`, second)];
    t.is(one.node.id !== two.node.id, another);
    t.deepEqual([...one.warnings, ...two.warnings], []);
  });
