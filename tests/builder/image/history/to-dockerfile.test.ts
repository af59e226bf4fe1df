/** history --dockerfile of our own images: what is written back, built again, gives the same config and history. */
import test from "ava";
import fc from "fast-check";
import { historyToDockerfile } from "../../../../builder/image/history/to-dockerfile.ts";
import type { ContainerConfig, Image } from "../../../../registry/oci/image.ts";
import { build, imageOf } from "./histories.ts";

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
