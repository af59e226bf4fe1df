import { type CaseTable, linux, scratch } from "../case.ts";

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export const envCases: CaseTable = {
  about: "ENV and LABEL",
  cases: [
    { name: "one variable", file: [scratch, "ENV A=1"], config: { Env: [path, "A=1"] }, history: ["ENV A=1"] },
    {
      name: "several",
      file: [scratch, "ENV A=1 B=two C="],
      config: { Env: [path, "A=1", "B=two", "C="] },
      history: ["ENV A=1 B=two C="],
    },
    {
      name: "quotes",
      file: [scratch, `ENV A="two words" B='single $A' C=a\\ b`],
      config: { Env: [path, "A=two words", "B=single $A", "C=a b"] },
    },
    {
      name: "the old form",
      file: [scratch, "ENV A the rest  of it"],
      config: { Env: [path, "A=the rest  of it"] },
      warning: /old form/,
    },
    {
      name: "a later value takes the place of an earlier one",
      file: [scratch, "ENV A=1 B=2", "ENV A=3"],
      config: { Env: [path, "A=3", "B=2"] },
    },
    {
      name: "values see those of earlier lines, not of their own",
      file: [scratch, "ENV A=1", "ENV A=2 B=$A"],
      config: { Env: [path, "A=2", "B=1"] },
    },
    { name: "the base's are kept", file: [linux, "ENV A=$PATH"], config: { Env: [path, `A=${path.slice(5)}`] } },
    { name: "PATH itself", file: [scratch, "ENV PATH=/x:$PATH"], config: { Env: [`PATH=/x:${path.slice(5)}`] } },
    { name: "a name with a variable", file: [scratch, "ARG n=X", "ENV ${n}_Y=1"], config: { Env: [path, "X_Y=1"] } },
    { name: "no value", file: [scratch, "ENV A"], error: "DF_MISSING_ARGUMENT" },
    { name: "no =", file: [scratch, "ENV A=1 B"], error: "DF_MISSING_EQUALS" },
    { name: "no name", file: [scratch, "ENV =1"], error: "DF_BLANK_NAME" },
    { name: "no name once it is expanded", file: [scratch, "ENV $nothing=1"], error: "DF_BLANK_NAME" },
    { name: "nothing", file: [scratch, "ENV"], error: "DF_MISSING_ARGUMENT" },
    {
      name: "labels",
      file: [scratch, 'LABEL a=1 "b c"="d e"', "LABEL a=2"],
      config: { Labels: { a: "2", "b c": "d e" } },
      history: ["LABEL a=1 b c=d e", "LABEL a=2"],
    },
    {
      name: "a label with dots",
      file: [scratch, "LABEL org.opencontainers.image.title=x"],
      config: { Labels: { "org.opencontainers.image.title": "x" } },
    },
    { name: "a label with variables", file: [scratch, "ARG v=1", "LABEL a=v$v"], config: { Labels: { a: "v1" } } },
    {
      name: "a label over two lines",
      file: [scratch, 'LABEL a="one \\', 'two"'],
      config: { Labels: { a: "one two" } },
    },
    { name: "the old form of LABEL", file: [scratch, "LABEL a b c"], config: { Labels: { a: "b c" } } },
    {
      name: "--label of the build",
      file: [scratch, "LABEL a=1 b=1"],
      request: { labels: { b: "2", c: "3" } },
      config: { Labels: { a: "1", b: "2", c: "3" } },
    },
    { name: "a label without =", file: [scratch, "LABEL a=1 b"], error: "DF_MISSING_EQUALS" },
    { name: "a label without a name", file: [scratch, 'LABEL ""=1'], error: "DF_BLANK_NAME" },
  ],
};

export const argCases: CaseTable = {
  about: "ARG",
  cases: [
    {
      name: "a default",
      file: [scratch, "ARG A=1", "LABEL a=$A"],
      config: { Labels: { a: "1" } },
      history: ["ARG A=1", "LABEL a=1"],
    },
    {
      name: "a value of the build",
      file: [scratch, "ARG A=1", "LABEL a=$A"],
      request: { buildArgs: { A: "2" } },
      config: { Labels: { a: "2" } },
      history: ["ARG A=2", "LABEL a=2"],
    },
    {
      name: "without a value",
      file: [scratch, "ARG A", "LABEL a=[$A]"],
      config: { Labels: { a: "[]" } },
      history: ["ARG A", "LABEL a=[]"],
    },
    { name: "several on a line", file: [scratch, "ARG A=1 B=2", "LABEL a=$A$B"], config: { Labels: { a: "12" } } },
    {
      name: "one may use another",
      file: [scratch, "ARG A=1", "ARG B=x$A", "LABEL a=$B"],
      config: { Labels: { a: "x1" } },
    },
    {
      name: "before its line it is not known",
      file: [scratch, "LABEL a=[$A]", "ARG A=1"],
      config: { Labels: { a: "[]" } },
    },
    {
      name: "an ARG after an ENV of that name",
      file: [scratch, "ENV A=env", "ARG A=arg", "LABEL a=$A"],
      config: { Labels: { a: "arg" } },
    },
    { name: "it is no variable of the image", file: [scratch, "ARG A=1"], config: { Env: [path] } },
    {
      name: "a global one in FROM",
      file: ["ARG image=scratch", "FROM $image", "LABEL a=[$image]"],
      config: { Labels: { a: "[]" } },
    },
    {
      name: "a global one taken into a stage",
      file: ["ARG A=global", scratch, "ARG A", "LABEL a=$A"],
      config: { Labels: { a: "global" } },
    },
    {
      name: "a stage on another sees its arguments",
      file: [`${scratch} AS one`, "ARG A=1", "FROM one", "LABEL a=$A"],
      config: { Labels: { a: "1" } },
    },
    {
      name: "a value that no ARG takes",
      file: [scratch],
      request: { buildArgs: { X: "1" } },
      warning: /X is not used/,
    },
    {
      name: "platform arguments must be declared",
      file: [scratch, "LABEL a=[$TARGETOS]", "ARG TARGETOS", "LABEL b=$TARGETOS"],
      config: { Labels: { a: "[]", b: "linux" } },
    },
    {
      name: "the target's name is an argument",
      file: [`${scratch} AS one`, "ARG TARGETSTAGE", "LABEL a=$TARGETSTAGE"],
      request: { target: "one" },
      config: { Labels: { a: "one" } },
    },
    { name: "a bad name", file: [scratch, 'ARG "A=1'], error: "DF_ARG_NAME" },
    { name: "no name", file: [scratch, "ARG =1"], error: "DF_ARG_NAME" },
    { name: "nothing", file: [scratch, "ARG"], error: "DF_MISSING_ARGUMENT" },
    {
      name: "history tells which arguments a RUN saw",
      runs: true,
      file: [linux, "ARG A=1", "RUN true"],
      history: ["ARG A=1", "RUN |1 A=1 /bin/sh -c true # buildkit"],
    },
  ],
};

export const expansionCases: CaseTable = {
  about: "variables",
  cases: [
    {
      name: "${x:-word}",
      file: [scratch, "ARG e=", "LABEL a=${u:-d} b=${e:-d} c=${u-d} d=[${e-d}]"],
      config: { Labels: { a: "d", b: "d", c: "d", d: "[]" } },
    },
    {
      name: "${x:+word}",
      file: [scratch, "ARG e= s=1", "LABEL a=[${u:+d}] b=[${e:+d}] c=${s:+d} d=${e+d}"],
      config: { Labels: { a: "[]", b: "[]", c: "d", d: "d" } },
    },
    {
      name: "${x:?word} of one that is set",
      file: [scratch, "ARG s=1", "LABEL a=${s:?no} b=${s?no}"],
      config: { Labels: { a: "1", b: "1" } },
    },
    { name: "${x:?word} of one that is not", file: [scratch, "LABEL a=${u:?missing}"], error: "DF_EXPANSION" },
    {
      name: "${x#pattern} and ${x##pattern}",
      file: [scratch, "ARG p=/a/b/c", "LABEL a=${p#*/} b=${p##*/}"],
      config: { Labels: { a: "a/b/c", b: "c" } },
    },
    {
      name: "${x%pattern} and ${x%%pattern}",
      file: [scratch, "ARG p=a.b.c", "LABEL a=${p%.*} b=${p%%.*}"],
      config: { Labels: { a: "a.b", b: "a" } },
    },
    {
      name: "${x/pattern/word} and ${x//pattern/word}",
      file: [scratch, "ARG p=aXbXc", "LABEL a=${p/X/-} b=${p//X/-}"],
      config: { Labels: { a: "a-bXc", b: "a-b-c" } },
    },
    {
      name: "words in words",
      file: [scratch, "ARG s=1", "LABEL a=${u:-${s:+x${s}y}}"],
      config: { Labels: { a: "x1y" } },
    },
    {
      name: "words of every operator in words",
      file: [
        scratch,
        "ARG p=a/b.tar.gz s=1",
        "LABEL a=${u:-${p##*/}} b=${s:+${p%%.*}} c=${u-${p%.*}} d=${s+${p#*/}} e=${p/${s}/x} f=${p//${u:-/}/_} g=${s:?${p}}",
      ],
      config: {
        Labels: { a: "b.tar.gz", b: "a/b", c: "a/b.tar", d: "b.tar.gz", e: "a/b.tar.gz", f: "a_b.tar.gz", g: "1" },
      },
    },
    {
      name: "an escaped brace, slash and star in words",
      file: [scratch, "ARG p=a/b*c}d", "LABEL a=${u:-x\\}y} b=${p/\\//-} c=${p#*\\*} d=${p%\\}*}"],
      config: { Labels: { a: "x}y", b: "a-b*c}d", c: "c}d", d: "a/b*c" } },
    },
    {
      name: "quotes in words",
      file: [scratch, "ARG s=1", `LABEL a=\${u:-"two words"} b=\${u:-'$s'} c="\${u:-"$s"}"`],
      config: { Labels: { a: "two words", b: "$s", c: "1" } },
    },
    {
      name: "an escaped dollar",
      file: [scratch, "ARG A=1", "LABEL a=\\$A b=\\${A}"],
      config: { Labels: { a: "$A", b: "${A}" } },
    },
    {
      name: "single quotes hold a dollar",
      file: [scratch, "ARG A=1", `LABEL a='$A' b="$A"`],
      config: { Labels: { a: "$A", b: "1" } },
    },
    {
      name: "a name ends where it can",
      file: [scratch, "ARG A=1", "LABEL a=$A-x b=${A}x c=[$Ax]"],
      config: { Labels: { a: "1-x", b: "1x", c: "[]" } },
    },
    { name: "a modifier that is none", file: [scratch, "LABEL a=${A!x}"], error: "DF_EXPANSION" },
    { name: "a brace that is not closed", file: [scratch, "LABEL a=${A"], error: "DF_EXPANSION" },
  ],
};
