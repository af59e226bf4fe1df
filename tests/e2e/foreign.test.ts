/** RUN for another architecture: through qemu-user in a register of interpreters that only the step sees. */
import { existsSync, readdirSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { interpreterFor } from "../../builder/runtime/foreign.ts";
import { arm64Program } from "../doubles/arm64.ts";
import { noUser } from "../doubles/ordinary-user.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { type Scene, scene } from "./scene.ts";

const missing = await (async () => {
  if (process.arch === "arm64") return "arm64 is not foreign here";
  return await interpreterFor("arm64").then(
    () => undefined,
    (error: Error) => error.message,
  );
})();
const foreign = testUnless(missing);

/** A context with a program /first that becomes the program /second, which makes the file /made. */
async function context(it: Scene, lines: readonly string[]): Promise<string> {
  const folder = await it.files("arm", {
    Dockerfile: lines.join("\n"),
    first: arm64Program({ says: "this is the first\n", becomes: "/second" }),
    second: arm64Program({ says: "and its child\n", makes: "/made" }),
  });
  for (const name of ["first", "second"]) await chmod(join(folder, name), 0o755);
  return folder;
}

const hostRegister = () => {
  const folder = "/proc/sys/fs/binfmt_misc";
  return existsSync(folder) ? readdirSync(folder) : [];
};

async function runsForeign(t: ExecutionContext): Promise<void> {
  const it = await scene(t, { base: false });
  const before = hostRegister();
  const folder = await context(it, ["FROM scratch", "COPY first second /", 'RUN ["/first"]', 'CMD ["/first"]']);
  const built = await it.build(folder, "--platform", "linux/arm64", "-t", "arm");
  t.is(built.code, 0, built.stderr);
  t.regex(built.stderr, /this is the first[\s\S]*and its child/);
  const files = await it.wbuild("diff", "arm");
  t.regex(files.stdout, /made/);
  t.is(await it.run("arm"), "this is the first\nand its child\n", "wbuild run goes the same way");
  t.deepEqual(hostRegister(), before, "nothing is registered with the host");
  const again = await it.build(folder, "--platform", "linux/arm64");
  t.regex(again.stderr, /RUN \["\/first"\]\n#\d+ CACHED/);
}

foreign("a step and its children run for another architecture", runsForeign);

const user = missing ?? noUser();
testUnless(user)("an ordinary user runs it, too", async (t) => {
  const it = await scene(t, { base: false, user: "one id" });
  const folder = await context(it, ["FROM scratch", "COPY first second /", 'RUN ["/first"]']);
  const built = await it.build(folder, "--platform", "linux/arm64", "-o", "out");
  t.is(built.code, 0, built.stderr);
  t.true(existsSync(join(it.folder, "out/made")));
});

foreign("one build runs steps of two architectures", async (t) => {
  const it = await scene(t);
  const folder = await context(it, [
    "FROM scratch AS files-arm64",
    "COPY first second /",
    'RUN ["/first"]',
    "FROM wbuild.local/linux AS files-amd64",
    "RUN touch /made",
    "FROM files-$TARGETARCH",
  ]);
  const built = await it.build(folder, "--platform", `linux/amd64,linux/arm64`, "-o", "out");
  t.is(built.code, 0, built.stderr);
  for (const name of ["linux_amd64/made", "linux_arm64/made"]) t.true(existsSync(join(it.folder, "out", name)), name);
});

test("a step that cannot run here is told before any other is carried out", async (t) => {
  const it = await scene(t);
  const folder = await it.files("odd", {
    Dockerfile:
      "FROM --platform=$BUILDPLATFORM wbuild.local/linux AS first\nRUN echo hello\nFROM scratch\nCOPY --from=first /bin /bin\nRUN true",
  });
  const told = await it.build(folder, "--platform", "linux/pdp11");
  t.is(told.code, 4, told.stderr);
  t.regex(told.stderr, /error\[BOX_EMULATOR\]: programs for pdp11 cannot run here/);
  t.regex(told.stderr, /Dockerfile:5/);
  t.notRegex(told.stderr, /hello/);
});
