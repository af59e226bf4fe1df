/** Build checks through the program: at the end of a build, in place of one, and what else --call answers. */
import test from "ava";
import { scene } from "./scene.ts";

const dockerfile = [
  "# syntax=docker/dockerfile:1",
  "# base is what all share",
  "FROM wbuild.local/linux AS base",
  "ARG TOKEN",
  "FROM base AS Other",
  "CMD echo other",
  "FROM base",
  "CMD echo $NAME",
  "",
].join("\n");

test("a build tells at its end what checks found, and succeeds", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: dockerfile });
  const built = await s.build(context);
  t.is(built.code, 0, built.stderr);
  const [, told = ""] = built.stderr.split("3 warnings found");
  t.deepEqual(told.match(/^ - \w+|Dockerfile:\d+/gm), [
    " - SecretsUsedInArgOrEnv",
    "Dockerfile:4",
    " - StageNameCasing",
    "Dockerfile:5",
    " - JSONArgsRecommended",
    "Dockerfile:8",
  ]);
  t.is(built.stderr.match(/JSONArgsRecommended/g)?.length, 1);

  const quiet = await s.build(context, "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all");
  t.is(quiet.code, 0, quiet.stderr);
  t.notRegex(quiet.stderr, /warning/i, "nor is the argument called unused");
});

test("check=error=true fails the build before its first step and names every check", async (t) => {
  const s = await scene(t);
  const text =
    "# check=error=true;skip=StageNameCasing\nFROM wbuild.local/linux AS A\nRUN exit 3\nCMD x\nMAINTAINER me\n";
  const context = await s.files("context", { Dockerfile: text });
  const failed = await s.build(context);
  t.is(failed.code, 2, failed.stderr);
  t.regex(failed.stderr, /error\[DF_CHECK\].*JSONArgsRecommended \(line 4\), MaintainerDeprecated \(line 5\)/s);
  t.notRegex(failed.stderr, /StageNameCasing[: ]/);
  t.is(failed.steps.size, 0);
  const checked = await s.wbuild("build", "--check", context);
  t.is(checked.code, 1, checked.stderr);
  t.is(checked.stderr, "");
  const { buildError } = JSON.parse((await s.wbuild("build", "--call=check,format=json", context)).stdout);
  t.regex(buildError.message, /JSONArgsRecommended/);
});

test("--check looks into every stage, draws the lines and exits with 1", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: dockerfile });
  const checked = await s.wbuild("build", "--check", context);
  t.is(checked.code, 1, checked.stderr);
  t.regex(checked.stdout, /^Check complete, 4 warnings have been found!\n/);
  t.regex(checked.stdout, /warning\[JSONArgsRecommended\]: .*\n {2}.*Dockerfile:6:1\n/);
  t.regex(checked.stdout, /6 \| CMD echo other\n/);
  t.regex(checked.stdout, /https:\/\/docs\.docker\.com\/go\/dockerfile\/rule\/json-args-recommended\//);
  t.is((await s.wbuild("build", "--call=check,ignorestatus=true", context)).code, 0);

  const json = await s.wbuild("build", "--call=lint,format=json", "--target", "other", context);
  t.is(json.code, 1);
  const { warnings, sources, buildError } = JSON.parse(json.stdout);
  t.deepEqual(
    warnings.map((each: { ruleName: string }) => each.ruleName),
    ["SecretsUsedInArgOrEnv", "StageNameCasing", "JSONArgsRecommended"],
  );
  t.deepEqual(warnings[2].location, { ranges: [{ start: { line: 6 }, end: { line: 6 } }] });
  t.is(Buffer.from(sources[0].data, "base64").toString(), dockerfile);
  t.is(buildError, undefined);
});

test("--check of a good Dockerfile exits with 0, of one that cannot be built with its error", async (t) => {
  const s = await scene(t);
  const good = await s.files("good", { Dockerfile: 'FROM wbuild.local/linux\nRUN exit 1\nCMD ["sh"]\n' });
  const checked = await s.wbuild("--check", good);
  t.is(checked.code, 0, checked.stderr);
  t.is(checked.stdout, "Check complete, no warnings found.\n");

  const bad = await s.files("bad", { Dockerfile: "FROM scratch AS One\nEXPOSE x\nFROM scratch\n" });
  const refused = await s.wbuild("build", "--check", bad);
  t.is(refused.code, 2, refused.stdout);
  t.regex(refused.stdout, /StageNameCasing/);
  t.regex(refused.stderr, /error\[DF_PORT\]/);
  const json = await s.wbuild("build", "--call=check,format=json", bad);
  t.is(json.code, 1);
  t.deepEqual(JSON.parse(json.stdout).buildError.location.ranges, [{ start: { line: 2 }, end: { line: 2 } }]);

  const option = await s.files("option", { Dockerfile: "# check=skipp=all\nFROM scratch\n" });
  t.regex((await s.wbuild("build", "--check", option)).stderr, /error\[DF_CHECK_OPTION\].*\n.*Dockerfile:1:9/);
  t.is((await s.wbuild("build", "--check", "--call=outline", option)).code, 2);
  t.is((await s.wbuild("build", "--call=everything", option)).code, 2);
});

test("a stage that a context takes the place of is not looked into, what names it sees that context", async (t) => {
  const s = await scene(t);
  const text = "FROM registry.invalid/x AS A\nCMD x\nENV B=$NOT\nFROM a\nENV P=$PATH C=$NOT\n";
  const context = await s.files("context", { Dockerfile: text });
  const flags = ["--build-context", "a=docker-image://wbuild.local/linux"];
  const checked = await s.wbuild("build", "--call=check,format=json", ...flags, context);
  t.deepEqual(
    JSON.parse(checked.stdout).warnings.map((each: { ruleName: string }) => each.ruleName),
    ["StageNameCasing", "UndefinedVar"],
    checked.stderr,
  );
  const built = await s.build(context, ...flags);
  t.is(built.code, 0, built.stderr);
  t.regex(built.stderr, /2 warnings found/);
});

test("--call=targets lists stages, --call=outline what can be given to one", async (t) => {
  const s = await scene(t, { base: false });
  const text = [
    "# VERSION of the compiler",
    "ARG VERSION=1",
    "ARG IMAGE=registry.invalid/base:$VERSION",
    "",
    "# build makes the program",
    "FROM --platform=$BUILDPLATFORM $IMAGE AS build",
    "# JOBS at a time",
    "ARG JOBS=4",
    "ARG TARGETARCH",
    "RUN --mount=type=secret,id=token,required --mount=type=ssh make",
    "FROM scratch",
    "ARG ONLY_HERE",
    "COPY --from=build /a /",
    "",
  ].join("\n");
  const context = await s.files("context", { Dockerfile: text });
  const targets = await s.wbuild("build", "--call=targets", context);
  t.is(targets.code, 0, targets.stderr);
  t.is(targets.stdout, "TARGET    DESCRIPTION\nbuild     makes the program\n(default)\n");
  const json = JSON.parse((await s.wbuild("build", "--call=targets,format=json", context)).stdout);
  t.deepEqual(json.targets[0], {
    name: "build",
    description: "makes the program",
    base: "$IMAGE",
    platform: "$BUILDPLATFORM",
    location: { ranges: [{ start: { line: 6 }, end: { line: 6 } }] },
  });
  t.true(json.targets[1].default);

  const outline = await s.wbuild("build", "--call=outline", "--target=build", "--build-arg=JOBS=8", context);
  t.is(outline.code, 0, outline.stderr);
  t.is(
    outline.stdout,
    [
      "TARGET:      build",
      "DESCRIPTION: makes the program",
      "",
      "BUILD ARG   VALUE                     DESCRIPTION",
      "VERSION     1                         of the compiler",
      "IMAGE       registry.invalid/base:1",
      "JOBS        8                         at a time",
      "",
      "SECRET   REQUIRED",
      "token    true",
      "",
      "SSH       REQUIRED",
      "default",
      "",
      "",
    ].join("\n"),
  );
  const whole = JSON.parse((await s.wbuild("build", "--call=outline,format=json", context)).stdout);
  t.deepEqual(
    whole.args.map(({ name }: { name: string }) => name),
    ["VERSION", "IMAGE", "JOBS", "ONLY_HERE"],
  );
  t.deepEqual(whole.secrets, [
    { name: "token", required: true, location: { ranges: [{ start: { line: 10 }, end: { line: 10 } }] } },
  ]);
});
