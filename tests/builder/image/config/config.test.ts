/** The effect of instructions on the image config, and the text that the history gets. */
import test from "ava";
import { expandInstruction } from "../../../../builder/dockerfile/expand.ts";
import type { Instruction } from "../../../../builder/dockerfile/instruction.ts";
import { parseDockerfile } from "../../../../builder/dockerfile/parse.ts";
import { GlobalScope, StageScope } from "../../../../builder/dockerfile/scope.ts";
import { applyInstruction, baseConfig, inheritConfig } from "../../../../builder/image/config/config.ts";
import { createdBy } from "../../../../builder/image/history/created-by.ts";
import { isWbuildError } from "../../../../native/error.ts";
import type { ContainerConfig } from "../../../../registry/oci/image.ts";

/** Applies the lines of a stage; gives the config and the history's texts. */
function build(
  lines: string,
  start: ContainerConfig = {},
  os = "linux",
): { config: ContainerConfig; history: string[] } {
  // Directives stand before everything else.
  const [, directive = "", rest = lines] = /^(# escape=.\n)(.*)$/s.exec(lines) ?? [];
  const source = { name: "Dockerfile", text: `${directive}FROM x\n${rest}` };
  const dockerfile = parseDockerfile(source);
  const platform = { os, architecture: "amd64" };
  const scope = new StageScope(
    new GlobalScope(dockerfile, { buildPlatform: platform, targetPlatform: platform }),
    start.Env ?? [],
    undefined,
    os,
  );
  let config = start;
  let cmdSet = false;
  const history: string[] = [];
  for (const instruction of dockerfile.stages[0]!.instructions) {
    const declared = instruction.kind === "ARG" ? scope.declare(instruction) : [];
    const expanded: Instruction = expandInstruction(instruction, scope.lookup, { escape: dockerfile.escape, source });
    if (expanded.kind === "ENV") scope.setEnv(expanded.pairs);
    config = applyInstruction(config, expanded, { os, cmdSet, source });
    if (expanded.kind === "CMD") cmdSet = true;
    const text = createdBy(expanded, { config, os, args: scope.historyArgs(), declared });
    if (text !== undefined) history.push(text);
  }
  return { config, history };
}

const effects: [title: string, lines: string, start: ContainerConfig, expected: ContainerConfig][] = [
  [
    "ENV adds and replaces in place",
    "ENV A=1 B=2\nENV A=3",
    { Env: ["PATH=/bin", "A=0"] },
    { Env: ["PATH=/bin", "A=3", "B=2"] },
  ],
  ["ENV of a prefix of a name", "ENV AB=1 A=2", {}, { Env: ["AB=1", "A=2"] }],
  [
    "LABEL is sorted, the last wins",
    "LABEL b=1 a=2\nLABEL b=3",
    { Labels: { c: "0" } },
    { Labels: { a: "2", b: "3", c: "0" } },
  ],
  ["WORKDIR joins", "WORKDIR /a\nWORKDIR b/../c/\nWORKDIR ./d", {}, { WorkingDir: "/a/c/d" }],
  ["WORKDIR relative to nothing", "WORKDIR x", {}, { WorkingDir: "/x" }],
  ["WORKDIR relative to the base's", "WORKDIR x", { WorkingDir: "/srv" }, { WorkingDir: "/srv/x" }],
  ["WORKDIR never leaves the root", "WORKDIR ../../x", { WorkingDir: "/" }, { WorkingDir: "/x" }],
  ["WORKDIR /", "WORKDIR /", { WorkingDir: "/a" }, { WorkingDir: "/" }],
  ["USER", "USER me:us", {}, { User: "me:us" }],
  ["CMD in shell form", "CMD echo $A", {}, { Cmd: ["/bin/sh", "-c", "echo $A"], ArgsEscaped: true }],
  ["CMD in exec form", 'CMD ["a", "$A"]', {}, { Cmd: ["a", "$A"], ArgsEscaped: true }],
  [
    "CMD with SHELL",
    'SHELL ["/bin/bash", "-c"]\nCMD x',
    {},
    { Shell: ["/bin/bash", "-c"], Cmd: ["/bin/bash", "-c", "x"], ArgsEscaped: true },
  ],
  ["ENTRYPOINT resets an inherited CMD", 'ENTRYPOINT ["e"]', { Cmd: ["old"] }, { Entrypoint: ["e"] }],
  [
    "ENTRYPOINT keeps a CMD of this stage",
    'CMD ["c"]\nENTRYPOINT ["e"]',
    { Cmd: ["old"] },
    { Cmd: ["c"], ArgsEscaped: true, Entrypoint: ["e"] },
  ],
  ["ENTRYPOINT [] resets", "ENTRYPOINT []", { Entrypoint: ["old"] }, {}],
  ["CMD []", "CMD []", { Cmd: ["old"] }, { Cmd: [], ArgsEscaped: true }],
  [
    "EXPOSE forms",
    "EXPOSE 80 53/UDP 9000-9002/tcp",
    { ExposedPorts: { "1/tcp": {} } },
    { ExposedPorts: { "1/tcp": {}, "53/udp": {}, "80/tcp": {}, "9000/tcp": {}, "9001/tcp": {}, "9002/tcp": {} } },
  ],
  [
    "EXPOSE of a variable with several",
    'ARG P="80 81"\nEXPOSE $P',
    {},
    { ExposedPorts: { "80/tcp": {}, "81/tcp": {} } },
  ],
  ["VOLUME", 'VOLUME ["/b", "/a"]\nVOLUME /c /a', {}, { Volumes: { "/a": {}, "/b": {}, "/c": {} } }],
  ["STOPSIGNAL by name", "STOPSIGNAL SIGRTMIN+3", {}, { StopSignal: "SIGRTMIN+3" }],
  ["STOPSIGNAL by number", "STOPSIGNAL 9", {}, { StopSignal: "9" }],
  [
    "HEALTHCHECK",
    "HEALTHCHECK --interval=5s --retries=2 CMD a b",
    {},
    { Healthcheck: { Test: ["CMD-SHELL", "a b"], Interval: 5e9, Retries: 2 } },
  ],
  ["HEALTHCHECK exec", 'HEALTHCHECK CMD ["a"]', {}, { Healthcheck: { Test: ["CMD", "a"] } }],
  [
    "HEALTHCHECK NONE",
    "HEALTHCHECK NONE",
    { Healthcheck: { Test: ["CMD", "a"], Interval: 1 } },
    { Healthcheck: { Test: ["NONE"] } },
  ],
  ["ONBUILD", "ONBUILD RUN $X\nONBUILD COPY . .", {}, { OnBuild: ["RUN $X", "COPY . ."] }],
  ["RUN, COPY, ARG and MAINTAINER leave it", "RUN x\nCOPY a b\nARG A\nMAINTAINER m", { User: "u" }, { User: "u" }],
];
for (const [title, lines, start, expected] of effects) {
  test(`config: ${title}`, (t) => {
    const before = JSON.stringify(start);
    t.deepEqual(build(lines, start).config, expected);
    t.is(JSON.stringify(start), before, "the config that went in is not touched");
  });
}

test("addresses and ports of the host are taken, as BuildKit does, and mean nothing", (t) => {
  const { config } = build("EXPOSE 8080:80 127.0.0.1::81 [::1]:1-2:82-83/udp ::1:9:84 7-9:85");
  t.deepEqual(Object.keys(config.ExposedPorts ?? {}), ["80/tcp", "81/tcp", "82/udp", "83/udp", "84/tcp", "85/tcp"]);
});

test("keys of labels, ports and volumes are in order, so that equal configs are equal bytes", (t) => {
  const { config } = build("LABEL z=1 a=2\nEXPOSE 90 10\nVOLUME /z /a");
  t.deepEqual(Object.keys(config.Labels ?? {}), ["a", "z"]);
  t.deepEqual(Object.keys(config.ExposedPorts ?? {}), ["10/tcp", "90/tcp"]);
  t.deepEqual(Object.keys(config.Volumes ?? {}), ["/a", "/z"]);
});

const bad: [line: string, code: `DF_${string}`][] = [
  ["EXPOSE x", "DF_PORT"],
  ["EXPOSE 70000", "DF_PORT"],
  ["EXPOSE 80/icmp", "DF_PORT"],
  ["EXPOSE 9-8", "DF_PORT"],
  [`EXPOSE ${"1-65535 ".repeat(4)}`, "DF_PORT"],
  ["EXPOSE 8080:", "DF_PORT"],
  ["EXPOSE x:80", "DF_PORT"],
  ["EXPOSE here:8080:80", "DF_PORT"],
  ["EXPOSE 8000-8001:80-90", "DF_PORT"],
  ["EXPOSE 80/tcp/udp", "DF_PORT"],
  ["STOPSIGNAL SIGNOPE", "DF_SIGNAL"],
  ["STOPSIGNAL 0", "DF_SIGNAL"],
  ["VOLUME $NOTHING", "DF_VOLUME"],
  ["ENV $NOTHING=1", "DF_BLANK_NAME"],
  ["LABEL $NOTHING=1", "DF_BLANK_NAME"],
];
for (const [line, code] of bad) {
  test(`config refuses ${line}`, (t) => {
    const error = t.throws(() => build(line));
    t.true(isWbuildError(error, code), error?.message);
    if (isWbuildError(error)) t.like(error.facts, { file: "Dockerfile", span: { start: { line: 2 } } });
  });
}

test("a misspelt signal is suggested", (t) => {
  const error = t.throws(() => build("STOPSIGNAL SIGTREM"));
  t.is(isWbuildError(error) ? error.hint : "", "did you mean SIGTERM?");
});

test("FROM scratch begins with PATH and /", (t) => {
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  t.deepEqual(baseConfig("linux"), { Env: [path], WorkingDir: "/" });
  t.deepEqual(inheritConfig({ Env: ["A=1"], OnBuild: ["RUN x"] }, "linux"), {
    config: { Env: ["A=1", path] },
    triggers: ["RUN x"],
  });
  t.deepEqual(inheritConfig({ Env: ["PATH=/x"] }, "linux"), { config: { Env: ["PATH=/x"] }, triggers: [] });
  t.deepEqual(inheritConfig({ Env: ["Path=C:\\"] }, "windows").config, { Env: ["Path=C:\\"] });
});

test("FROM scratch of Windows has no PATH: one in Env would hide the registry's", (t) => {
  t.deepEqual(baseConfig("windows"), {});
});

for (const [found, shown] of [
  ["C:\\app", "C:\\app"],
  ["c:/app/", "C:\\app"],
  ["\\app\\x", "C:\\app\\x"],
  ["/app", "C:\\app"],
  ["app", "C:\\app"],
  ["../app", "C:\\app"],
  ["C:", "C:\\"],
  ["D:\\data", "C:\\data"],
  ["", ""],
] as const) {
  test(`Windows: a base's folder ${JSON.stringify(found)} is ${JSON.stringify(shown)}`, (t) => {
    t.deepEqual(inheritConfig({ WorkingDir: found }, "windows").config, { WorkingDir: shown });
  });
}

const tick = "# escape=`\n";
const onWindows: [title: string, lines: string, start: ContainerConfig, expected: ContainerConfig][] = [
  ["ENV keeps the first spelling", "ENV path=x B=1\nENV b=2", { Env: ["Path=C:\\"] }, { Env: ["Path=x", "B=2"] }],
  ["ENV is expanded without case", `${tick}ENV Dir=C:\\x\nENV A=\${dIR}\\y`, {}, { Env: ["Dir=C:\\x", "A=C:\\x\\y"] }],
  ["ARG is expanded without case", "ARG Version=1\nENV V=$VERSION", {}, { Env: ["V=1"] }],
  ["WORKDIR a", "WORKDIR a", {}, { WorkingDir: "C:\\a" }],
  ["WORKDIR after the base's", "WORKDIR a", { WorkingDir: "C:\\app" }, { WorkingDir: "C:\\app\\a" }],
  ["WORKDIR c:\\\\foo", "WORKDIR c:\\\\foo", {}, { WorkingDir: "C:\\foo" }],
  ["WORKDIR \\\\foo", "WORKDIR \\\\foo", { WorkingDir: "C:\\x" }, { WorkingDir: "C:\\foo" }],
  ["WORKDIR \\\\foo under the backtick", `${tick}WORKDIR \\\\foo`, {}, { WorkingDir: "C:\\foo" }],
  ["WORKDIR /foo", "WORKDIR /foo", { WorkingDir: "C:\\x" }, { WorkingDir: "C:\\foo" }],
  ["WORKDIR C:/foo, bar", "WORKDIR C:/foo\nWORKDIR bar", {}, { WorkingDir: "C:\\foo\\bar" }],
  ["WORKDIR C:/foo, \\\\bar", "WORKDIR C:/foo\nWORKDIR \\\\bar", {}, { WorkingDir: "C:\\bar" }],
  ["WORKDIR C:x is relative", "WORKDIR /a\nWORKDIR C:x", {}, { WorkingDir: "C:\\a\\x" }],
  ["WORKDIR cleans", `${tick}WORKDIR C:\\a\\.\\..\\b\\`, {}, { WorkingDir: "C:\\b" }],
  ["WORKDIR never leaves C:", `${tick}WORKDIR ..\\..\\x`, { WorkingDir: "C:\\a" }, { WorkingDir: "C:\\x" }],
  ["WORKDIR C:\\", `${tick}WORKDIR C:\\`, { WorkingDir: "C:\\a" }, { WorkingDir: "C:\\" }],
  ["WORKDIR with blanks", `${tick}WORKDIR "C:\\Program Files\\x"`, {}, { WorkingDir: "C:\\Program Files\\x" }],
  [
    "CMD in shell form is one string",
    `${tick}CMD app.exe --x "a b"`,
    {},
    { Cmd: ['cmd /S /C app.exe --x "a b"'], ArgsEscaped: true },
  ],
  ["CMD in exec form", 'CMD ["app.exe", "a b"]', { ArgsEscaped: true }, { Cmd: ["app.exe", "a b"] }],
  ["CMD []", "CMD []", { Cmd: ["old"], ArgsEscaped: true }, { Cmd: [], ArgsEscaped: true }],
  [
    "CMD with SHELL",
    'SHELL ["powershell", "-Command"]\nCMD Get-Item "C:"',
    {},
    { Shell: ["powershell", "-Command"], Cmd: ['powershell -Command Get-Item "C:"'], ArgsEscaped: true },
  ],
  [
    "ENTRYPOINT in shell form drops an inherited CMD",
    "ENTRYPOINT app",
    { Cmd: ["old"] },
    { Entrypoint: ["cmd /S /C app"], ArgsEscaped: true },
  ],
  ["ENTRYPOINT in exec form", 'ENTRYPOINT ["e"]', { ArgsEscaped: true }, { Entrypoint: ["e"] }],
  ["USER as it is given", `${tick}USER NT\\me`, {}, { User: "NT\\me" }],
  ["VOLUME as it is given", `${tick}VOLUME C:\\data`, {}, { Volumes: { "C:\\data": {} } }],
  ["HEALTHCHECK", "HEALTHCHECK CMD app ping", {}, { Healthcheck: { Test: ["CMD-SHELL", "app ping"] } }],
];
for (const [title, lines, start, expected] of onWindows) {
  test(`Windows config: ${title}`, (t) => t.deepEqual(build(lines, start, "windows").config, expected));
}

for (const text of ["D:\\x", "d:/x", "C:", "C:.", "\\\\server\\share", "//server/share/x", "\\\\.\\pipe\\x"]) {
  test(`Windows: WORKDIR ${text} is refused with its place`, (t) => {
    const error = t.throws(() => build(`${tick}WORKDIR ${text}`, {}, "windows"));
    t.true(isWbuildError(error, "DF_WINDOWS_PATH"), error?.message);
    if (isWbuildError(error)) t.like(error.facts, { span: { start: { line: 3, column: 9 } }, path: text });
  });
}

for (const [lines, history] of [
  ["RUN echo hi", ["RUN cmd /S /C echo hi # buildkit"]],
  [`${tick}RUN echo "a  b" > C:\\x`, ['RUN cmd /S /C echo "a  b" > C:\\x # buildkit']],
  ["ARG A=b\nRUN x", ["ARG A=b", "RUN |1 A=b cmd /S /C x # buildkit"]],
  [`${tick}COPY a C:\\b\\`, ["COPY a C:\\b\\ # buildkit"]],
  ["WORKDIR /a\nWORKDIR b", ["WORKDIR C:\\a", "WORKDIR C:\\a\\b"]],
  ["CMD echo hi", ['CMD ["cmd /S /C echo hi"]']],
  ["ARG Http_Proxy=secret", ["ARG Http_Proxy"]],
] as const) {
  test(`Windows: history text of ${lines.replaceAll("\n", "; ")}`, (t) => {
    t.deepEqual(build(lines, {}, "windows").history, [...history]);
  });
}

const texts: [lines: string, history: string[]][] = [
  ["RUN echo hi", ["RUN /bin/sh -c echo hi # buildkit"]],
  ['RUN ["a", "b c"]', ["RUN a b c # buildkit"]],
  ["ARG A=b\nARG N\nRUN make", ["ARG A=b", "ARG N", "RUN |2 A=b N= /bin/sh -c make # buildkit"]],
  ['SHELL ["/bin/bash", "-c"]\nRUN x', ["SHELL [/bin/bash -c]", "RUN /bin/bash -c x # buildkit"]],
  ["COPY --from=0 --chown=1:2 --chmod=644 a b c/", ["COPY --chown=1:2 --chmod=644 a b c/ # buildkit"]],
  ["ADD x.tar /", ["ADD x.tar / # buildkit"]],
  ['ENV A=b C="d e"', ["ENV A=b C=d e"]],
  ["LABEL a=b", ["LABEL a=b"]],
  ["WORKDIR a\nWORKDIR b", ["WORKDIR /a", "WORKDIR /a/b"]],
  ["USER me", ["USER me"]],
  ['CMD ["a", "b\\"c"]', ['CMD ["a" "b\\"c"]']],
  ["CMD echo hi", ['CMD ["/bin/sh" "-c" "echo hi"]']],
  ['ENTRYPOINT ["e"]', ['ENTRYPOINT ["e"]']],
  ["EXPOSE 80 53/udp", ["EXPOSE [53/udp 80/tcp]"]],
  ["VOLUME /a /b", ["VOLUME [/a /b]"]],
  ["STOPSIGNAL SIGINT", ["STOPSIGNAL SIGINT"]],
  [
    "HEALTHCHECK --interval=90s --retries=3 CMD x",
    ['HEALTHCHECK &{["CMD-SHELL" "x"] "1m30s" "0s" "0s" "0s" \'\\x03\'}'],
  ],
  ["HEALTHCHECK NONE", ['HEALTHCHECK &{["NONE"] "0s" "0s" "0s" "0s" \'\\x00\'}']],
  ["MAINTAINER me", ["MAINTAINER me"]],
  ["ONBUILD RUN x", []],
];
for (const [lines, history] of texts) {
  test(`history text of ${lines.replaceAll("\n", "; ")}`, (t) => t.deepEqual(build(lines).history, history));
}

test("the value of a proxy argument is in no history", (t) => {
  const { history } = build("ARG HTTPS_PROXY=http://user:secret@proxy\nRUN x");
  t.deepEqual(history, ["ARG HTTPS_PROXY", "RUN /bin/sh -c x # buildkit"]);
});
