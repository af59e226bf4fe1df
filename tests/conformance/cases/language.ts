import { type CaseTable, linux, scratch } from "../case.ts";

export const fromCases: CaseTable = {
  about: "FROM and stages",
  cases: [
    { name: "scratch", file: [scratch], tree: [], history: [] },
    {
      name: "keywords have no letter case",
      file: ["from scratch as One", "env A=1", "From one", "LaBeL a=$A"],
      config: { Labels: { a: "1" } },
    },
    {
      name: "a stage by its name",
      file: [`${scratch} AS one`, "COPY a.txt /", "FROM one", "ENV A=1"],
      tree: ['644 0:0 file a.txt = "a\\n"'],
      history: ["COPY a.txt / # buildkit", "ENV A=1"],
    },
    {
      name: "the last stage is built",
      file: [scratch, "LABEL a=1", scratch, "LABEL a=2"],
      config: { Labels: { a: "2" } },
    },
    {
      name: "another is asked for by name",
      file: [`${scratch} AS one`, "LABEL a=1", scratch, "LABEL a=2"],
      request: { target: "ONE" },
      config: { Labels: { a: "1" } },
    },
    {
      name: "another is asked for by number",
      file: [scratch, "LABEL a=1", scratch, "LABEL a=2"],
      request: { target: "0" },
      config: { Labels: { a: "1" } },
    },
    {
      name: "stages that nobody needs are not built",
      file: [`${scratch} AS bad`, "COPY nothing /", scratch, "LABEL a=2"],
      config: { Labels: { a: "2" } },
    },
    {
      name: "a platform",
      file: ["FROM --platform=linux/arm64 scratch", "ARG TARGETARCH", "LABEL a=1"],
      config: { Labels: { a: "1" } },
    },
    {
      name: "the build's platform",
      file: ["FROM --platform=$BUILDPLATFORM scratch", "LABEL a=1"],
      config: { Labels: { a: "1" } },
    },
    { name: "no such target", file: [`${scratch} AS one`], request: { target: "two" }, error: "DF_TARGET" },
    { name: "an image that is nowhere", file: ["FROM wbuild.local/nothing-here"], error: "REG_LOCAL_ONLY" },
    { name: "no image", file: ["FROM"], error: "DF_MISSING_ARGUMENT" },
    { name: "an image that expands to nothing", file: ["ARG I", "FROM $I"], error: "REG_REFERENCE" },
    { name: "AS without a name", file: ["FROM scratch AS"], error: "DF_FROM_FORM" },
    { name: "a name without AS", file: ["FROM scratch build"], error: "DF_FROM_FORM" },
    { name: "a bad name", file: ["FROM scratch AS 1x"], error: "DF_STAGE_NAME" },
    {
      name: "of two stages of one name the later is meant",
      file: ["FROM scratch AS a", "LABEL x=1", "FROM scratch AS a", "LABEL x=2", "FROM a"],
      config: { Labels: { x: "2" } },
    },
    { name: "a platform that is none", file: ["FROM --platform=a/b/c/d scratch"], error: "IMG_PLATFORM_SYNTAX" },
    {
      name: "a platform that an image is not made for",
      file: ["FROM --platform=linux/s390x wbuild.local/linux", "COPY a.txt /"],
      error: "IMG_PLATFORM",
    },
    {
      name: "a name that stands for what nothing can",
      file: ["FROM x"],
      request: { namedContexts: [{ name: "x", value: "ftp://a.invalid/x" }] },
      error: "CTX_NAMED",
    },
    { name: "a platform without a value", file: ["FROM --platform scratch"], error: "DF_FLAG_VALUE" },
    { name: "no FROM", file: ["ARG A=1"], error: "DF_NO_FROM" },
    { name: "an instruction before FROM", file: ["LABEL a=1", scratch], error: "DF_BEFORE_FROM" },
  ],
};

export const languageCases: CaseTable = {
  about: "the language",
  cases: [
    {
      name: "comments and blank lines",
      file: ["# a comment", "", scratch, "  # another", "LABEL a=1"],
      config: { Labels: { a: "1" } },
    },
    {
      name: "a # that begins no line is no comment",
      file: [scratch, "LABEL a=x#y b='# z'"],
      config: { Labels: { a: "x#y", b: "# z" } },
    },
    {
      name: "a line goes on after a backslash",
      file: [scratch, "LABEL a=1 \\", "  b=2"],
      config: { Labels: { a: "1", b: "2" } },
    },
    {
      name: "comments inside of a continued line",
      file: [scratch, "LABEL a=1 \\", "# no", "  b=2"],
      config: { Labels: { a: "1", b: "2" } },
    },
    {
      name: "blanks after the backslash",
      file: [scratch, "LABEL a=1 \\  ", "  b=2"],
      config: { Labels: { a: "1", b: "2" } },
    },
    {
      name: "empty lines inside of a continued line",
      file: [scratch, "LABEL a=1 \\", "", "  b=2"],
      config: { Labels: { a: "1", b: "2" } },
    },
    { name: "instructions may be indented", file: [`  ${scratch}`, "\tLABEL a=1"], config: { Labels: { a: "1" } } },
    { name: "lines end with CR LF", file: [`${scratch}\r`, "LABEL a=1\r"], config: { Labels: { a: "1" } } },
    {
      name: "the escape directive",
      file: ["# escape=`", scratch, "LABEL a=x\\y `", "  b=`$x"],
      config: { Labels: { a: "x\\y", b: "$x" } },
    },
    {
      name: "words in words, escaped with the other character",
      file: ["# escape=`", scratch, "ARG s=1", 'LABEL a=${u:-${v:-`}"`"$s"}} b=${u:-a\\b} c=${s:+"`$s"}'],
      config: { Labels: { a: '}"1', b: "a\\b", c: "$s" } },
    },
    {
      name: "a byte-order mark before a directive",
      file: ["\ufeff# escape=`", scratch, "LABEL a=1 `", "  b=2"],
      config: { Labels: { a: "1", b: "2" } },
    },
    {
      name: "a byte-order mark before an instruction",
      file: [`\ufeff${scratch}`, "LABEL a=1"],
      config: { Labels: { a: "1" } },
    },
    {
      name: "a string over several lines, with a comment and an empty line in it",
      file: [scratch, 'LABEL a="one \\', "# no", "", '  two" b=3'],
      config: { Labels: { a: "one   two", b: "3" } },
    },
    {
      name: "comments and empty lines in a continued RUN, indented",
      runs: true,
      file: [linux, "RUN echo 1 > /x; \\", "", "  # no", "\t", "  echo 2 >> /x"],
      tree: ['644 0:0 file x = "1\\n2\\n"'],
    },
    {
      name: "comments in a continued HEALTHCHECK with all flags",
      file: [
        scratch,
        "HEALTHCHECK --interval=1m \\",
        "  # how long the first",
        "  --start-period=3s --start-interval=500ms \\",
        "  --timeout=2s --retries=4 CMD true \\",
        "# and more",
        " && x",
      ],
      config: {
        Healthcheck: {
          Test: ["CMD-SHELL", "true  && x"],
          Interval: 60e9,
          Timeout: 2e9,
          StartPeriod: 3e9,
          StartInterval: 0.5e9,
          Retries: 4,
        },
      },
    },
    {
      name: "names of directives have no letter case",
      file: ["# ESCAPE = `", scratch, "LABEL a=1 `", "b=2"],
      config: { Labels: { a: "1", b: "2" } },
    },
    {
      name: "the syntax directive",
      file: ["# syntax=docker/dockerfile:1", scratch, "LABEL a=1"],
      config: { Labels: { a: "1" } },
    },
    { name: "the check directive", file: ["# check=skip=all", scratch, "LABEL a=1"], config: { Labels: { a: "1" } } },
    {
      name: "a directive after a comment is a comment",
      file: ["# comment", "# escape=`", scratch, "LABEL a=1 \\", "  b=2"],
      config: { Labels: { a: "1", b: "2" } },
    },
    { name: "an escape character that is none", file: ["# escape=x", scratch], error: "DF_ESCAPE" },
    { name: "a directive twice", file: ["# escape=`", "# escape=\\", scratch], error: "DF_DUPLICATE_DIRECTIVE" },
    { name: "a check that fails the build", file: ["# check=error=true", scratch, "MAINTAINER me"], error: "DF_CHECK" },
    { name: "a check directive that cannot be read", file: ["# check=no=1", scratch], error: "DF_CHECK_OPTION" },
    { name: "an empty file", file: [""], error: "DF_EMPTY" },
    { name: "comments alone", file: ["# nothing"], error: "DF_EMPTY" },
    { name: "an unknown instruction", file: [scratch, "CPOY a b"], error: "DF_UNKNOWN_INSTRUCTION" },
    { name: "a flag of none", file: [scratch, "ENV --x=1 A=1"], error: "DF_UNKNOWN_FLAG" },
    {
      name: "a file that is too large",
      file: [scratch, `LABEL a=${"x".repeat(20 << 20)}`],
      error: "CTX_NO_DOCKERFILE",
    },
    {
      name: "an ignore file that is a folder",
      context: { ".dockerignore/x": "x", a: "a" },
      file: [scratch, "COPY a /"],
      error: "DF_IGNORE_UNREADABLE",
    },
  ],
};
