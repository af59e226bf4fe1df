import { type Case, type CaseTable, scratch } from "../case.ts";

const platform = { os: "windows", architecture: "amd64" };

function windows(one: Omit<Case, "request">): Case {
  return { ...one, request: { platforms: [platform] } };
}

export const windowsCases: CaseTable = {
  about: "Windows",
  cases: [
    windows({
      name: "a folder in dockerd's form",
      file: [scratch, "WORKDIR /app/x"],
      config: { WorkingDir: "C:\\app\\x" },
    }),
    windows({
      name: "a folder with backslashes",
      file: ["# escape=`", scratch, "WORKDIR C:\\app", "WORKDIR x"],
      config: { WorkingDir: "C:\\app\\x" },
    }),
    windows({ name: "another drive", file: [scratch, "WORKDIR D:/app"], error: "DF_WINDOWS_PATH" }),
    windows({ name: "a target on another drive", file: [scratch, "COPY a.txt D:/"], error: "DF_WINDOWS_PATH" }),
    windows({
      name: "a command line",
      file: [scratch, "CMD dir C:"],
      config: { Cmd: ["cmd /S /C dir C:"], ArgsEscaped: true },
    }),
    windows({
      name: "JSON commands",
      file: [scratch, 'CMD ["cmd", "/c", "dir"]'],
      config: { Cmd: ["cmd", "/c", "dir"] },
    }),
    windows({
      name: "SHELL",
      file: [scratch, 'SHELL ["powershell", "-Command"]', "CMD dir"],
      config: { Shell: ["powershell", "-Command"], Cmd: ["powershell -Command dir"] },
    }),
    windows({ name: "variables have no PATH of their own", file: [scratch, "ENV A=1"], config: { Env: ["A=1"] } }),
    windows({
      name: "names of variables have no letter case, and keep their first spelling",
      file: [scratch, "ARG Arg=1", "ENV Name=$ARG", "ENV NAME=${name}2 other=$aRG"],
      config: { Env: ["Name=12", "other=1"] },
    }),
    windows({
      name: "a value of a declared argument, asked for in other letters",
      file: [scratch, "ARG Arg=1", "ENV x=$arg"],
      config: { Env: ["x=1"] },
    }),
    windows({ name: "--chmod", file: [scratch, "COPY --chmod=755 a.txt /"], error: "DF_UNSUPPORTED_FLAG" }),
    windows({ name: "--chown of an unknown account", file: [scratch, "COPY --chown=me a.txt /"], error: "DF_CHOWN" }),
    windows({
      name: "a name that Windows cannot have",
      context: { "d/a:b": "x" },
      file: [scratch, "COPY d /"],
      error: "WIN_NAME",
    }),
    windows({
      name: "two names that differ in letter case",
      context: { "d/a": "1", "d/A": "2" },
      file: [scratch, "COPY d /"],
      error: "WIN_CASE",
    }),
    windows({
      name: "files lie on C:",
      file: ["# escape=`", scratch, "COPY a.txt C:\\app\\"],
      tree: ["755 0:0 dir app", '755 0:0 file app/a.txt = "a\\n"'],
    }),
    windows({
      name: "names are found in any case",
      file: [scratch, "COPY a.txt /App/", "COPY b.txt /APP/"],
      tree: ["755 0:0 dir App", '755 0:0 file App/a.txt = "a\\n"', '755 0:0 file App/b.txt = "b\\n"'],
    }),
    windows({
      name: "--link is a COPY like any other",
      file: [scratch, "COPY a.txt /App/", "COPY --link b.txt /app/"],
      tree: ["755 0:0 dir App", '755 0:0 file App/a.txt = "a\\n"', '755 0:0 file App/b.txt = "b\\n"'],
    }),
    windows({
      name: "--exclude with backslashes",
      file: [
        "# escape=`",
        scratch,
        "COPY --exclude=sub\\\\*.md --exclude=sub/deep --exclude=two.md --exclude=link dir C:\\d",
      ],
      tree: [
        "755 0:0 dir d",
        '755 0:0 file d/one.txt = "1\\n"',
        "755 0:0 dir d/sub",
        '755 0:0 file d/sub/three.txt = "3\\n"',
      ],
    }),
    windows({
      name: "--parents with backslashes",
      file: ["# escape=`", scratch, "COPY --parents dir\\.\\sub\\deep C:\\d\\"],
      tree: [
        "755 0:0 dir d",
        "755 0:0 dir d/sub",
        "755 0:0 dir d/sub/deep",
        '755 0:0 file d/sub/deep/five.txt = "5\\n"',
      ],
    }),
    windows({
      name: "a here-document",
      file: [scratch, "COPY <<a.cmd /d/", "echo off", "a.cmd"],
      tree: ["755 0:0 dir d", '755 0:0 file d/a.cmd = "echo off\\n"'],
    }),
    windows({
      name: "a stage of another system, in any case",
      file: [`${scratch} AS one`, "COPY a.txt /Data/", "FROM scratch", "COPY --from=one /DATA/A.TXT /x/"],
      tree: ["755 0:0 dir x", '755 0:0 file x/a.txt = "a\\n"'],
    }),
    windows({
      name: "what the escape character swallows",
      file: [scratch, "COPY a.txt C:\\app"],
      warning: /backslash/,
    }),
    windows({ name: "an image on scratch", file: [scratch, "COPY a.txt /"], warning: /hives/ }),
  ],
};
