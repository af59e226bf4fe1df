/** Targets of bake and Compose files: matrices, inheritance, overrides, groups, and the command line of each. */
/* biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are texts of bake files. */
import test from "ava";
import { argumentsOf } from "../../../builder/bake/arguments.ts";
import { readBake } from "../../../builder/bake/files.ts";
import { parseOverride } from "../../../builder/bake/overrides.ts";
import { checkPermissions } from "../../../builder/bake/permissions.ts";
import { printResolved } from "../../../builder/bake/print.ts";
import { resolve } from "../../../builder/bake/resolve.ts";
import { isWbuildError } from "../../../native/error.ts";

interface Asked {
  readonly names?: readonly string[];
  readonly set?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

async function bake(files: Readonly<Record<string, string>>, { names = [], set = [], env = {} }: Asked = {}) {
  const all = Object.entries(files).map(([name, text]) => ({ name, text }));
  const { definition } = await readBake(all, { env, given: {}, builtIn: { BAKE_LOCAL_PLATFORM: "linux/amd64" } });
  return resolve(
    definition,
    names,
    set.flatMap((text) => parseOverride(text, env) ?? []),
  );
}

async function printed(files: Readonly<Record<string, string>>, asked: Asked = {}) {
  return JSON.parse(printResolved(await bake(files, asked)));
}

async function code(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
  } catch (error) {
    if (isWbuildError(error)) return error.code;
    throw error;
  }
  return undefined;
}

test("a target without anything is this folder's Dockerfile", async (t) => {
  t.deepEqual(await printed({ "docker-bake.hcl": 'target "default" {}' }), {
    group: { default: { targets: ["default"] } },
    target: { default: { context: ".", dockerfile: "Dockerfile" } },
  });
});

test("what is inherited is replaced, added to or merged, as each attribute has it", async (t) => {
  const text = `
target "a" {
  args = { A = "1", B = "1" }
  tags = ["a"]
  cache-from = ["one"]
  platforms = ["linux/amd64"]
  no-cache-filter = ["x"]
  labels = { l = "1" }
  output = ["type=image"]
}
target "b" {
  inherits = ["a"]
  args = { B = "2", C = null }
  tags = ["b"]
  cache-from = ["two"]
  no-cache-filter = ["y"]
  pull = true
}`;
  const { target } = await printed({ "docker-bake.hcl": text }, { names: ["b"] });
  t.deepEqual(target.b, {
    context: ".",
    dockerfile: "Dockerfile",
    args: { A: "1", B: "2" },
    labels: { l: "1" },
    tags: ["b"],
    "cache-from": [
      { ref: "one", type: "registry" },
      { ref: "two", type: "registry" },
    ],
    platforms: ["linux/amd64"],
    output: [{ type: "image" }],
    pull: true,
    "no-cache-filter": ["x", "y"],
  });
});

test("a matrix makes a target of each combination, and a group of them all", async (t) => {
  const text = `
target "app" {
  name = "app-\${os}-\${item.version}"
  matrix = { os = ["a", "b"], item = [{ version = "1" }, { version = "2" }] }
  args = { V = item.version }
  tags = ["\${os}:\${item.version}"]
}`;
  const { group, target } = await printed({ "docker-bake.hcl": text }, { names: ["app"] });
  t.deepEqual(group.app.targets.toSorted(), ["app-a-1", "app-a-2", "app-b-1", "app-b-2"]);
  t.like(target["app-b-2"], { args: { V: "2" }, tags: ["b:2"] });
});

test("records are written as the command line has them", async (t) => {
  const text = `
target "default" {
  cache-to = [{ type = "registry", ref = "r/x:cache", mode = "max" }]
  secret = [{ type = "env", id = "TOKEN" }, "id=file,src=f"]
  ssh = [{ id = "default" }, { id = "k", paths = ["a", "b"] }]
  output = [{ type = "local", dest = "out,put" }]
  attest = [{ type = "provenance", mode = "max" }]
}`;
  const { targets } = await bake({ "docker-bake.hcl": text });
  t.like(targets.get("default"), {
    "cache-to": ["type=registry,mode=max,ref=r/x:cache"],
    secret: ["type=env,id=TOKEN", "id=file,src=f"],
    ssh: ["default", "k=a,b"],
    output: ['type=local,"dest=out,put"'],
    attest: ["type=provenance,mode=max"],
  });
});

const overridden: readonly (readonly [name: string, set: readonly string[], expected: object])[] = [
  ["a text", ["a.dockerfile=D"], { dockerfile: "D" }],
  ["an argument", ["a.args.X=1=2"], { args: { A: "1", X: "1=2" } }],
  ["an argument of the environment", ["a.args.FROM_ENV"], { args: { A: "1", FROM_ENV: "e" } }],
  ["an argument that the environment has not", ["a.args.NOWHERE"], { args: { A: "1" } }],
  ["a list: replaced, then added to", ["*.tags=x", "*.tags=y"], { tags: ["x", "y"] }],
  ["a list: added to", ["a.tags+=x"], { tags: ["a", "x"] }],
  ["the platform", ["*.platform=linux/arm64"], { platforms: ["linux/arm64"] }],
  ["a flag", ["a.no-cache=true"], { "no-cache": true }],
  ["a named context", ["a.contexts.base=docker-image://x"], { contexts: { base: "docker-image://x" } }],
  ["a push", ["a.push=true"], { output: ["type=image,push=true"] }],
  [
    "a push of what goes to the store",
    ["a.output=type=docker", "a.push=true"],
    { output: ["type=docker", "type=image,push=true"] },
  ],
  ["a push of files", ["a.output=type=local,dest=o", "a.push=true"], { output: ["type=local,dest=o"] }],
  ["an output that is pushed", ["a.output=type=image", "a.push=true"], { output: ["type=image,push=true"] }],
  [
    "a load beside another output",
    ["a.output=type=local,dest=o", "a.load=true"],
    { output: ["type=local,dest=o", "type=image"] },
  ],
];

for (const [name, set, expected] of overridden) {
  test(`--set: ${name}`, async (t) => {
    const files = { "docker-bake.hcl": 'target "a" {\n args = { A = "1" }\n tags = ["a"]\n}' };
    t.like((await bake(files, { names: ["a"], set, env: { FROM_ENV: "e" } })).targets.get("a"), expected);
  });
}

test("groups hold groups; a name that is asked for twice is built once", async (t) => {
  const text = `
group "default" { targets = ["all", "a"] }
group "all" { targets = ["a", "b"] }
target "a" {}
target "b" {}`;
  const { group, target } = await printed({ "docker-bake.hcl": text });
  t.deepEqual(group, { all: { targets: ["a", "b"] }, default: { targets: ["a", "all"] } });
  t.deepEqual(Object.keys(target), ["a", "b"]);
});

test("a target whose files another takes comes first, and only for that", async (t) => {
  const text = 'target "app" {\n contexts = { base = "target:base" }\n}\ntarget "base" {}';
  const { targets, linked } = await bake({ "docker-bake.hcl": text }, { names: ["app"] });
  t.deepEqual([...targets.keys()], ["base", "app"]);
  t.deepEqual([...linked], ["base"]);
});

test("later files change what earlier ones say, and set their variables", async (t) => {
  const files = {
    "docker-bake.hcl":
      'variable "V" { default = "one" }\ntarget "default" {\n tags = ["a:${V}"]\n args = { A = "1" }\n}',
    "docker-bake.override.hcl": 'V = "two"\ntarget "default" {\n args = { B = "2" }\n}',
    "more.json": '{"target": {"default": {"labels": {"l": "${V}"}}}}',
  };
  t.like((await bake(files)).targets.get("default"), {
    tags: ["a:two"],
    args: { A: "1", B: "2" },
    labels: { l: "two" },
  });
});

test("attributes of other targets can be used", async (t) => {
  const text =
    'target "a" {\n dockerfile = "A.Dockerfile"\n args = { X = "1" }\n}\ntarget "b" {\n dockerfile = target.a.dockerfile\n args = target.a.args\n}';
  t.like((await bake({ "docker-bake.hcl": text }, { names: ["b"] })).targets.get("b"), {
    dockerfile: "A.Dockerfile",
    args: { X: "1" },
  });
});

test("what is printed is a bake file of the same meaning", async (t) => {
  const text = 'target "default" {\n args = { A = "$${not} %%{this}" }\n dockerfile-inline = "RUN echo $${HOME}"\n}';
  const once = printResolved(await bake({ "docker-bake.hcl": text }));
  t.is(printResolved(await bake({ "docker-bake.json": once })), once);
});

test("the build sections of a Compose file", async (t) => {
  const text = `
services:
  web.api:
    image: "web:\${TAG:-latest}"
    build:
      context: ./web
      dockerfile: D
      target: final
      args: { A: 1, FROM_ENV: null, NOWHERE: null }
      labels: ["l=1"]
      extra_hosts: ["h:10.0.0.1"]
      additional_contexts: { base: "service:base", other: ./x }
      ulimits: { nofile: { soft: 1, hard: 2 } }
      secrets: [token]
      x-bake: { platforms: [linux/amd64, linux/arm64], tags: "a b", no-cache: true }
  base:
    build: ./base
  ready:
    image: nothing-to-build
secrets:
  token: { environment: TOKEN }
`;
  const { groups, targets } = await bake({ "compose.yaml": text }, { env: { FROM_ENV: "e" } });
  t.deepEqual(groups.get("default"), ["web_api", "base"]);
  t.deepEqual(targets.get("web_api"), {
    context: "./web",
    contexts: { base: "target:base", other: "./x" },
    dockerfile: "D",
    target: "final",
    args: { A: "1", FROM_ENV: "e" },
    labels: { l: "1" },
    "extra-hosts": { h: "10.0.0.1" },
    ulimits: ["nofile=1:2"],
    secret: ["id=token,env=TOKEN"],
    platforms: ["linux/amd64", "linux/arm64"],
    tags: ["a", "b"],
    "no-cache": true,
  });
});

test("x-bake adds to the tags and platforms that a build section lists, and replaces the image as tag", async (t) => {
  const text = `
services:
  listed:
    image: img
    build: { context: ., tags: [a, b], platforms: [linux/amd64], x-bake: { tags: [b, c], platforms: [linux/arm64] } }
  named:
    image: img
    build: { context: ., x-bake: { tags: [c] } }
`;
  const { targets } = await bake({ "compose.yaml": text });
  t.like(targets.get("listed"), { tags: ["a", "b", "c"], platforms: ["linux/amd64", "linux/arm64"] });
  t.deepEqual(targets.get("named")?.tags, ["c"]);
});

const interpolations: readonly (readonly [text: string, value: string])[] = [
  ["$A-${A}", "a-a"],
  ["${B:-else}", "else"],
  ["${E:-else}", "else"],
  ["${E-else}", ""],
  ["${A:+then}", "then"],
  ["${B:-${A}}", "a"],
  ["$$A", "$A"],
];

for (const [text, expected] of interpolations) {
  test(`variables in Compose files: ${text}`, async (t) => {
    const files = {
      "compose.yaml": `services:\n  s:\n    build:\n      context: .\n      dockerfile: ${JSON.stringify(text)}\n`,
    };
    t.is((await bake(files, { env: { A: "a", E: "" } })).targets.get("s")?.dockerfile, expected || "Dockerfile");
  });
}

test("a target as the command line of a build", async (t) => {
  const text = `
target "default" {
  context = "sub"
  dockerfile = "d/Dockerfile"
  args = { A = "x y" }
  tags = ["t"]
  platforms = ["linux/amd64", "windows/amd64"]
  contexts = { n = "cwd://dir" }
  network = "none"
  pull = true
}`;
  const { targets } = await bake({ "docker-bake.hcl": text });
  t.deepEqual(argumentsOf(targets.get("default") ?? {}, "/tmp/inline").args, [
    "-f",
    "sub/d/Dockerfile",
    "--build-arg=A=x y",
    "--build-context=n=dir",
    "-t",
    "t",
    "--platform=linux/amd64",
    "--platform=windows/amd64",
    "--network=none",
    "--pull",
    "--",
    "sub",
  ]);
});

const refused: readonly (readonly [
  name: string,
  files: Readonly<Record<string, string>>,
  asked: Asked,
  code: string,
])[] = [
  ["a target that is not there", { "b.hcl": 'target "a" {}' }, { names: ["b"] }, "BAKE_TARGET"],
  ["no default", { "b.hcl": 'target "a" {}' }, {}, "BAKE_TARGET"],
  ["an unknown attribute", { "b.hcl": 'target "default" { tag = ["x"] }' }, {}, "BAKE_VALUE"],
  ["a list that is a text", { "b.hcl": 'target "default" { tags = "x" }' }, {}, "BAKE_VALUE"],
  ["a name with a dot", { "b.hcl": 'target "a.b" {}' }, {}, "BAKE_VALUE"],
  ["a name without a matrix", { "b.hcl": 'target "default" { name = "x" }' }, {}, "BAKE_VALUE"],
  ["a matrix without a name", { "b.hcl": 'target "default" { matrix = { a = ["1"] } }' }, {}, "BAKE_VALUE"],
  [
    "inheritance in a circle",
    { "b.hcl": 'target "default" { inherits = ["b"] }\ntarget "b" { inherits = ["default"] }' },
    {},
    "BAKE_LOOP",
  ],
  ["links in a circle", { "b.hcl": 'target "default" { contexts = { b = "target:default" } }' }, {}, "BAKE_LOOP"],
  ["a --set that fits no target", { "b.hcl": 'target "default" {}' }, { set: ["x*.tags=a"] }, "BAKE_SET"],
  ["a --set of what targets have not", { "b.hcl": 'target "default" {}' }, { set: ["default.colour=red"] }, "BAKE_SET"],
  ["a --set without a target", { "b.hcl": 'target "default" {}' }, { set: ["tags=a"] }, "BAKE_SET"],
  [
    "a --set of an argument without its name",
    { "b.hcl": 'target "default" {}' },
    { set: ["default.args=a"] },
    "BAKE_SET",
  ],
  ["no JSON", { "b.json": "{" }, {}, "BAKE_SYNTAX"],
  ["no YAML", { "compose.yaml": "a: [" }, {}, "BAKE_SYNTAX"],
  ["a Compose file of another shape", { "compose.yaml": "services: [1]" }, {}, "BAKE_SYNTAX"],
  [
    "a Compose variable that must be there",
    { "compose.yaml": "services:\n  a:\n    build: ${X:?needed}" },
    {},
    "BAKE_VALUE",
  ],
  [
    "an external secret",
    { "compose.yaml": "services:\n  a:\n    build: {context: ., secrets: [s]}\nsecrets:\n  s: {external: true}" },
    {},
    "BAKE_SYNTAX",
  ],
];

for (const [name, files, asked, expected] of refused) {
  test(`refused: ${name}`, async (t) => t.is(await code(bake(files, asked)), expected));
}

const reaching: readonly (readonly [
  name: string,
  body: string,
  allow: readonly string[],
  missing: readonly string[],
])[] = [
  ["its own folder", 'context = "sub"', [], []],
  ["a context outside", 'context = "/etc"', [], ["fs.read=/etc"]],
  ["a context outside that is allowed", 'context = "/etc"', ["fs.read=/etc"], []],
  ["everything allowed", 'context = "/etc"\noutput = ["/opt/out"]', ["fs=*"], []],
  ["reading is no writing", 'output = ["type=local,dest=/opt/out"]', ["fs.read=/opt"], ["fs.write=/opt/out"]],
  ["a Dockerfile above", 'dockerfile = "../../../etc/x"', [], ["fs.read=/etc/x"]],
  ["a secret outside", 'secret = ["id=a,src=/root/.ssh/id"]', [], ["fs.read=/root/.ssh/id"]],
  ["an entitlement", 'network = "host"', [], ["network.host"]],
  ["an entitlement that is allowed", 'network = "host"', ["network.host"], []],
  ["images and repositories are no paths", 'contexts = { a = "docker-image://alpine", b = "https://x/y.git" }', [], []],
];

for (const [name, body, allowed, missing] of reaching) {
  test(`what a file may touch: ${name}`, async (t) => {
    const { targets } = await bake({ "docker-bake.hcl": `target "default" {\n${body}\n}` });
    const error = (() => {
      try {
        checkPermissions(targets, { folder: "/nowhere/here/there", allowed });
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    })();
    if (missing.length === 0) t.is(error, undefined);
    else t.like(error, { code: "BAKE_ALLOW", facts: { missing } });
  });
}
/* biome-ignore-end lint/suspicious/noTemplateCurlyInString: end of file. */
