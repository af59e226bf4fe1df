/** Edits of a configuration: each flag of `wbuild mutate`, by the Dockerfile's rules. */
import test from "ava";
import { parseCommand, parseEntry, parseMember } from "../../../builder/cli/flags/edit-values.ts";
import { type ConfigEdit, editAnnotations, editConfig } from "../../../builder/mutate/config-edit.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import type { ContainerConfig, ImageConfig } from "../../../registry/oci/image.ts";

const rootfs = { type: "layers", diff_ids: [digestOf(Buffer.from("layer"))] } as const;
const linux = (config: ContainerConfig): ImageConfig => ({ os: "linux", architecture: "amd64", rootfs, config });
const windows = (config: ContainerConfig): ImageConfig => ({ ...linux(config), os: "windows" });
const entry = (text: string) => [parseEntry("--x", text)];
const member = (text: string) => [parseMember("--x", text)];
const command = (text: string) => parseCommand("--x", text);

const rows: readonly (readonly [title: string, before: ImageConfig, edit: ConfigEdit, after: ContainerConfig])[] = [
  ["a new variable is the last", linux({ Env: ["A=1"] }), { env: entry("B=2=3") }, { Env: ["A=1", "B=2=3"] }],
  ["a known one keeps its place", linux({ Env: ["A=1", "B=2"] }), { env: entry("A=") }, { Env: ["A=", "B=2"] }],
  ["A- takes one away", linux({ Env: ["A=1", "AB=2"] }), { env: entry("A-") }, { Env: ["AB=2"] }],
  ["- takes all away", linux({ Env: ["A=1", "B=2"] }), { env: entry("-") }, { Env: [] }],
  ["Windows knows no case of names", windows({ Env: ["Path=a"] }), { env: entry("PATH=b") }, { Env: ["Path=b"] }],
  ["nor when one goes", windows({ Env: ["Path=a"] }), { env: entry("PATH-") }, { Env: [] }],
  ["labels are in order", linux({ Labels: { b: "1" } }), { labels: entry("a=2") }, { Labels: { a: "2", b: "1" } }],
  ["a label goes", linux({ Labels: { b: "1" } }), { labels: entry("b-") }, { Labels: {} }],
  ["a range of ports", linux({}), { ports: member("80-81") }, { ExposedPorts: { "80/tcp": {}, "81/tcp": {} } }],
  [
    "a port goes",
    linux({ ExposedPorts: { "80/tcp": {}, "1/udp": {} } }),
    { ports: member("80-") },
    { ExposedPorts: { "1/udp": {} } },
  ],
  [
    "an odd spelling goes by itself",
    linux({ ExposedPorts: { web: {} } }),
    { ports: member("web-") },
    { ExposedPorts: {} },
  ],
  ["a volume", linux({ Volumes: { "/b": {} } }), { volumes: member("/a") }, { Volumes: { "/a": {}, "/b": {} } }],
  [
    "an entrypoint takes the command away",
    linux({ Cmd: ["x"] }),
    { entrypoint: command('["/a"]') },
    { Entrypoint: ["/a"] },
  ],
  [
    "but not one that is given",
    linux({ Cmd: ["x"] }),
    { entrypoint: command('["/a"]'), cmd: command('["y"]') },
    { Entrypoint: ["/a"], Cmd: ["y"] },
  ],
  ["a shell form", linux({}), { cmd: command("echo hi") }, { Cmd: ["/bin/sh", "-c", "echo hi"] }],
  [
    "with the image's shell",
    linux({ Shell: ["/bin/ash"] }),
    { cmd: command("x") },
    { Shell: ["/bin/ash"], Cmd: ["/bin/ash", "x"] },
  ],
  ["no command", linux({ Cmd: ["x"] }), { cmd: command("") }, {}],
  [
    "Windows' shell form is one line",
    windows({}),
    { cmd: command('dir "a b"') },
    { Cmd: ['cmd /S /C dir "a b"'], ArgsEscaped: true },
  ],
  [
    "its exec form is not marked",
    windows({ Cmd: ["x"], ArgsEscaped: true }),
    { cmd: command('["y"]') },
    { Cmd: ["y"] },
  ],
  ["a user", linux({ User: "1" }), { user: "app" }, { User: "app" }],
  ["no user", linux({ User: "1" }), { user: "" }, {}],
  ["a folder goes on from the one before", linux({ WorkingDir: "/a" }), { workdir: "b/" }, { WorkingDir: "/a/b" }],
  ["or from the root", linux({ WorkingDir: "/a" }), { workdir: "/b/../c" }, { WorkingDir: "/c" }],
  [
    "Windows' folders have dockerd's form",
    windows({ WorkingDir: "/a" }),
    { workdir: "b/c" },
    { WorkingDir: "C:\\a\\b\\c" },
  ],
  ["a signal", linux({}), { stopSignal: "SIGINT" }, { StopSignal: "SIGINT" }],
];
for (const [title, before, edit, after] of rows)
  test(`edit: ${title}`, (t) => t.deepEqual(editConfig(before, edit).config, after));

const refused: readonly (readonly [title: string, before: ImageConfig, edit: ConfigEdit])[] = [
  ["a port that is none", linux({}), { ports: member("http") }],
  ["a signal that is none", linux({}), { stopSignal: "SIGSTOPP" }],
  ["Linux' layers for Windows", linux({}), { platform: { os: "windows", architecture: "amd64" } }],
  ["an empty volume", linux({}), { volumes: [{ name: " ", value: "" }] }],
];
for (const [title, before, edit] of refused)
  test(`edit refuses ${title}`, (t) => t.throws(() => editConfig(before, edit), { code: "IMG_EDIT" }) as never);

test("edit: a platform takes the variant of the old one away", (t) => {
  const { os, architecture, variant } = editConfig(
    { ...linux({}), architecture: "arm", variant: "v6" },
    { platform: { os: "linux", architecture: "arm64" } },
  );
  t.deepEqual({ os, architecture, variant }, { os: "linux", architecture: "arm64", variant: undefined });
});

test("edit: fields that nobody here knows stay", (t) => {
  const before = { ...linux({ Env: [] }), "x.vendor": 1, config: { Hostname: "h" } } as ImageConfig;
  t.deepEqual(editConfig(before, { user: "u" }), { ...before, config: { Hostname: "h", User: "u" } } as ImageConfig);
});

test("annotations: set, taken away, and none at all when the last one went", (t) => {
  t.deepEqual(editAnnotations({ b: "1" }, entry("a=2")), { a: "2", b: "1" });
  t.is(editAnnotations({ b: "1" }, entry("b-")), undefined);
  t.deepEqual(editAnnotations({ b: "1" }, undefined), { b: "1" });
});

test("a label called __proto__ is a label", (t) => {
  const after = editAnnotations(undefined, entry("__proto__=x"));
  t.deepEqual(Object.entries(after ?? {}), [["__proto__", "x"]]);
});

for (const text of ["", "A", "=1"]) {
  test(`an entry is not ${JSON.stringify(text)}`, (t) => {
    t.throws(() => parseEntry("--env", text), { code: "CLI_VALUE" });
  });
}
for (const text of ["[", "[1]", '["a\\u0000"]', '["a"']) {
  test(`a command is not ${JSON.stringify(text)}`, (t) => {
    t.throws(() => parseCommand("--cmd", text), { code: "CLI_VALUE" });
  });
}
