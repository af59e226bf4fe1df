/** Provenance of a made-up build: each version and mode, and what is in none of them. */
import test from "ava";
import { stepsOf } from "../../../builder/attest/build-steps.ts";
import { distinctResources, imageResource } from "../../../builder/attest/resource.ts";
import { type BuildRecord, type ProvenanceOptions, provenance } from "../../../builder/attest/slsa.ts";
import type { Node } from "../../../builder/graph/graph.ts";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";

const platform = { os: "linux", architecture: "amd64" };
const span = (line: number) => ({ start: { line, column: 1 }, end: { line, column: 9 } });
const base: Node = {
  id: digestOf("base"),
  op: { kind: "source", reference: "docker.io/library/alpine:3", layers: [], platform },
  inputs: [],
  title: "FROM alpine:3",
  span: span(1),
};
const run: Node = {
  id: digestOf("run"),
  op: {
    kind: "run",
    argv: ["/bin/sh", "-c", "make"],
    env: ["A=1"],
    proxyEnv: ["HTTP_PROXY=http://user:password@proxy"],
    cwd: "/src",
    user: "",
    network: "default",
    extraHosts: [],
    security: "default",
    mounts: [
      { kind: "secret", id: "token", required: true, mode: 0o400, uid: 0, gid: 0 },
      { kind: "ssh", id: "default", target: "/run/ssh", required: false, mode: 0o600, uid: 0, gid: 0 },
    ],
  },
  inputs: [base],
  title: "RUN make",
  span: span(3),
};
const add: Node = {
  id: digestOf("add"),
  op: { kind: "add", from: "context", sources: ["https://user:password@example.org/x.tar", "."], target: "/x" },
  inputs: [run],
  title: "ADD",
};
const blob = (text: string): Descriptor => ({
  mediaType: "application/vnd.oci.image.layer.v1.tar",
  digest: digestOf(text),
  size: 1,
});

const hex = (text: string) => digestOf(text).slice("sha256:".length);

const record: BuildRecord = {
  args: { target: "app", "build-arg:TOKEN": "hush", "label:a": "b", filename: "Dockerfile.app" },
  dockerfile: { name: "Dockerfile.app", text: "FROM alpine:3\n\nRUN make\n" },
  locals: ["context", "dockerfile"],
  secrets: [{ id: "token", optional: false }],
  ssh: [{ id: "default", optional: true }],
  materials: [
    ...[
      imageResource("docker.io/library/alpine:3", digestOf("alpine"), "linux/amd64") as NonNullable<
        ReturnType<typeof imageResource>
      >,
    ],
    { uri: "https://example.org/x.tar", digest: { sha256: hex("x") } },
    { uri: "https://example.org/x.git#main", digest: { sha1: "4b220de5058abfd01ff619c9d2ff6b09a049bea0" } },
  ],
  steps: stepsOf(
    [base, run, add],
    new Map([
      [base.id, [blob("a")]],
      [run.id, [blob("a"), blob("b")]],
    ]),
  ),
  hermetic: false,
  builderPlatform: "linux/amd64",
  invocationId: "id",
  startedMs: 0,
  finishedMs: 1500,
};
const options: ProvenanceOptions = {
  mode: "min",
  version: "v1",
  builderId: "https://ci.example.org/1",
  reproducible: true,
  filename: "provenance.json",
};

const resources = [
  { uri: "https://example.org/x.git#main", digest: { sha1: "4b220de5058abfd01ff619c9d2ff6b09a049bea0" } },
  { uri: "https://example.org/x.tar", digest: { sha256: hex("x") } },
  { uri: "pkg:docker/alpine@3?platform=linux%2Famd64", digest: { sha256: hex("alpine") } },
];

test("v1, mode=min: sources and times, nothing private", (t) => {
  const { predicateType, predicate } = provenance(record, options);
  t.is(predicateType, "https://slsa.dev/provenance/v1");
  t.deepEqual(JSON.parse(JSON.stringify(predicate)), {
    buildDefinition: {
      buildType: "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
      externalParameters: {
        configSource: { path: "Dockerfile.app" },
        request: {
          frontend: "dockerfile.v0",
          args: { target: "app" },
          locals: [{ name: "context" }, { name: "dockerfile" }],
        },
      },
      internalParameters: { builderPlatform: "linux/amd64" },
      resolvedDependencies: resources,
    },
    runDetails: {
      builder: { id: "https://ci.example.org/1" },
      metadata: {
        invocationId: "id",
        startedOn: "1970-01-01T00:00:00.000Z",
        finishedOn: "1970-01-01T00:00:01.500Z",
        buildkit_metadata: {},
        buildkit_hermetic: false,
        buildkit_completeness: { request: false, resolvedDependencies: false },
        buildkit_reproducible: true,
      },
    },
  });
});

interface Max {
  readonly buildDefinition: {
    readonly externalParameters: { readonly request: Record<string, unknown> };
    readonly internalParameters: {
      readonly buildConfig: { readonly llbDefinition: { id: string; op: object; inputs?: string[] }[] };
    };
  };
  readonly runDetails: {
    readonly metadata: {
      readonly buildkit_metadata: {
        source: { infos: { data: string }[]; locations: object };
        layers: Record<string, unknown[][]>;
      };
    };
  };
}

test("v1, mode=max: steps with the lines they come from, layers, arguments; of secrets their names", (t) => {
  const { buildDefinition, runDetails } = provenance(record, { ...options, mode: "max" }).predicate as Max;
  const { request } = buildDefinition.externalParameters;
  t.deepEqual(request.args, { "build-arg:TOKEN": "hush", "label:a": "b", target: "app" });
  t.deepEqual(request.secrets, [{ id: "token", optional: false }]);
  const steps = buildDefinition.internalParameters.buildConfig.llbDefinition;
  t.deepEqual(
    steps.map(({ id, inputs }) => [id, inputs]),
    [
      ["step0", undefined],
      ["step1", ["step0:0"]],
      ["step2", ["step1:0"]],
    ],
  );
  const { source, layers } = runDetails.metadata.buildkit_metadata;
  t.is(Buffer.from(source.infos[0]?.data ?? "", "base64").toString(), record.dockerfile.text);
  t.deepEqual((source.locations as Record<string, unknown>).step1, {
    locations: [{ ranges: [{ start: { line: 3 }, end: { line: 3 } }] }],
  });
  t.is(layers["step1:0"]?.[0]?.length, 2);
});

test("no password of a proxy or of an address is in any of them", (t) => {
  for (const mode of ["min", "max"] as const)
    for (const version of ["v1", "v0.2"] as const)
      t.notRegex(JSON.stringify(provenance(record, { ...options, mode, version })), /password/, `${mode} ${version}`);
});

test("v0.2 says the same in its own words", (t) => {
  const { predicateType, predicate } = provenance(record, { ...options, version: "v0.2" });
  t.is(predicateType, "https://slsa.dev/provenance/v0.2");
  t.deepEqual(JSON.parse(JSON.stringify(predicate)), {
    builder: { id: "https://ci.example.org/1" },
    buildType: "https://mobyproject.org/buildkit@v1",
    materials: resources,
    invocation: {
      configSource: { entryPoint: "Dockerfile.app" },
      parameters: {
        frontend: "dockerfile.v0",
        args: { target: "app" },
        locals: [{ name: "context" }, { name: "dockerfile" }],
      },
      environment: { platform: "linux/amd64" },
    },
    metadata: {
      buildInvocationID: "id",
      buildStartedOn: "1970-01-01T00:00:00.000Z",
      buildFinishedOn: "1970-01-01T00:00:01.500Z",
      completeness: { parameters: false, environment: true, materials: false },
      reproducible: true,
      "https://mobyproject.org/buildkit@v1#hermetic": false,
      "https://mobyproject.org/buildkit@v1#metadata": {},
    },
  });
});

test("a source that is named twice is listed once", (t) => {
  t.is(distinctResources([...record.materials, ...record.materials]).length, 3);
});

test("a build of thousands of steps does not name millions of layers", (t) => {
  const nodes = Array.from({ length: 2000 }, (_, i): Node => ({ ...run, id: digestOf(String(i)), inputs: [] }));
  const all = nodes.map(({ id }) => blob(id));
  const { layers } = stepsOf(nodes, new Map(nodes.map(({ id }, i) => [id, all.slice(0, i + 1)])));
  t.deepEqual(layers["step1999:0"], [[blob(digestOf("1999"))]]);
});
