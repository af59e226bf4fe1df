import { readdir, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { outcome, scene } from "./scene.ts";

const dockerfile = `FROM wbuild.local/linux
COPY one.txt /one.txt
RUN cat /one.txt > /from-one
COPY two.txt /two.txt
RUN cat /two.txt > /from-two
`;

test("a second build executes nothing, and gives the same image", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: dockerfile, "one.txt": "1\n", "two.txt": "2\n" });
  const first = await s.build(context, "-t", "app", "--iidfile", join(s.folder, "first"));
  t.is(first.code, 0, first.stderr);
  t.is(outcome(first, "RUN cat /one.txt"), "DONE");
  const second = await s.build(context, "-t", "app", "--iidfile", join(s.folder, "second"));
  t.is(second.code, 0, second.stderr);
  for (const step of ["COPY one.txt", "RUN cat /one.txt", "COPY two.txt", "RUN cat /two.txt"]) {
    t.is(outcome(second, step), "CACHED", `${step}\n${second.stderr}`);
  }
  t.is(await s.tool("cat", "first"), await s.tool("cat", "second"));
});

test("a touched file keeps the cache, a changed one re-runs what depends on it and nothing else", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: dockerfile, "one.txt": "1\n", "two.txt": "2\n" });
  t.is((await s.build(context)).code, 0);

  await utimes(join(context, "one.txt"), 1, 1);
  const touched = await s.build(context);
  t.is(outcome(touched, "RUN cat /one.txt"), "CACHED", touched.stderr);
  t.is(outcome(touched, "RUN cat /two.txt"), "CACHED", touched.stderr);

  await writeFile(join(context, "two.txt"), "changed\n");
  const changed = await s.build(context, "-t", "app");
  t.is(outcome(changed, "RUN cat /one.txt"), "CACHED", changed.stderr);
  t.is(outcome(changed, "COPY two.txt"), "DONE", changed.stderr);
  t.is(outcome(changed, "RUN cat /two.txt"), "DONE", changed.stderr);
  t.is(await s.run("app", "cat", "/from-two"), "changed\n");
});

test("a file replaced by one of the same size and time is noticed", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: dockerfile, "one.txt": "1\n", "two.txt": "2\n", new: "3\n" });
  await utimes(join(context, "one.txt"), 1000, 1000);
  t.is((await s.build(context)).code, 0);
  await utimes(join(context, "new"), 1000, 1000);
  await rename(join(context, "new"), join(context, "one.txt"));
  const built = await s.build(context, "-t", "app");
  t.is(outcome(built, "COPY one.txt"), "DONE", built.stderr);
  t.is(await s.run("app", "cat", "/from-one"), "3\n");
});

test("files that the ignore file hides change nothing", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: "FROM wbuild.local/linux\nCOPY . /src\nRUN ls /src > /list\n",
    ".dockerignore": "noise\n*.log\n!keep.log\n",
    "noise/a": "1",
    "b.log": "1",
    "keep.log": "1",
    main: "1",
  });
  t.is((await s.build(context)).code, 0);
  await s.files("context", { "noise/a": "2", "b.log": "2", "noise/more": "3" });
  const built = await s.build(context, "-t", "app");
  t.is(outcome(built, "COPY . /src"), "CACHED", built.stderr);
  t.is(await s.run("app", "cat", "/list"), "Dockerfile\nkeep.log\nmain\n");
});

test("--no-cache executes every step, and what it made is cached again", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: dockerfile, "one.txt": "1\n", "two.txt": "2\n" });
  t.is((await s.build(context)).code, 0);
  const anew = await s.build(context, "--no-cache");
  t.is(outcome(anew, "RUN cat /one.txt"), "DONE", anew.stderr);
  t.is(outcome(anew, "RUN cat /two.txt"), "DONE", anew.stderr);
  t.is(outcome(await s.build(context), "RUN cat /two.txt"), "CACHED");
});

test("an argument's new value re-runs what is after its ARG", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: "FROM wbuild.local/linux\nRUN echo before > /before\nARG WHO=nobody\nRUN echo $WHO > /who\n",
  });
  t.is((await s.build(context)).code, 0);
  const built = await s.build(context, "--build-arg", "WHO=somebody", "-t", "app");
  t.is(outcome(built, "RUN echo before"), "CACHED", built.stderr);
  t.is(outcome(built, "RUN echo $WHO"), "DONE", built.stderr);
  t.is(await s.run("app", "cat", "/who"), "somebody\n");
});

test("stages that the target does not need are not even looked at", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: [
      "FROM registry.invalid/nothing AS unreachable",
      "RUN false",
      "FROM wbuild.local/linux AS good",
      "RUN echo good > /good",
      "FROM unreachable",
    ].join("\n"),
  });
  const built = await s.build(context, "--target", "good");
  t.is(built.code, 0, built.stderr);
  t.false(built.stderr.includes("unreachable"));
});

test("independent stages run at the same time", async (t) => {
  const s = await scene(t);
  // Each ends only when it has met the other one.
  const meets = (own: string, other: string) =>
    `RUN --mount=type=cache,id=meeting,target=/c touch /c/${own} && i=0 && \\
    while [ ! -e /c/${other} ]; do i=$((i+1)); [ $i -lt 1200 ] || exit 1; sleep 0.05; done; touch /${own}`;
  const context = await s.files("context", {
    Dockerfile: [
      ...["FROM wbuild.local/linux AS a", meets("a", "b")],
      ...["FROM wbuild.local/linux AS b", meets("b", "a")],
      ...["FROM scratch", "COPY --from=a /a /", "COPY --from=b /b /"],
    ].join("\n"),
  });
  const built = await s.build(context, "-j", "2");
  t.is(built.code, 0, built.stderr);
});

test("nothing is left in the store's temporary folder", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: dockerfile, "one.txt": "1\n", "two.txt": "2\n" });
  t.is((await s.build(context)).code, 0);
  t.deepEqual(await readdir(join(s.env.WBUILD_HOME, "store-v1/temp")), []);
});
