/** Dockerfiles that each check speaks of, with the lines, and others that it leaves alone. */
import type { RuleName } from "../../../builder/checks/rule.ts";

export interface RuleCase {
  readonly text: string;
  /** Lines of this rule's findings: "3", "2-4". */
  readonly lines: readonly string[];
  readonly says?: RegExp;
  readonly buildArgs?: Readonly<Record<string, string>>;
}

const bad = (text: string, lines: string | string[], says?: RegExp): RuleCase => ({
  text,
  lines: [lines].flat(),
  ...(says ? { says } : {}),
});
const good = (text: string, buildArgs: Readonly<Record<string, string>> = {}): RuleCase => ({
  text,
  lines: [],
  buildArgs,
});

export const ruleCases: Readonly<Record<RuleName, readonly RuleCase[]>> = {
  StageNameCasing: [
    bad("FROM app AS BuilderBase\n", "1", /BuilderBase/),
    bad("FROM \\\n app \\\n AS Builder\n", "1-3"),
    good("FROM app AS builder-base\n"),
    good("FROM app\n"),
  ],
  FromAsCasing: [
    bad("FROM app as builder\n", "1", /\bas\b.*FROM/),
    bad("from app AS builder\n", "1"),
    bad("FROM app As builder\n", "1"),
    good("FROM app AS builder\nFROM app\n"),
    good("from app as builder\n"),
    good("From app as builder\n"),
  ],
  NoEmptyContinuation: [
    bad("FROM app\nRUN a && \\\n\n  b\n", "4"),
    bad("FROM app\nRUN a \\\n\n", "3"),
    bad("# escape=`\nFROM app\nRUN a `\n`\n  `\n\nb\n", "7"),
    good("FROM app\nRUN a && \\\n  # why\n  b\n\nRUN c\n"),
    good("FROM app\nRUN a \\\\\n\nRUN b\n"),
  ],
  ConsistentInstructionCasing: [
    bad("FROM app\nrun a\nRUN b\n", "2", /upper/),
    bad("from app\nrun a\nRUN b\n", "3", /lower/),
    bad("FROM app\nRuN a\n", "2"),
    bad("FROM app\nrun a\n", "2"),
    good("from app\nrun a\nrun b\n"),
    good("arg A=1\nFROM app\nRUN b\n"),
  ],
  DuplicateStageName: [
    bad("FROM app AS a\nFROM app AS A\nFROM app AS a\n", ["2", "3"], /last/),
    good("FROM app AS a\nFROM app AS b\n"),
  ],
  ReservedStageName: [
    bad("FROM app AS scratch\nFROM app AS Context\n", ["1", "2"], /scratch/),
    good("FROM scratch AS scratch2\n"),
  ],
  JSONArgsRecommended: [
    bad("FROM app\nENTRYPOINT run me\nCMD me too\n", ["2", "3"], /ENTRYPOINT/),
    bad("FROM app AS a\nFROM a\nCMD x\n", "3"),
    good('FROM app\nENTRYPOINT ["run"]\nCMD ["me"]\nRUN line\nHEALTHCHECK CMD line\n'),
    good('FROM app\nSHELL ["/bin/bash", "-c"]\nCMD x\n'),
    good("FROM shell\nCMD x\n"),
    good('FROM app AS a\nSHELL ["bash", "-c"]\nFROM a\nCMD x\n'),
  ],
  MaintainerDeprecated: [
    bad("FROM app\nMAINTAINER me\n", "2", /org\.opencontainers\.image\.authors/),
    good("FROM app\nLABEL org.opencontainers.image.authors=me\n"),
  ],
  UndefinedArgInFrom: [
    bad("ARG VERSION=1\nFROM app:$VERSOIN\n", "2", /did you mean VERSION\?/),
    bad("FROM --platform=$BUILDPLATFROM app\n", "1", /BUILDPLATFORM/),
    good("ARG VERSION=1\nFROM --platform=$BUILDPLATFORM app:$VERSION\n"),
    good("ARG VERSION\nFROM app:1$VERSION\n"),
  ],
  WorkdirRelativePath: [
    bad("FROM app2\nWORKDIR a\nWORKDIR b\n", "2", /\ba\b/),
    bad("FROM app2\nENV D=a\nWORKDIR $D/b\n", "3", /a\/b/),
    good("FROM app2\nWORKDIR /a\nWORKDIR b\n"),
    good("FROM app2 AS a\nWORKDIR /a\nFROM a\nWORKDIR b\n"),
    good("FROM win\nWORKDIR C:\\\\a\nWORKDIR b\n"),
    good("FROM app\nWORKDIR below-that-of-the-trigger\n"),
  ],
  UndefinedVar: [
    bad("FROM app\nARG BINARY\nARG TARGET=1\nCOPY $TRAGET /\n", "4", /did you mean TARGET\?/),
    bad("FROM app\nENV A=$B C=$D\n", ["2", "2"]),
    bad("FROM app\nENV A=1 B=$A\n", "2"),
    bad("FROM app\nARG A=$B\nLABEL c=$A \\\n d=$E\n", ["2", "3-4"]),
    bad("ARG A=1\nFROM app\nWORKDIR /$A\n", "3"),
    bad("FROM app\nUSER $TARGETARCH\n", "2"),
    bad("FROM app\nARG A=1\nRUN --mount=type=cache,target=/$A/$B make\n", "3", /\bB\b/),
    bad("FROM app\nCOPY <<A <<'B' /\n$X\nA\n$Y\nB\n", "2", /\bX\b/),
    good("FROM app\nARG A\nENV B=$A:$PATH:$HOME C=$FROM_BASE\n"),
    good("FROM app\nARG TARGETARCH\nARG A=$TARGETARCH\nCOPY $A /\n"),
    good("FROM app AS a\nARG A\nENV B=1\nFROM a\nWORKDIR /$A$B\n"),
    good("FROM win\nENV A=$PATH B=$path\n"),
    good('FROM app\nRUN echo $X\nCMD ["$X"]\nENTRYPOINT ["$X"]\nENV A=\\$X B=\'$X\'\n'),
    good("FROM app\nARG A=$X\nENV B=$A\n", { A: "given" }),
  ],
  MultipleInstructionsDisallowed: [
    bad("FROM app\nCMD a\nCMD b\nCMD c\n", ["2", "3"], /CMD/),
    bad('FROM app\nENTRYPOINT ["a"]\nHEALTHCHECK NONE\nHEALTHCHECK CMD x\nENTRYPOINT ["b"]\n', ["2", "3"]),
    good("FROM app AS a\nCMD a\nFROM a\nCMD b\n"),
  ],
  LegacyKeyValueFormat: [
    bad("FROM app\nENV A b\nLABEL c d=e\n", ["2", "3"], /ENV name=value/),
    good('FROM app\nENV A=b\nENV "A b"=c\nLABEL c="d e" \\\n f=g\n'),
  ],
  InvalidBaseImagePlatform: [
    bad("FROM arm\n", "1", /linux\/arm64.*linux\/amd64/),
    bad("FROM --platform=linux/arm64 app AS x-arm64\n", "1"),
    good("FROM --platform=linux/arm64 arm AS x-arm64\n"),
    good("FROM app\n"),
  ],
  RedundantTargetPlatform: [
    bad("FROM --platform=$TARGETPLATFORM app\n", "1", /leave it out/),
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a Dockerfile word.
    bad("FROM --platform=${TARGETPLATFORM} app\n", "1"),
    good("FROM --platform=$BUILDPLATFORM app\nFROM --platform=$TARGETOS/arm64 arm\n"),
  ],
  SecretsUsedInArgOrEnv: [
    bad("FROM app\nARG API_KEY\nENV DB_Password=x \\\n  USER=y\n", ["2", "3-4"], /API_KEY/),
    bad("FROM app\nARG TOKEN secret_message=1\n", ["2", "2"]),
    good("FROM app\nARG PUBLIC_KEY KEYBOARD TOKENIZER\nENV AUTHOR=me MONKEY=1\n"),
    good("ARG TOKEN\nFROM app\n"),
  ],
  InvalidDefaultArgInFrom: [
    bad("ARG BASE\nFROM $BASE\n", "2", /\$BASE/),
    bad("ARG TAG\nFROM app:$TAG\n", "2"),
    good("ARG BASE=app\nFROM $BASE\n"),
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a Dockerfile word.
    good("ARG BASE\nFROM ${BASE:-app}\nFROM scratch AS x\nFROM x\n"),
  ],
  FromPlatformFlagConstDisallowed: [
    bad("FROM --platform=linux/amd64 app AS base\n", "1", /linux\/amd64/),
    bad("FROM --platform=amd64 app\n", "1"),
    good("FROM --platform=linux/amd64 app AS build_amd64\n"),
    good("FROM --platform=linux/amd64 app AS base-linux\n"),
    good("FROM --platform=$BUILDPLATFORM app\n"),
  ],
  CopyIgnoredFile: [
    bad("FROM app\nCOPY a ./tmp/x.log b /\nADD logs/y /\n", ["2", "3"], /tmp\/x\.log.*line 1 of \.dockerignore/),
    bad("FROM app\nENV F=tmp/x.log\nCOPY $F /\n", "3"),
    good("FROM app AS a\nFROM app\nCOPY --from=a tmp/x.log /\nADD https://example.com/tmp/x.log /\nCOPY kept . /\n"),
  ],
  InvalidDefinitionDescription: [
    bad("# bar is the one\nARG foo=1\n\n# build stage\nFROM app AS base\n", ["2", "5"], /# foo/),
    bad("FROM app\n# c\nARG a b\n", "3", /# NAME/),
    good(
      "# foo is the one\nARG foo=1\n\n# of a stage without a name\nFROM app\n\n# far\n\nARG x\n#\n# base is it\nFROM app AS base\n",
    ),
    good("# syntax=docker/dockerfile:1\nFROM app AS base\nRUN a \\\n# inside\n b\nARG x\n"),
  ],
  ExposeProtoCasing: [
    bad("FROM app\nEXPOSE 80/TCP 81/Udp 82/tcp\n", ["2", "2"], /80\/TCP/),
    good("FROM app\nEXPOSE 80/tcp 81\n"),
  ],
  ExposeInvalidFormat: [
    bad("FROM app\nEXPOSE 127.0.0.1:80:80 80:80 [::1]:8080:8080/udp\n", ["2", "2", "2"], /127\.0\.0\.1:80:80/),
    good("FROM app\nEXPOSE 80 8000-8010/udp\n"),
  ],
};
