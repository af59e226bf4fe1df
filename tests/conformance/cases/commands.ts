import { type CaseTable, linux, scratch } from "../case.ts";

export const commandCases: CaseTable = {
  about: "CMD, ENTRYPOINT, SHELL",
  cases: [
    {
      name: "CMD as JSON",
      file: [scratch, 'CMD ["/a", "b c"]'],
      config: { Cmd: ["/a", "b c"] },
      history: ['CMD ["/a" "b c"]'],
    },
    {
      name: "CMD as a line",
      file: [scratch, "CMD a  b"],
      config: { Cmd: ["/bin/sh", "-c", "a  b"] },
      history: ['CMD ["/bin/sh" "-c" "a  b"]'],
    },
    {
      name: "JSON with single quotes is a line",
      file: [scratch, "CMD ['a']"],
      config: { Cmd: ["/bin/sh", "-c", "['a']"] },
    },
    { name: "the last CMD counts", file: [scratch, "CMD a", 'CMD ["b"]'], config: { Cmd: ["b"] } },
    { name: "an empty CMD", file: [linux, "CMD []"], config: { Cmd: [] } },
    { name: "CMD expands no variables", file: [scratch, "ARG A=1", 'CMD ["$A"]'], config: { Cmd: ["$A"] } },
    { name: "CMD with numbers in JSON", file: [scratch, "CMD [1]"], error: "DF_JSON_STRINGS" },
    {
      name: "ENTRYPOINT as JSON",
      file: [scratch, 'ENTRYPOINT ["/a"]'],
      config: { Entrypoint: ["/a"] },
      history: ['ENTRYPOINT ["/a"]'],
    },
    {
      name: "ENTRYPOINT as a line",
      file: [scratch, "ENTRYPOINT exec a"],
      config: { Entrypoint: ["/bin/sh", "-c", "exec a"] },
      history: ['ENTRYPOINT ["/bin/sh" "-c" "exec a"]'],
    },
    {
      name: "ENTRYPOINT takes the base's CMD away",
      file: [linux, 'ENTRYPOINT ["/a"]'],
      config: { Entrypoint: ["/a"], Cmd: undefined },
    },
    {
      name: "but not one of its own stage",
      file: [linux, 'CMD ["x"]', 'ENTRYPOINT ["/a"]'],
      config: { Entrypoint: ["/a"], Cmd: ["x"] },
    },
    { name: "the base's CMD is kept", file: [linux, "ENV A=1"], config: { Cmd: ["sh"] } },
    {
      name: "SHELL",
      file: [scratch, 'SHELL ["/bin/bash", "-o", "pipefail", "-c"]', "CMD a"],
      config: { Shell: ["/bin/bash", "-o", "pipefail", "-c"], Cmd: ["/bin/bash", "-o", "pipefail", "-c", "a"] },
      history: ["SHELL [/bin/bash -o pipefail -c]", 'CMD ["/bin/bash" "-o" "pipefail" "-c" "a"]'],
    },
    {
      name: "SHELL of a RUN",
      runs: true,
      file: [linux, 'SHELL ["/bin/sh", "-ec"]', "RUN echo $- > /x"],
      history: ["SHELL [/bin/sh -ec]", "RUN /bin/sh -ec echo $- > /x # buildkit"],
    },
    { name: "SHELL that is no JSON", file: [scratch, "SHELL /bin/bash -c"], error: "DF_SHELL_JSON" },
    { name: "an empty SHELL", file: [scratch, "SHELL []"], error: "DF_SHELL_JSON" },
    { name: "ENTRYPOINT with numbers in JSON", file: [scratch, "ENTRYPOINT [1]"], error: "DF_JSON_STRINGS" },
    { name: "CMD of nothing is a shell of nothing", file: [linux, "CMD"], config: { Cmd: ["/bin/sh", "-c", ""] } },
  ],
};

export const smallCases: CaseTable = {
  about: "EXPOSE, VOLUME, USER, WORKDIR, STOPSIGNAL, MAINTAINER",
  cases: [
    {
      name: "a port",
      file: [scratch, "EXPOSE 80"],
      config: { ExposedPorts: { "80/tcp": {} } },
      history: ["EXPOSE [80/tcp]"],
    },
    {
      name: "ports with protocols",
      file: [scratch, "EXPOSE 53/udp 80/tcp 5000/sctp"],
      config: { ExposedPorts: { "53/udp": {}, "80/tcp": {}, "5000/sctp": {} } },
    },
    {
      name: "a range",
      file: [scratch, "EXPOSE 8000-8002"],
      config: { ExposedPorts: { "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {} } },
    },
    {
      name: "a port from a variable",
      file: [scratch, "ARG p=90", "EXPOSE $p/udp"],
      config: { ExposedPorts: { "90/udp": {} } },
    },
    {
      name: "several from one variable",
      file: [scratch, 'ARG p="1 2"', "EXPOSE $p"],
      config: { ExposedPorts: { "1/tcp": {}, "2/tcp": {} } },
    },
    { name: "a port that is none", file: [scratch, "EXPOSE http"], error: "DF_PORT" },
    { name: "a port too high", file: [scratch, "EXPOSE 70000"], error: "DF_PORT" },
    {
      name: "volumes",
      file: [scratch, "VOLUME /a /b"],
      config: { Volumes: { "/a": {}, "/b": {} } },
      history: ["VOLUME [/a /b]"],
    },
    { name: "volumes as JSON", file: [scratch, 'VOLUME ["/a b"]'], config: { Volumes: { "/a b": {} } } },
    { name: "an empty volume", file: [scratch, 'VOLUME [""]'], error: "DF_VOLUME" },
    { name: "a user", file: [scratch, "USER me:us"], config: { User: "me:us" }, history: ["USER me:us"] },
    { name: "a user from a variable", file: [scratch, "ARG u=5", "USER $u:6"], config: { User: "5:6" } },
    { name: "no user", file: [scratch, "USER"], error: "DF_MISSING_ARGUMENT" },
    {
      name: "a RUN runs as the user",
      runs: true,
      file: [linux, "WORKDIR /tmp", "USER www-data", "RUN id -un > x"],
      config: { User: "www-data" },
      tree: ['644 33:33 file tmp/x = "www-data\\n"'],
    },
    {
      name: "a folder",
      file: [scratch, "WORKDIR /a/b"],
      config: { WorkingDir: "/a/b" },
      tree: ["755 0:0 dir a", "755 0:0 dir a/b"],
      history: ["WORKDIR /a/b"],
    },
    {
      name: "relative ones add up",
      file: [scratch, "WORKDIR /a", "WORKDIR b", "WORKDIR ../c"],
      config: { WorkingDir: "/a/c" },
      tree: ["755 0:0 dir a", "755 0:0 dir a/b", "755 0:0 dir a/c"],
      history: ["WORKDIR /a", "WORKDIR /a/b", "WORKDIR /a/c"],
    },
    {
      name: "from nowhere they count from the root",
      file: [scratch, "WORKDIR a"],
      config: { WorkingDir: "/a" },
      tree: ["755 0:0 dir a"],
    },
    { name: "the root", file: [scratch, "WORKDIR /"], config: { WorkingDir: "/" }, tree: [] },
    { name: "a folder with a variable", file: [scratch, "ENV d=/x", "WORKDIR $d/y"], config: { WorkingDir: "/x/y" } },
    {
      name: "a folder that is there stays as it is",
      context: { "d/w": { folder: true, mode: 0o711 } },
      file: [scratch, "COPY d /", "WORKDIR /w"],
      tree: ["711 0:0 dir w"],
    },
    { name: "a folder belongs to the user", file: [linux, "USER www-data", "WORKDIR /w"], tree: ["755 33:33 dir w"] },
    { name: "no folder", file: [scratch, "WORKDIR"], error: "DF_MISSING_ARGUMENT" },
    {
      name: "a signal by name",
      file: [scratch, "STOPSIGNAL SIGUSR1"],
      config: { StopSignal: "SIGUSR1" },
      history: ["STOPSIGNAL SIGUSR1"],
    },
    { name: "a signal by number", file: [scratch, "STOPSIGNAL 9"], config: { StopSignal: "9" } },
    { name: "no such signal", file: [scratch, "STOPSIGNAL SIGNOTHING"], error: "DF_SIGNAL" },
    {
      name: "a maintainer",
      file: [scratch, "MAINTAINER Me <me@example.com>"],
      history: ["MAINTAINER Me <me@example.com>"],
      warning: /deprecated/,
    },
  ],
};

const second = 1_000_000_000;
export const healthCases: CaseTable = {
  about: "HEALTHCHECK and ONBUILD",
  cases: [
    {
      name: "a line",
      file: [scratch, "HEALTHCHECK CMD check it"],
      config: { Healthcheck: { Test: ["CMD-SHELL", "check it"] } },
    },
    {
      name: "JSON",
      file: [scratch, 'HEALTHCHECK CMD ["check", "it"]'],
      config: { Healthcheck: { Test: ["CMD", "check", "it"] } },
    },
    {
      name: "all flags",
      file: [
        scratch,
        "HEALTHCHECK --interval=1m30s --timeout=3s --start-period=500ms --start-interval=2s --retries=4 CMD x",
      ],
      config: {
        Healthcheck: {
          Test: ["CMD-SHELL", "x"],
          Interval: 90 * second,
          Timeout: 3 * second,
          StartPeriod: second / 2,
          StartInterval: 2 * second,
          Retries: 4,
        },
      },
    },
    {
      name: "none",
      file: [scratch, "HEALTHCHECK CMD x", "HEALTHCHECK NONE"],
      config: { Healthcheck: { Test: ["NONE"] } },
    },
    { name: "neither CMD nor NONE", file: [scratch, "HEALTHCHECK x"], error: "DF_HEALTHCHECK" },
    { name: "NONE with more", file: [scratch, "HEALTHCHECK NONE x"], error: "DF_HEALTHCHECK" },
    { name: "no command", file: [scratch, "HEALTHCHECK CMD"], error: "DF_HEALTHCHECK" },
    { name: "a duration without its unit", file: [scratch, "HEALTHCHECK --interval=5 CMD x"], error: "DF_DURATION" },
    { name: "a duration too short", file: [scratch, "HEALTHCHECK --timeout=1us CMD x"], error: "DF_DURATION" },
    { name: "retries below 0", file: [scratch, "HEALTHCHECK --retries=-1 CMD x"], error: "DF_FLAG_VALUE" },
    {
      name: "a trigger is kept, and leaves no line of history",
      file: [scratch, "ONBUILD COPY . /app"],
      config: { OnBuild: ["COPY . /app"] },
      history: [],
    },
    {
      name: "several triggers",
      file: [scratch, "ONBUILD ENV A=1", "ONBUILD LABEL b=$A"],
      config: { OnBuild: ["ENV A=1", "LABEL b=$A"] },
    },
    {
      name: "triggers of a stage",
      file: [`${scratch} AS one`, "ONBUILD ENV A=1", "ONBUILD LABEL b=$A", "FROM one", "LABEL c=$A"],
      config: { Labels: { b: "1", c: "1" }, OnBuild: undefined },
    },
    { name: "ONBUILD FROM", file: [scratch, "ONBUILD FROM x"], error: "DF_ONBUILD_TRIGGER" },
    { name: "ONBUILD ONBUILD", file: [scratch, "ONBUILD ONBUILD RUN x"], error: "DF_ONBUILD_TRIGGER" },
    { name: "ONBUILD MAINTAINER", file: [scratch, "ONBUILD MAINTAINER x"], error: "DF_ONBUILD_TRIGGER" },
    { name: "ONBUILD of nothing", file: [scratch, "ONBUILD"], error: "DF_MISSING_ARGUMENT" },
    { name: "ONBUILD of what is no instruction", file: [scratch, "ONBUILD RNU x"], error: "DF_UNKNOWN_INSTRUCTION" },
  ],
};
