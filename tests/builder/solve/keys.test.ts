/** What changes the key of a step, and what does not: row by row. What stands here is what a cache can be trusted with. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { openFolder } from "../../../builder/context/folder/folder.ts";
import type { Node } from "../../../builder/graph/graph.ts";
import { opKey } from "../../../builder/graph/key.ts";
import type { PlanOptions } from "../../../builder/graph/plan-world.ts";
import type { BaseImage } from "../../../builder/image/stored/base-image.ts";
import { contentKey, definitionKey, structureKey } from "../../../builder/solve/cache.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { openStore } from "../../../layerfs/store/store.ts";
import type { ContainerConfig } from "../../../registry/oci/image.ts";
import { noRoot, testUnless } from "../../doubles/test-unless.ts";
import { plan } from "../graph/planned.ts";

interface Planned {
  readonly lines: readonly string[];
  readonly options?: Partial<PlanOptions>;
  /** What the base's only layer holds. */
  readonly layer?: string;
  readonly config?: ContainerConfig;
}

/** The last node of a Dockerfile. */
async function nodeOf({ lines, options = {}, layer = "layer", config = {} }: Planned): Promise<Node> {
  const findBase: PlanOptions["findBase"] = async (name, wanted): Promise<BaseImage> => {
    const diffId = digestOf(layer);
    const blob = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: diffId, size: 1 };
    const windows = name.startsWith("win") ? { os: "windows", "os.version": "10.0.20348.2700" } : {};
    const own = { ...wanted, ...windows, config, rootfs: { type: "layers" as const, diff_ids: [diffId] } };
    return { reference: `registry.test/${name}`, layers: [{ blob, diffId }], config: own };
  };
  const { graph } = await plan(lines, { findBase, ...options });
  return graph.target.node;
}

type Row = readonly [what: string, changes: boolean, one: Planned, other: Planned];

const run = (...lines: string[]): Planned => ({ lines: ["FROM base", ...lines] });
const plain = run("RUN make");
const with_ = (options: Partial<PlanOptions>, planned: Planned = plain): Planned => ({ ...planned, options });
const arg = (lines: string[], value: string): Planned => with_({ buildArgs: { V: value } }, run(...lines));
const mount = (text: string) => run(`RUN --mount=${text} make`);

const runRows: readonly Row[] = [
  ["the command", true, plain, run("RUN make all")],
  ["shell form against exec form", true, plain, run('RUN ["make"]')],
  ["SHELL", true, plain, run('SHELL ["/bin/bash", "-c"]', "RUN make")],
  ["a variable", true, run("ENV A=1", "RUN make"), run("ENV A=2", "RUN make")],
  ["the order of variables", true, run("ENV A=1 B=2", "RUN make"), run("ENV B=2 A=1", "RUN make")],
  ["a variable set after the step", false, run("RUN make", "ENV A=1"), run("RUN make", "ENV A=2")],
  [
    "an ARG in force, though the command does not name it",
    true,
    arg(["ARG V", "RUN make"], "1"),
    arg(["ARG V", "RUN make"], "2"),
  ],
  ["an ARG of the command", true, arg(["ARG V", "RUN echo $V"], "1"), arg(["ARG V", "RUN echo $V"], "2")],
  ["an ARG declared after the step", false, arg(["RUN make", "ARG V"], "1"), arg(["RUN make", "ARG V"], "2")],
  ["a --build-arg that no ARG declares", false, arg(["RUN make"], "1"), arg(["RUN make"], "2")],
  [
    "a proxy of --build-arg",
    false,
    with_({ buildArgs: { HTTP_PROXY: "http://one" } }),
    with_({ buildArgs: { HTTP_PROXY: "http://two" } }),
  ],
  ["USER", true, run("USER 1", "RUN make"), run("USER 2", "RUN make")],
  ["a comment of the file", false, plain, run("# why", "RUN make")],
  ["a continued line", false, run("RUN make all"), run("RUN make\\\n all")],
  ["LABEL", false, plain, run("LABEL a=b", "RUN make")],
  ["--label", false, plain, with_({ labels: { a: "b" } })],
  [
    "EXPOSE, CMD, ENTRYPOINT, VOLUME, STOPSIGNAL, HEALTHCHECK, MAINTAINER",
    false,
    plain,
    run(
      "EXPOSE 80",
      'CMD ["x"]',
      'ENTRYPOINT ["y"]',
      "VOLUME /v",
      "STOPSIGNAL 9",
      "HEALTHCHECK NONE",
      "MAINTAINER me",
      "RUN make",
    ),
  ],
  ["the stage's name", false, { lines: ["FROM base AS one", "RUN make"] }, { lines: ["FROM base AS two", "RUN make"] }],
  ["the base's name", false, plain, { lines: ["FROM other", "RUN make"] }],
  ["the base's layers", true, plain, { ...plain, layer: "another" }],
  ["the base's labels", false, plain, { ...plain, config: { Labels: { a: "b" } } }],
  ["the base's variables", true, plain, { ...plain, config: { Env: ["A=1"] } }],
  ["the base's USER", true, plain, { ...plain, config: { User: "app" } }],
  ["the base's folder", true, plain, { ...plain, config: { WorkingDir: "/app" } }],
  ["a step before", true, plain, run("RUN true", "RUN make")],
  ["--network of the build", true, plain, with_({ network: "none" })],
  ["--network of the step", true, plain, run("RUN --network=none make")],
  ["--network of the step, as the build has it", false, with_({ network: "none" }), run("RUN --network=none make")],
  ["--add-host", true, plain, with_({ extraHosts: [["db", "10.0.0.1"]] })],
  [
    "the address of --add-host",
    true,
    with_({ extraHosts: [["db", "10.0.0.1"]] }),
    with_({ extraHosts: [["db", "10.0.0.2"]] }),
  ],
  ["the host name of the sandbox", true, plain, with_({ buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: "box" } })],
  [
    "the architecture of scratch",
    true,
    { lines: ["FROM scratch", "COPY a /", "RUN /a"] },
    { lines: ["FROM --platform=linux/arm64 scratch", "COPY a /", "RUN /a"] },
  ],
  [
    "the variant of an architecture",
    true,
    { lines: ["FROM --platform=linux/arm/v6 scratch", "RUN /a"] },
    { lines: ["FROM --platform=linux/arm/v7 scratch", "RUN /a"] },
  ],
  ["the platform of the build itself", false, plain, with_({ buildPlatform: { os: "linux", architecture: "arm64" } })],
  ["Windows", true, plain, { lines: ["FROM win", "RUN make"] }],
  ["a here-document's text", true, run("RUN <<E\nmake\nE"), run("RUN <<E\nmake all\nE")],
  ["a here-document's delimiter", false, run("RUN <<E\nmake\nE"), run("RUN <<F\nmake\nF")],
  ["a secret's id", true, mount("type=secret,id=a"), mount("type=secret,id=b")],
  ["a secret's place", true, mount("type=secret,id=a"), mount("type=secret,id=a,target=/a")],
  ["that a secret is required", true, mount("type=secret,id=a"), mount("type=secret,id=a,required=true")],
  ["an ssh agent's id", true, mount("type=ssh,id=a"), mount("type=ssh,id=b")],
  ["a cache's id", true, mount("type=cache,target=/c,id=a"), mount("type=cache,target=/c,id=b")],
  ["a cache's place", true, mount("type=cache,id=a,target=/c"), mount("type=cache,id=a,target=/d")],
  ["a cache's sharing", true, mount("type=cache,target=/c"), mount("type=cache,target=/c,sharing=locked")],
  ["the size of a tmpfs", true, mount("type=tmpfs,target=/t"), mount("type=tmpfs,target=/t,size=1m")],
  ["a bind's place", true, mount("type=bind,target=/b"), mount("type=bind,target=/c")],
  ["a bind's source", true, mount("type=bind,target=/b,source=x"), mount("type=bind,target=/b,source=y")],
  ["that a bind can be written", true, mount("type=bind,target=/b"), mount("type=bind,target=/b,rw")],
  [
    "what another stage mounts its files from",
    true,
    { lines: ["FROM base AS s", "RUN one", "FROM base", "RUN --mount=from=s,target=/s make"] },
    { lines: ["FROM base AS s", "RUN two", "FROM base", "RUN --mount=from=s,target=/s make"] },
  ],
  [
    "the order of mounts of different places",
    false,
    run("RUN --mount=type=tmpfs,target=/a --mount=type=tmpfs,target=/b make"),
    run("RUN --mount=type=tmpfs,target=/b --mount=type=tmpfs,target=/a make"),
  ],
];

const copyRows: readonly Row[] = [
  ["the sources' names", true, run("COPY a /x/"), run("COPY b /x/")],
  ["the target", true, run("COPY a /x"), run("COPY a /y")],
  ["a target that says it is a folder", true, run("COPY a /x"), run("COPY a /x/")],
  ["WORKDIR, for a relative target", true, run("WORKDIR /a", "COPY a x"), run("WORKDIR /b", "COPY a x")],
  ["--chown", true, run("COPY a /x"), run("COPY --chown=1:2 a /x")],
  ["--chmod", true, run("COPY --chmod=644 a /x"), run("COPY --chmod=755 a /x")],
  ["--exclude", true, run("COPY a /x"), run("COPY --exclude=*.o a /x")],
  ["--parents", true, run("COPY a/b /x/"), run("COPY --parents a/b /x/")],
  ["--link", true, run("COPY a /x"), run("COPY --link a /x")],
  ["ADD", true, run("COPY a /x"), run("ADD a /x")],
  ["--unpack", true, run("ADD a /x"), run("ADD --unpack=false a /x")],
  ["a here-document's text", true, run("COPY <<a /x/\n1\na"), run("COPY <<a /x/\n2\na")],
  ["ENV", false, run("ENV A=1", "COPY a /x"), run("ENV A=2", "COPY a /x")],
  ["USER", false, run("USER 1", "COPY a /x"), run("USER 2", "COPY a /x")],
  ["--network", false, run("COPY a /x"), with_({ network: "none" }, run("COPY a /x"))],
  ["LABEL", false, run("COPY a /x"), run("LABEL a=b", "COPY a /x")],
  [
    "the architecture",
    false,
    { lines: ["FROM scratch", "COPY a /"] },
    { lines: ["FROM --platform=linux/arm64 scratch", "COPY a /"] },
  ],
  ["how a relative target is written", false, run("COPY a /x/y"), run("WORKDIR /", "COPY a x/y")],
  [
    "the stage that it copies from",
    true,
    { lines: ["FROM base AS s", "RUN one", "FROM base", "COPY --from=s /a /"] },
    { lines: ["FROM base AS s", "RUN two", "FROM base", "COPY --from=s /a /"] },
  ],
  [
    "the name of the stage that it copies from",
    false,
    { lines: ["FROM base AS s", "RUN one", "FROM base", "COPY --from=s /a /"] },
    { lines: ["FROM base AS t", "RUN one", "FROM base", "COPY --from=t /a /"] },
  ],
  ["the folder of WORKDIR", true, run("WORKDIR /a"), run("WORKDIR /b")],
  ["who WORKDIR makes it for", true, run("USER 1", "WORKDIR /a"), run("USER 2", "WORKDIR /a")],
];

for (const [kind, rows] of [
  ["RUN", runRows],
  ["COPY", copyRows],
] as const) {
  for (const [what, changes, one, other] of rows)
    test(`${kind}: ${what} ${changes ? "changes the key" : "changes nothing"}`, async (t) => {
      const ids = [(await nodeOf(one)).id, (await nodeOf(other)).id];
      if (changes) t.not(ids[0], ids[1]);
      else t.is(ids[0], ids[1]);
    });
}

test("keys that older versions gave are still found", async (t) => {
  // A change of these makes every cache worthless, those of other machines too: then bump the version in opKey.
  t.is(opKey((await nodeOf(plain)).op), "sha256:a1dbfe5b87d6d78cafe0df22860fa836089605fd8dd33020f7975b9bd9937d38");
  t.is(
    opKey((await nodeOf(run("COPY a b /x/"))).op),
    "sha256:95b3d45f53a98ce7b9bf24bc4a8752bccef6f9317deb2c24d879e41d0591ebb5",
  );
  t.is(
    opKey((await nodeOf(run("WORKDIR /x"))).op),
    "sha256:5723c23e4826504153909fb1191d636cc9712f8e34124eef85c7e2c726b2aac2",
  );
  const [a, b] = [digestOf("a"), digestOf("b")];
  t.is(definitionKey(a, b, a), digestOf(`definition/1 ${a} ${b} ${a}`));
  t.is(contentKey(a, undefined, undefined), digestOf(`content/1 ${a} - scratch`));
  t.not(structureKey(a, b, [a, b]), structureKey(a, b, [b, a]));
  t.not(structureKey(a, undefined, [a]), structureKey(a, a, [a]));
});

interface Files {
  readonly folder: string;
  /** What COPY of `x` and `y` finds. */
  key(): Promise<string>;
}

function files(t: ExecutionContext): Files {
  const top = mkdtempSync(join(tmpdir(), "wbuild-test-"));
  const folder = join(top, "context");
  mkdirSync(join(folder, "x"), { recursive: true });
  writeFileSync(join(folder, "x/one"), "1");
  writeFileSync(join(folder, "y"), "y");
  const store = openStore(join(top, "home"), { upkeep: false });
  t.teardown(() => {
    store[Symbol.dispose]();
    rmSync(top, { recursive: true, force: true });
  });
  return {
    folder,
    key: async () => (await openFolder(folder, undefined, store.facts)).contentKey({ sources: ["x", "y"] }),
  };
}

const fileRows: readonly (readonly [what: string, changes: boolean, change: (at: (path: string) => string) => void])[] =
  [
    ["nothing", false, () => undefined],
    ["a file's bytes", true, (at) => writeFileSync(at("x/one"), "2")],
    ["a new file", true, (at) => writeFileSync(at("x/two"), "")],
    ["a file that goes", true, (at) => rmSync(at("x/one"))],
    ["an empty folder", true, (at) => mkdirSync(at("x/empty"))],
    ["a file's mode", true, (at) => chmodSync(at("x/one"), 0o755)],
    [
      "the mode of a folder in what is copied",
      true,
      (at) => {
        mkdirSync(at("x/empty"), { mode: 0o700 });
      },
    ],
    [
      "times",
      false,
      (at) => {
        utimesSync(at("x/one"), 1, 1);
        utimesSync(at("y"), 1, 1);
        utimesSync(at("x"), 1, 1);
      },
    ],
    [
      "a link in place of a file",
      true,
      (at) => {
        rmSync(at("x/one"));
        symlinkSync("../y", at("x/one"));
      },
    ],
    ["a file beside what is copied", false, (at) => writeFileSync(at("beside"), "")],
  ];
for (const [what, changes, change] of fileRows)
  test(`COPY's files: ${what} ${changes ? "changes the key" : "changes nothing"}`, async (t) => {
    const { folder, key } = files(t);
    const before = await key();
    change((path) => join(folder, path));
    if (changes) t.not(await key(), before);
    else t.is(await key(), before);
  });

testUnless(noRoot)("COPY's files: owners on the host change nothing (only root can try)", async (t) => {
  const { folder, key } = files(t);
  const before = await key();
  chownSync(join(folder, "x/one"), 1234, 1234);
  chownSync(join(folder, "x"), 1234, 1234);
  t.is(await key(), before);
});
