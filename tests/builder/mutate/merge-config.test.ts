/** What a rebased image's configuration and history are made of. */
import test from "ava";
import { mergeConfigs, mergeHistories } from "../../../builder/mutate/merge-config.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import type { ContainerConfig, History, ImageConfig } from "../../../registry/oci/image.ts";

const diffIds = (count: number) => Array.from({ length: count }, (_, at) => digestOf(Buffer.from(String(at))));
const image = (config: ContainerConfig, layers = 1, more: Partial<ImageConfig> = {}): ImageConfig => ({
  os: "linux",
  architecture: "amd64",
  rootfs: { type: "layers", diff_ids: diffIds(layers) },
  config,
  ...more,
});

type Config = ContainerConfig;
const rows: readonly (readonly [title: string, old: Config, own: Config, base: Config, after: Config])[] = [
  [
    "what the image left alone is the new base's",
    { Env: ["A=1"] },
    { Env: ["A=1"] },
    { Env: ["A=2"] },
    { Env: ["A=2"] },
  ],
  ["what it changed is its own", { Env: ["A=1"] }, { Env: ["A=9"] }, { Env: ["A=2"] }, { Env: ["A=9"] }],
  [
    "what it added comes last",
    { Env: ["A=1"] },
    { Env: ["A=1", "B=1"] },
    { Env: ["C=1", "A=2"] },
    { Env: ["C=1", "A=2", "B=1"] },
  ],
  ["what it took away stays away", { Env: ["A=1"] }, { Env: [] }, { Env: ["A=2", "C=1"] }, { Env: ["C=1"] }],
  ["what the new base took away goes", { Env: ["A=1"] }, { Env: ["A=1"] }, {}, {}],
  [
    "labels one by one",
    { Labels: { a: "1", b: "1" } },
    { Labels: { a: "9", b: "1" } },
    { Labels: { b: "2", c: "2" } },
    { Labels: { a: "9", b: "2", c: "2" } },
  ],
  [
    "ports too",
    { ExposedPorts: { "1/tcp": {} } },
    { ExposedPorts: { "1/tcp": {}, "2/tcp": {} } },
    {},
    { ExposedPorts: { "2/tcp": {} } },
  ],
  ["the base's command", { Cmd: ["sh"] }, { Cmd: ["sh"] }, { Cmd: ["bash"] }, { Cmd: ["bash"] }],
  [
    "the image's entrypoint, and no command of the base",
    { Cmd: ["sh"] },
    { Entrypoint: ["/a"] },
    { Cmd: ["bash"] },
    { Entrypoint: ["/a"] },
  ],
  [
    "the mark goes with the command",
    { Cmd: ["sh"], ArgsEscaped: true },
    { Cmd: ["x"] },
    { Cmd: ["y"], ArgsEscaped: true },
    { Cmd: ["x"] },
  ],
  ["a user of the base", { User: "1" }, { User: "1" }, { User: "2" }, { User: "2" }],
  ["triggers are not inherited", {}, {}, { OnBuild: ["RUN x"] }, {}],
  ["but the image's own are kept", { OnBuild: ["RUN x"] }, { OnBuild: ["RUN y"] }, {}, { OnBuild: ["RUN y"] }],
];
for (const [title, old, own, base, after] of rows)
  test(`config: ${title}`, (t) => t.deepEqual(mergeConfigs(image(old), image(own), image(base)).config, after));

test("config: names without case on Windows", (t) => {
  const windows = (config: ContainerConfig) => image(config, 1, { os: "windows" });
  const merged = mergeConfigs(windows({ Env: ["Path=a"] }), windows({ Env: ["PATH=b"] }), windows({ Env: ["path=c"] }));
  t.deepEqual(merged.config, { Env: ["PATH=b"] });
});

test("config: system, version and variant are the new base's, the author is the image's", (t) => {
  const old = image({}, 1, { os: "windows", "os.version": "10.0.20348.1" });
  const own = { ...old, author: "me", variant: "v9" };
  const base = image({}, 1, { os: "windows", "os.version": "10.0.20348.2", author: "them" });
  const { author, variant, ...merged } = mergeConfigs(old, own, base);
  t.is(merged["os.version"], "10.0.20348.2");
  t.is(author, "me");
  t.is(variant, undefined);
});

const line = (text: string, hasLayer = true): History => ({
  created_by: text,
  ...(hasLayer ? {} : { empty_layer: true }),
});

test("history: the new base's, then what is the image's own", (t) => {
  const old = image({}, 1, { history: [line("old"), line("ENV", false)] });
  const own = image({}, 2, { history: [line("old"), line("ENV", false), line("USER", false), line("mine")] });
  const base = image({}, 1, { history: [line("new")] });
  t.deepEqual(mergeHistories(old, own, base), [line("new"), line("USER", false), line("mine")]);
});

test("history: told by layers where lines were written otherwise", (t) => {
  const old = image({}, 1, { history: [line("another word for it")] });
  const own = image({}, 2, { history: [line("old"), line("mine")] });
  t.deepEqual(mergeHistories(old, own, image({}, 1, { history: [line("new")] })), [line("new"), line("mine")]);
});

test("history: a base without history has a line for each layer, so that the others stand at their layers", (t) => {
  const lines = mergeHistories(image({}, 1), image({}, 2, { history: [line("x"), line("mine")] }), image({}, 3));
  t.is(lines.filter(({ empty_layer }) => !empty_layer).length, 4);
  t.deepEqual(lines.at(-1), line("mine"));
});
