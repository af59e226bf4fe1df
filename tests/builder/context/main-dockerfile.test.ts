/** Which Dockerfile is read, and what is told where there is none. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { readDockerfile } from "../../../builder/context/main-dockerfile.ts";
import type { WbuildError } from "../../../native/error.ts";

const never = new AbortController().signal;

/** A context with these files, each of which says its own name. */
function context(t: { teardown(f: () => void): void }, files: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-dockerfile-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const file of files) {
    mkdirSync(join(folder, file, ".."), { recursive: true });
    writeFileSync(join(folder, file), file);
  }
  return folder;
}

const found: [files: string[], given: string | undefined, isRemote: boolean, name: string][] = [
  [["Dockerfile", "dockerfile"], undefined, false, "Dockerfile"],
  [["dockerfile"], undefined, false, "dockerfile"],
  [["docker/dockerfile"], "docker/Dockerfile", true, "docker/dockerfile"],
  [["dockerfile", "Other"], "Other", true, "Other"],
];
for (const [files, given, isRemote, name] of found)
  test(`of ${files.join(", ")}${given ? `, with -f ${given}` : ""}: ${name} is read`, async (t) => {
    const folder = context(t, files);
    const source = await readDockerfile(given, { folder, isRemote }, never);
    t.deepEqual(source, { name: isRemote ? name : join(folder, name), text: name });
  });

const missing: [files: string[], given: string | undefined, code: string, hint: RegExp][] = [
  [[], undefined, "CTX_NO_DOCKERFILE", /^write one there/],
  [["Containerfile"], undefined, "CTX_NO_DOCKERFILE", /^did you mean -f .*\/Containerfile\?$/],
  [["Dockerflie"], undefined, "CTX_NO_DOCKERFILE", /^did you mean -f .*\/Dockerflie\?$/],
  [["Dockerfile", "app.Dockerfile"], "ap.Dockerfile", "CTX_NO_DOCKERFILE", /^did you mean -f app\.Dockerfile\?$/],
  [["dockerfile"], "Other", "CTX_NO_DOCKERFILE", /^write one there/],
];
for (const [files, given, code, hint] of missing)
  test(`of ${files.join(", ") || "nothing"}${given ? `, with -f ${given}` : ""}: ${code}`, async (t) => {
    const folder = context(t, files);
    const error = await t.throwsAsync(readDockerfile(given, { folder, isRemote: given !== undefined }, never));
    t.is((error as WbuildError).code, code as WbuildError["code"]);
    t.regex((error as WbuildError).hint ?? "", hint);
  });

const noFolders: [title: string, path: string, message: RegExp, hint: RegExp][] = [
  ["a context that is missing", "nope", /nope is not there/, /^$/],
  ["a Dockerfile in the context's place", "Dockerfile", /Dockerfile is no folder/, /wbuild -f .*\/Dockerfile /],
  ["a tar in the context's place", "ctx.tar.gz", /ctx\.tar\.gz is no folder/, /wbuild - < .*\/ctx\.tar\.gz$/],
];
for (const [title, path, message, hint] of noFolders)
  test(`${title} is told as that`, async (t) => {
    const folder = context(t, ["Dockerfile", "ctx.tar.gz"]);
    const main = { folder: join(folder, path), isRemote: false };
    const error = (await t.throwsAsync(readDockerfile(undefined, main, never), { message })) as WbuildError;
    t.is(error.code, "CTX_NO_FOLDER");
    t.regex(error.hint ?? "", hint);
  });

test("a link that leads out of the context is no reason to read another file", async (t) => {
  const folder = context(t, ["Dockerfil"]);
  symlinkSync("/etc/passwd", join(folder, "Dockerfile"));
  symlinkSync("/etc/passwd", join(folder, "dockerfile"));
  const reading = readDockerfile(undefined, { folder, isRemote: false }, never);
  await t.throwsAsync(reading, { message: /leads out of the build context/ });
});
