/** `wbuild build`, and `wbuild CONTEXT`: from a Dockerfile to an image. */
import type { BuildRequest, BuildResult } from "../build-request.ts";
import { shortName } from "../image/stored/local.ts";
import { chooseMode } from "../progress/choose.ts";
import { worldOf } from "./build-world.ts";
import { type CallFlags, callOf, defineCallFlags, runCall } from "./call.ts";
import { type Cli, type Command, flagsOf } from "./command.ts";
import { defineFailureFlags, type FailureFlags, failureChoiceOf, whenFailed } from "./failure.ts";
import { defineBuildFlags, requestOf } from "./flags/build-flags.ts";
import { defineProgressFlags, modeOf, type ProgressFlags } from "./flags/flags.ts";
import { openSession } from "./session.ts";

export const buildCommand: Command = {
  operands: "CONTEXT",
  about: `
    Builds an image from a Dockerfile and the files of a folder, the context. The image goes into the store under its
    names; --output writes it elsewhere, or only its files. Steps that do not depend on each other run at the same time,
    and what has not changed since an earlier build is taken from the cache.

    CONTEXT is a folder, the URL of a git repository (https://HOST/PATH.git#REF:FOLDER), of a tar or of a Dockerfile, or
    - for a tar or a Dockerfile on standard input. Standard output gets the image ID with --quiet, or what an output with
    dest=- writes; everything else goes to standard error. SOURCE_DATE_EPOCH in the environment bounds every time in the
    image.`,
  examples: [
    ["wbuild .", "build the Dockerfile of this folder"],
    ["wbuild -t registry.example.com/app:1.2 --push .", "build it, name it, push it"],
    ["wbuild -f docker/Dockerfile --target test --build-arg VERSION=1.2 .", "another Dockerfile, up to one stage"],
    ["wbuild -o type=oci,dest=app.tar .", "write an OCI archive"],
    ["wbuild -o out .", "write the files of the last stage to a folder"],
    ["wbuild --check .", "look for what is worth a warning, and build nothing"],
    ["echo 'FROM alpine' | wbuild -", "a Dockerfile on standard input, without a context"],
    ["wbuild https://github.com/owner/name.git#v1.2:docker", "a folder of a repository, at a tag"],
  ],
  define(parser) {
    defineBuildFlags(parser);
    defineCallFlags(parser);
    defineFailureFlags(parser);
    defineProgressFlags(parser, "print the image ID alone");
  },
  async run(parser, cli) {
    const flags = flagsOf<ProgressFlags & CallFlags & FailureFlags>(parser);
    const request = await requestOf(parser, cli);
    const call = callOf(flags);
    if (call !== undefined) return runCall(call, request, cli);
    const result = await build(request, flags, cli);
    const writesToStdout = request.outputs.some((output) => "dest" in output && output.dest === "-");
    if (flags.quiet && !writesToStdout) cli.stdout.write(`${result.imageId}\n`);
    const mode = flags.quiet ? "quiet" : chooseMode(modeOf(flags), cli.stderr, cli.env);
    if (mode === "tty" || mode === "plain") {
      const names = result.tags.map((name) => shortName(name) ?? name);
      cli.stderr.write(
        `${mode === "plain" ? "\n" : ""}image ${result.imageId}${names.map((name) => `, ${name}`).join("")}\n`,
      );
    }
    return 0;
  },
};

/** The session ends with the build, so that what is written afterwards stands below the progress. */
async function build(request: BuildRequest, flags: ProgressFlags & FailureFlags, cli: Cli): Promise<BuildResult> {
  const choice = failureChoiceOf(flags);
  await using session = openSession(cli);
  const { buildImage } = await import("../build.ts");
  return await buildImage(request, {
    ...(await worldOf(session, cli, flags)),
    ...(choice === undefined ? {} : { whenFailed: whenFailed(choice, flags, session, cli) }),
  });
}
