/** history --dockerfile of what other builders wrote, and of what nobody would: the result always parses. */
import test from "ava";
import fc from "fast-check";
import { parseDockerfile } from "../../../../builder/dockerfile/parse.ts";
import { readRun, splitPairs } from "../../../../builder/image/history/created-by-parse.ts";
import { historyToDockerfile } from "../../../../builder/image/history/to-dockerfile.ts";
import { isWbuildError } from "../../../../native/error.ts";
import type { ContainerConfig, History } from "../../../../registry/oci/image.ts";
import { holds } from "../../../doubles/holds.ts";
import { imageOf } from "./histories.ts";

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
  holds(
    t,
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
});
