/** history --dockerfile: what is written back must parse, and mean the same config. */
import test from "ava";
import fc from "fast-check";
import { expandInstruction } from "../../../../builder/dockerfile/expand.ts";
import type { Instruction } from "../../../../builder/dockerfile/instruction.ts";
import { parseDockerfile } from "../../../../builder/dockerfile/parse.ts";
import { GlobalScope, StageScope } from "../../../../builder/dockerfile/scope.ts";
import { applyInstruction, baseConfig } from "../../../../builder/image/config/config.ts";
import { createdBy, historyEntry } from "../../../../builder/image/history/created-by.ts";
import { readRun, splitPairs } from "../../../../builder/image/history/created-by-parse.ts";
import { historyToDockerfile } from "../../../../builder/image/history/to-dockerfile.ts";
import { isWbuildError } from "../../../../native/error.ts";
import type { ContainerConfig, History, Image } from "../../../../registry/oci/image.ts";

const platform = { os: "linux", architecture: "amd64" };

function imageOf(config: ContainerConfig, history: readonly History[], author?: string, os = "linux"): Image {
  const descriptor = { mediaType: "m", digest: `sha256:${"0".repeat(64)}` as const, size: 1 };
  return {
    descriptor,
    manifest: { schemaVersion: 2, mediaType: "m", config: descriptor, layers: [] },
    config: {
      ...platform,
      os,
      config,
      history,
      rootfs: { type: "layers", diff_ids: [] },
      ...(author ? { author } : {}),
    },
  };
}

/** What wbuild itself would make of a Dockerfile's last stage: config and history. */
function build(text: string, os = "linux"): Image {
  const source = { name: "Dockerfile", text };
  const dockerfile = parseDockerfile(source);
  const scope = new StageScope(
    new GlobalScope(dockerfile, { buildPlatform: platform, targetPlatform: platform }),
    baseConfig(os).Env ?? [],
    undefined,
    os,
  );
  let config = baseConfig(os);
  let cmdSet = false;
  const history: History[] = [];
  for (const instruction of dockerfile.stages.at(-1)!.instructions) {
    const declared = instruction.kind === "ARG" ? scope.declare(instruction) : [];
    const expanded: Instruction = expandInstruction(instruction, scope.lookup, { escape: dockerfile.escape, source });
    if (expanded.kind === "ENV") scope.setEnv(expanded.pairs);
    config = applyInstruction(config, expanded, { os, cmdSet, source });
    if (expanded.kind === "CMD") cmdSet = true;
    const said = createdBy(expanded, { config, os, args: scope.historyArgs(), declared });
    if (said !== undefined)
      history.push(historyEntry(said, "2024-01-01T00:00:00Z", /^(RUN|COPY|ADD|WORKDIR)/.test(said)));
  }
  return imageOf(config, history, undefined, os);
}

/** Equal but for what means the same: no list and an empty list, no folder and `/`. */
function normal({ WorkingDir, Cmd, Entrypoint, ArgsEscaped, ...rest }: ContainerConfig) {
  return { ...rest, WorkingDir: WorkingDir || "/", Cmd: Cmd ?? [], Entrypoint: Entrypoint ?? [] };
}

const roundTrips: [title: string, lines: string][] = [
  ["nothing", ""],
  ["ENV with blanks and odd characters", 'ENV A="two words" B=\'$not\' C=a\\"b D= E=back\\\\slash F=a=b G="#x" H=ü'],
  ["ENV whose value looks like another pair", 'ENV A="x B=1" C=2'],
  ["ENV set twice", "ENV A=1\nENV A=2 PATH=/only"],
  ["LABEL", 'LABEL "a b"=c org.x.y="some \\"quoted\\" text" z=\'$HOME\' empty=""'],
  ["commands", 'ENTRYPOINT exec top -b\nCMD ["a b", "\\"c", "$D", "\\\\", "\\t"]'],
  ["CMD in shell form", "CMD echo hi && ls | wc -l"],
  ["CMD with another shell", 'SHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN false | true\nCMD x\nENTRYPOINT ["y"]'],
  ["CMD that looks like a flag or JSON", 'CMD ["/bin/sh", "-c", "--flag"]\nENTRYPOINT ["/bin/sh", "-c", "[ -f x ]"]'],
  ["ENTRYPOINT after CMD", 'CMD ["c"]\nENTRYPOINT ["e"]'],
  ["CMD []", "CMD []"],
  ["WORKDIR and USER", 'WORKDIR /a\nWORKDIR b c\nUSER "me:us"\nWORKDIR "/$x\'y\\\\"'],
  ["EXPOSE, VOLUME, STOPSIGNAL", 'EXPOSE 80 53/udp 7000-7002\nVOLUME ["/a b", "/c"]\nVOLUME /d /e\nSTOPSIGNAL SIGQUIT'],
  [
    "HEALTHCHECK",
    "HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=2s --start-interval=1.5s --retries=7 CMD curl -f x || exit 1",
  ],
  ["HEALTHCHECK exec", 'HEALTHCHECK --retries=100 CMD ["a", "b \\"c"]'],
  ["HEALTHCHECK NONE", "HEALTHCHECK NONE"],
  ["ONBUILD", "ONBUILD RUN make $X\nONBUILD COPY . /app"],
  ["ARG and RUN", 'ARG A=b\nARG C="d e"\nARG N\nRUN echo $A > /x\nRUN ["ls", "-l"]\nENV A=from-$A'],
  ["COPY and ADD", 'COPY --from=0 --chown=a:b x y/\nCOPY ["a b", "/c d/"]\nADD x.tar /\nCOPY *.txt $HOME/x /t/'],
  ["MAINTAINER", "MAINTAINER Me <me@example.com>"],
];
for (const [title, lines] of roundTrips) {
  test(`written back and built again: ${title}`, (t) => {
    const image = build(`FROM scratch\n${lines}\n`);
    const text = historyToDockerfile(image);
    t.deepEqual(normal(build(text).config.config ?? {}), normal(image.config.config ?? {}), text);
    t.false(text.includes("not written as an instruction"), text);
  });
}

const scripts: [title: string, lines: string][] = [
  ["a script", "RUN <<EOF\nset -e\n  echo $A \\\n    b\n# EOF\nEOF"],
  ["tabs taken away", "RUN <<-X\n\ta\n\t\tb\nX"],
  ["a script that holds the usual name", "RUN <<X\na\nEOF\nb\nX"],
  ["a command with documents", "RUN cat <<-'A' 3<<B > /x\n\ta\n\tA\nb\nB"],
  ["ARGs before it", "ARG A=b\nRUN <<EOF\na\nb\nEOF"],
  ["carriage returns", "RUN <<EOF\r\na\r\nb\r\nEOF"],
];
for (const [title, lines] of scripts) {
  for (const os of ["linux", "windows"]) {
    test(`a here-document comes back, ${os}: ${title}`, (t) => {
      const image = build(`FROM scratch\n${lines}\nUSER a\n`, os);
      const text = historyToDockerfile(image);
      const steps = (one: Image) => one.config.history?.map((step) => step.created_by);
      t.deepEqual(steps(build(text, os)), steps(image), text);
      t.regex(text, /RUN .*<</);
    });
  }
}

test("what a history does not tell of here-documents is said", (t) => {
  const image = build(
    "FROM scratch\nRUN <<EOF\n#!/bin/awk -f\nBEGIN {}\nEOF\nCOPY --parents <<a.conf b /etc/\nx\na.conf\n",
  );
  t.deepEqual(historyToDockerfile(image).split("\n").slice(3, -1), [
    "# the text of /dev/pipes/… is not in the history",
    "RUN /dev/pipes/EOF",
    "# sources are from a build context, a stage or an image that the history does not name",
    "# << is a here-document: its text is in the layer, not in the history",
    "COPY --parents b a.conf /etc/",
  ]);
});

test("a trigger with a here-document comes back", (t) => {
  const image = build("FROM scratch\nONBUILD RUN <<'EOF' cat\n$a\nEOF\nONBUILD COPY <<a /b\nx\na\n");
  const text = historyToDockerfile(image);
  t.deepEqual(build(text).config.config?.OnBuild, ["RUN <<'EOF' cat\n$a\nEOF", "COPY <<a /b\nx\na"], text);
});

const onWindows: [title: string, lines: string][] = [
  ["folders", 'WORKDIR C:\\app\nWORKDIR bin\nWORKDIR "C:\\Program Files\\x y"\nWORKDIR C:\\'],
  ["ENV with paths, quotes and backticks", 'ENV A=C:\\a\\ B="C:\\b c\\" C=``x D=`"q`" E=`$e\nENV path=x Path=y'],
  ["commands in shell form", 'ENTRYPOINT app --x "a  b"\nCMD dir C:\\'],
  ["commands in exec form", 'ENTRYPOINT ["C:\\\\app.exe", "a b"]\nCMD ["x\\\\", "\\"q\\""]'],
  ["another shell", 'SHELL ["powershell", "-Command"]\nRUN Get-Item C:\\x\nCMD Write-Host "$env:Path"'],
  ["COPY", 'COPY a b\\c C:\\x\\\nCOPY --chown=BUILTIN\\\\Users ["a b", "C:\\\\Program Files\\\\"]'],
  ["VOLUME, USER, HEALTHCHECK", "VOLUME C:\\data\nUSER NT\\me\nHEALTHCHECK CMD app ping C:\\ || exit 1"],
  ["RUN and ARG", "ARG A=C:\\x\nRUN if exist %A% del C:\\x\\"],
  ["ONBUILD", "ONBUILD COPY . C:\\src"],
];
for (const [title, lines] of onWindows) {
  test(`written back and built again, Windows: ${title}`, (t) => {
    const image = build(`# escape=\`\nFROM scratch\n${lines}\n`, "windows");
    const text = historyToDockerfile(image);
    t.true(text.startsWith("# escape=`\n"), text);
    const again = build(text, "windows");
    t.deepEqual(again.config.config ?? {}, image.config.config ?? {}, text);
    const steps = (one: Image) => one.config.history?.map((step) => step.created_by);
    // What no history has is said by the configuration, and comes as an instruction of its own.
    t.deepEqual(steps(again), steps(image), text);
    t.false(text.includes("not written as an instruction"), text);
  });
}

test("Windows, BuildKit: a shell form of several strings is kept as such", (t) => {
  const config: ContainerConfig = { WorkingDir: "\\app", Cmd: ["cmd", "/S", "/C", "app"], ArgsEscaped: true };
  const history = [
    { created_by: "WORKDIR \\app" },
    { created_by: 'CMD ["cmd" "/S" "/C" "app"]', empty_layer: true },
    { created_by: "cmd /S /C echo hi" },
  ];
  const text = historyToDockerfile(imageOf(config, history, undefined, "windows"));
  t.deepEqual(text.trimEnd().split("\n").slice(3), [
    "FROM scratch",
    "WORKDIR \\app",
    'CMD ["cmd", "/S", "/C", "app"]',
    "RUN echo hi",
  ]);
});

const entries: [title: string, entry: History, lines: string[]][] = [
  ["BuildKit RUN", { created_by: "RUN /bin/sh -c make # buildkit" }, ["RUN make"]],
  [
    "BuildKit RUN with ARGs",
    { created_by: "RUN |2 A=b c D=e /bin/sh -c make all # buildkit" },
    ['ARG A="b c"', "ARG D=e", "RUN make all"],
  ],
  [
    "BuildKit RUN over several lines",
    { created_by: "RUN /bin/sh -c a\nb # buildkit" },
    ['RUN ["/bin/sh", "-c", "a\\nb"]'],
  ],
  [
    "BuildKit COPY",
    { created_by: "COPY --chown=node:node a b /c # buildkit" },
    [
      "# sources are from a build context, a stage or an image that the history does not name",
      "COPY --chown=node:node a b /c",
    ],
  ],
  ["BuildKit WORKDIR", { created_by: "WORKDIR /app" }, ["WORKDIR /app"]],
  [
    "BuildKit EXPOSE, old",
    { created_by: "EXPOSE map[80/tcp:{} 53/udp:{}]", empty_layer: true },
    ["EXPOSE 80/tcp 53/udp"],
  ],
  ["BuildKit VOLUME", { created_by: "VOLUME [/a /b]", empty_layer: true }, ['VOLUME ["/a", "/b"]']],
  [
    "BuildKit HEALTHCHECK, old",
    { created_by: 'HEALTHCHECK &{["CMD-SHELL" "x"] "5s" "0s" "0s" \'\\x03\'}', empty_layer: true },
    ["HEALTHCHECK --interval=5s --retries=3 CMD x"],
  ],
  ["classic RUN", { created_by: "/bin/sh -c apt-get update" }, ["RUN apt-get update"]],
  ["classic RUN with ARGs", { created_by: "|1 A=b /bin/sh -c make" }, ["ARG A=b", "RUN make"]],
  [
    "classic CMD",
    { created_by: '/bin/sh -c #(nop)  CMD ["nginx" "-g" "daemon off;"]', empty_layer: true },
    ['CMD ["nginx", "-g", "daemon off;"]'],
  ],
  [
    "classic CMD in shell form",
    { created_by: '/bin/sh -c #(nop)  CMD ["/bin/sh" "-c" "echo hi"]', empty_layer: true },
    ["CMD echo hi"],
  ],
  ["classic ENV", { created_by: "/bin/sh -c #(nop)  ENV A=b", empty_layer: true }, ["ENV A=b"]],
  [
    "classic ADD",
    { created_by: "/bin/sh -c #(nop) ADD file:0123abcd in / " },
    ["# file:, dir: and multi: stand for sources of which the history has only a digest", "ADD file:0123abcd /"],
  ],
  [
    "classic COPY of several with an owner",
    { created_by: "/bin/sh -c #(nop) COPY --chown=a:b multi:0123 in /x y/ " },
    [
      "# file:, dir: and multi: stand for sources of which the history has only a digest",
      'COPY --chown=a:b ["multi:0123", "/x y/"]',
    ],
  ],
  ["classic EXPOSE", { created_by: "/bin/sh -c #(nop)  EXPOSE 80 443", empty_layer: true }, ["EXPOSE 80 443"]],
  ["classic VOLUME", { created_by: "/bin/sh -c #(nop)  VOLUME [/data]", empty_layer: true }, ['VOLUME ["/data"]']],
  [
    "classic Windows",
    { created_by: "cmd /S /C #(nop)  USER ContainerUser", empty_layer: true },
    ["USER ContainerUser"],
  ],
  ["buildah", { created_by: '/bin/sh -c #(nop) CMD ["sh"]', empty_layer: true }, ['CMD ["sh"]']],
  [
    "buildah ENTRYPOINT as JSON",
    { created_by: '/bin/sh -c #(nop) ENTRYPOINT ["/x","y"]', empty_layer: true },
    ['ENTRYPOINT ["/x", "y"]'],
  ],
  [
    "a tool's own words",
    { created_by: "# debian.sh --arch 'amd64' out/ 'bookworm'" },
    ["# # debian.sh --arch 'amd64' out/ 'bookworm'"],
  ],
  ["nothing", { comment: "imported" }, ["# a step that its builder did not describe (imported)"]],
  ["an attempt to break out of the comment", { created_by: "x\nRUN evil\r\nRUN worse" }, ["# x RUN evil RUN worse"]],
  [
    "an attempt to break out of a word",
    { created_by: "USER a\nRUN evil", empty_layer: true },
    ["# not written as an instruction: USER a RUN evil"],
  ],
];
for (const [title, entry, lines] of entries) {
  test(`history entry read back: ${title}`, (t) => {
    const text = historyToDockerfile(imageOf({}, [entry]));
    const written = text.trimEnd().split("\n").slice(3);
    t.deepEqual(written.slice(0, lines.length), lines, text);
    t.notThrows(() => parseDockerfile({ name: "x", text }));
  });
}

test("a known base is named and its steps are left out", (t) => {
  const image = imageOf({ Env: ["PATH=/bin", "A=1"], Cmd: ["sh"] }, [
    { created_by: 'CMD ["sh"]', empty_layer: true },
    { created_by: "ENV A=1", empty_layer: true },
  ]);
  const text = historyToDockerfile(image, {
    name: "alpine:3",
    entries: 1,
    config: { Env: ["PATH=/bin"], Cmd: ["sh"] },
  });
  t.deepEqual(text.split("\n").slice(2), ["FROM alpine:3", "ENV A=1", ""]);
});

test("what the config has and the history does not is written after it", (t) => {
  const config: ContainerConfig = {
    Env: ["A=b c"],
    Labels: { l: "v" },
    User: "u",
    Cmd: ["x"],
    WorkingDir: "/w",
    StopSignal: "SIGINT",
    OnBuild: ["RUN y"],
  };
  const lines = historyToDockerfile(imageOf(config, [], "me"))
    .split("\n")
    .slice(3);
  t.deepEqual(lines.slice(0, 9), [
    'ENV A="b c"',
    "LABEL l=v",
    "WORKDIR /w",
    "USER u",
    "STOPSIGNAL SIGINT",
    'CMD ["x"]',
    "ONBUILD RUN y",
    "MAINTAINER me",
    "# the image has no variable PATH",
  ]);
});

test("pairs are cut where the config says so", (t) => {
  t.deepEqual(splitPairs("A=x B=1 C=2", undefined, { A: "x B=1", C: "2" }), [
    ["A", "x B=1"],
    ["C", "2"],
  ]);
  t.deepEqual(splitPairs("A=x B=1 C=2"), [
    ["A", "x"],
    ["B", "1"],
    ["C", "2"],
  ]);
  t.deepEqual(splitPairs("no pairs"), []);
});

test("the arguments of an exec form are split at blanks, and said to be", (t) => {
  t.deepEqual(readRun("|1 A=b ls -l", ["/bin/sh", "-c"]), { args: ["A=b"], argv: ["ls", "-l"], isGuessed: true });
});

const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.stringMatching(/^[ -~\n\\"'$=[\]{}|#<]{0,40}$/));
const said = fc.oneof(
  text,
  fc
    .tuple(
      fc.constantFrom(
        "RUN",
        "RUN |1 A=b",
        "COPY",
        "ENV",
        "LABEL",
        "CMD",
        "HEALTHCHECK &{",
        "EXPOSE [",
        "VOLUME [",
        "ARG",
        "USER",
        "SHELL [",
        "/bin/sh -c #(nop) ",
      ),
      text,
    )
    .map((parts) => parts.join(" ")),
);

test("whatever a history says, the result is a Dockerfile", (t) => {
  fc.assert(
    fc.property(
      fc.array(said, { maxLength: 6 }),
      fc.dictionary(text, text, { maxKeys: 3 }),
      fc.array(text, { maxLength: 3 }),
      (history, pairs, argv) => {
        const config: ContainerConfig = {
          Env: Object.entries(pairs).map((pair) => pair.join("=")),
          Labels: pairs,
          Cmd: argv,
          User: argv[0] ?? "",
          OnBuild: argv,
        };
        const written = historyToDockerfile(
          imageOf(
            config,
            history.map((created_by) => ({ created_by })),
          ),
        );
        try {
          parseDockerfile({ name: "x", text: written });
        } catch (error) {
          if (!isWbuildError(error)) throw error;
          t.fail(`${error.code} ${error.message}\n${written}`);
          throw error;
        }
      },
    ),
    { numRuns: 400 },
  );
  t.pass();
});

const word = fc.stringMatching(/^[!-~ éß日]{1,20}$/).filter((each) => each.trim() === each && each !== "");
const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.]{0,8}$/);

test("any sayable config comes back from a history-less image", (t) => {
  fc.assert(
    fc.property(
      fc.dictionary(name, word, { maxKeys: 4 }),
      fc.array(fc.string(), { maxLength: 4 }),
      fc.array(fc.string(), { maxLength: 3 }),
      word,
      (pairs, cmd, entrypoint, user) => {
        const env = [
          "PATH=/bin",
          ...Object.entries(pairs)
            .filter(([key]) => key !== "PATH")
            .map((pair) => pair.join("=")),
        ];
        const labels = Object.fromEntries(Object.entries(pairs).sort(([a], [b]) => (a < b ? -1 : 1)));
        const config: ContainerConfig = {
          Env: env,
          ...(Object.keys(labels).length > 0 ? { Labels: labels } : {}),
          Cmd: cmd,
          Entrypoint: entrypoint,
          User: user,
          WorkingDir: "/",
        };
        t.deepEqual(normal(build(historyToDockerfile(imageOf(config, []))).config.config ?? {}), normal(config));
      },
    ),
    { numRuns: 300 },
  );
});
