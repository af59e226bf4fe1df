/** RUN --mount with the real program: what a step sees, what it leaves behind, and what makes it run again. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { outcome, type Scene, scene } from "./scene.ts";
import { base, built } from "./step-scene.ts";

/** All paths below / that the last layers made, but for the base's. */
const tree = (s: Scene) => s.run("out", "find", "/", "-xdev", "-newer", "/etc/passwd", "!", "-path", "/proc*");

test("bind: the context, as the ignore file leaves it, a folder or a file of it", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base}
RUN --mount=target=/src ls -A /src /src/in > /list && stat -c %u:%g /src/a >> /list
RUN --mount=type=bind,source=in,target=/src cat /src/x >> /list
RUN --mount=source=./in/x,dst=/file cat /file >> /list
WORKDIR /work
RUN --mount=source=in,target=here cat here/x >> /list
RUN --mount=target=. ls a && echo no > /work/a 2>/dev/null || echo refused >> /list
RUN --mount=target=/src,rw echo new > /src/a && cat /src/a >> /list
RUN --mount=target=/src cat /src/a >> /list
`,
    ".dockerignore": "secret\nin/hidden\n.dockerignore\nDockerfile\n",
    a: "a\n",
    secret: "s",
    "in/x": "x\n",
    "in/hidden": "h",
  });
  await built(t, s, context);
  t.is(await s.run("out", "cat", "/list"), "/src:\na\nin\n\n/src/in:\nx\n0:0\nx\nx\nx\nrefused\nnew\na\n");
  t.is((await s.run("out", "ls", "-A", "/work")).trim(), "");
  t.is((await s.run("out", "sh", "-c", "ls -d /src /file 2>/dev/null || echo gone")).trim(), "gone");
});

test("bind: from a stage, from an image, and only what is there", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base} AS made
RUN mkdir /d && echo made > /d/f && ln -s d/f /link && ln -s ../../../../../../etc/hostname /out && ln -s /nowhere /lost
${base}
ARG WHAT=/d
RUN --mount=from=made,target=/m cat /m/link /m/d/f > /got
RUN --mount=from=made,source=link,target=/m cat /m >> /got
RUN --mount=from=wbuild.local/linux,source=/etc,target=/m cat /m/passwd | head -1 >> /got
RUN --mount=from=made,source=$WHAT,target=/m ls /m
`,
  });
  await built(t, s, context);
  t.regex(await s.run("out", "cat", "/got"), /^made\nmade\nmade\nroot:/);
  for (const what of ["/lost", "/nothing", "/d/f/deeper"]) {
    const { code, stderr } = await s.build(context, "--build-arg", `WHAT=${what}`);
    t.is(code, 1);
    t.regex(stderr, /STEP_MOUNT_SOURCE/, what);
  }
  // The link leads to the stage's own file, never to the host's.
  const { code, stderr } = await s.build(context, "--build-arg", "WHAT=/out");
  t.regex(stderr, code === 0 ? /\/m/ : /STEP_MOUNT_SOURCE/);
});

test("bind: a link in the context leads to nothing outside of it", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base}\nARG FROM=inside\nRUN --mount=source=$FROM,target=/m cat /m > /got\n`,
    "real/file": "in\n",
  });
  writeFileSync(join(s.folder, "host-secret"), "of the host\n");
  symlinkSync("real/file", join(context, "inside"));
  symlinkSync("../host-secret", join(context, "outside"));
  symlinkSync(join(s.folder, "host-secret"), join(context, "absolute"));
  await built(t, s, context);
  t.is(await s.run("out", "cat", "/got"), "in\n");
  for (const from of ["outside", "absolute"]) {
    const { code, stderr } = await s.build(context, "--build-arg", `FROM=${from}`);
    t.is(code, 2, stderr);
    t.regex(stderr, /CTX_NO_SOURCE/);
  }
});

test("bind: what decides whether a step runs again", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base} AS made
COPY stage /d/
${base}
RUN --mount=source=ctx,target=/c --mount=from=made,source=d/used,target=/m cat /c/a /m > /got
`,
    "ctx/a": "a",
    "other/b": "b",
    "stage/used": "1",
    "stage/unused": "1",
  });
  const rows: [change: string, make: () => void, ran: boolean][] = [
    ["nothing", () => undefined, false],
    ["a file that is not mounted", () => writeFileSync(join(context, "other/b"), "c"), false],
    ["a part of the stage that is not mounted", () => writeFileSync(join(context, "stage/unused"), "2"), false],
    ["what is mounted of the context", () => writeFileSync(join(context, "ctx/a"), "b"), true],
    ["a new file in what is mounted", () => writeFileSync(join(context, "ctx/new"), ""), true],
    ["what is mounted of the stage", () => writeFileSync(join(context, "stage/used"), "2"), true],
    ["and back again", () => writeFileSync(join(context, "stage/used"), "1"), false],
  ];
  await built(t, s, context);
  for (const [change, make, ran] of rows) {
    make();
    const done = await built(t, s, context);
    t.is(outcome(done, "RUN --mount"), ran ? "DONE" : "CACHED", change);
  }
});

test("cache: stays from build to build, is seen by others of its id, and is in no layer", async (t) => {
  const s = await scene(t);
  const file = (stamp: string) => `${base}
RUN --mount=type=cache,target=/c echo ${stamp} >> /c/log && cp /c/log /got
RUN --mount=type=cache,id=/c,target=/other cp /other/log /got2
RUN --mount=type=cache,target=/mode,mode=1777,uid=5,gid=6 stat -c '%a %u:%g' /mode > /got3
RUN --mount=type=cache,target=/c,readonly echo no > /c/log 2>/dev/null || echo refused > /got4
`;
  const context = await s.files("c", { Dockerfile: file("one") });
  await built(t, s, context);
  await s.files("c", { Dockerfile: file("two") });
  await built(t, s, context);
  t.is(await s.run("out", "cat", "/got", "/got2", "/got3", "/got4"), "one\ntwo\none\ntwo\n1777 5:6\nrefused\n");
  t.notRegex(await tree(s), /^\/(c|other|mode)/m);
  // A new namespace is a new cache; --no-cache is not.
  await built(t, s, context, "--no-cache");
  t.is(await s.run("out", "cat", "/got"), "one\ntwo\ntwo\n");
  await built(t, s, context, "--build-arg", "BUILDKIT_CACHE_MOUNT_NS=mine");
  t.is(await s.run("out", "cat", "/got"), "two\n");
  const usage = JSON.parse((await s.wbuild("du", "--json")).stdout);
  t.is(usage.cacheMounts.count, 4);
  t.true(usage.cacheMounts.reclaimableBytes > 0);
  const listed = JSON.parse((await s.wbuild("du", "--json", "--filter", "type=exec.cachemount")).stdout).rows;
  t.deepEqual(listed.map(({ description }: { description: string }) => description).sort(), [
    "/c",
    "/mode",
    "mine//c",
    "mine//mode",
  ]);
  t.is((await s.wbuild("prune", "--filter", "type=exec.cachemount")).code, 0);
  t.is(JSON.parse((await s.wbuild("du", "--json")).stdout).cacheMounts.count, 0);
});

test("cache: the same one twice in a step is one folder, also a locked one", async (t) => {
  const s = await scene(t);
  const mount = (target: string) => `--mount=type=cache,id=x,sharing=locked,target=${target}`;
  const context = await s.files("c", {
    Dockerfile: `${base}\nRUN ${mount("/a")} ${mount("/b")} echo one > /a/f && cat /b/f > /got\n`,
  });
  await built(t, s, context);
  t.is(await s.run("out", "cat", "/got"), "one\n");
});

test("cache: begins with files of a stage", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base} AS seed
RUN mkdir -p /s/deep && echo seed > /s/deep/f && ln -s deep/f /s/l && chown -R 7:8 /s/deep && ln /s/deep/f /s/hard
${base}
RUN --mount=type=cache,from=seed,source=s,target=/c cat /c/l && stat -c %u:%g,%h /c/deep/f > /got && echo more > /c/new
RUN --mount=type=cache,from=seed,source=s,target=/c ls /c >> /got
`,
  });
  await built(t, s, context);
  t.is(await s.run("out", "cat", "/got"), "7:8,2\ndeep\nhard\nl\nnew\n");
});

test("cache: locked ones wait for each other, private ones do not meet", async (t) => {
  const s = await scene(t);
  // Each writes that it is in, waits until it can see whether the other one is, and writes that it is out.
  const stage = (name: string, sharing: string) => `${base} AS ${name}
RUN --mount=type=cache,id=x,sharing=${sharing},target=/c echo in >> /c/log; sleep 0.3; echo out >> /c/log; cp /c/log /${name}\n`;
  const file = (sharing: string) =>
    `${stage("one", sharing)}${stage("two", sharing)}FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n`;
  for (const [sharing, expected] of [
    ["locked", ["in out", "in out in out"]],
    ["private", ["in out", "in out"]],
  ] as const) {
    const context = await s.files(sharing, { Dockerfile: file(sharing) });
    const { code, stderr } = await s.build(context, "-o", join(s.folder, `out-${sharing}`));
    t.is(code, 0, stderr);
    const logs = await s.tool("cat", `out-${sharing}/one`, `out-${sharing}/two`);
    const texts = [await s.tool("cat", `out-${sharing}/one`), await s.tool("cat", `out-${sharing}/two`)];
    t.deepEqual(texts.map((text) => text.trim().split("\n").join(" ")).sort(), [...expected], logs);
    await s.wbuild("prune", "--filter", "type=exec.cachemount");
  }
});

test("tmpfs: empty, of its size, and gone afterwards; /dev/shm stays what it is", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base}
RUN mkdir /t && echo below > /t/below
RUN --mount=type=tmpfs,target=/t,size=1m ls -A /t > /got; echo x > /t/x; stat -c %a /t >> /got; \\
    dd if=/dev/zero of=/t/big bs=1k count=3000 2>/dev/null; stat -c %s /t/big >> /got; df -k /dev/shm | tail -1 | awk '{print $2}' >> /got
RUN ls -A /t >> /got
`,
  });
  await built(t, s, context);
  const [mode, size, shm, left] = (await s.run("out", "cat", "/got")).trim().split("\n");
  t.deepEqual([mode, shm, left], ["1777", "65536", "below"]);
  t.true(Number(size) <= 1 << 20);
});

test("mounts leave no trace: no mount point, no changed time of the folder it stood in", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base}
RUN --mount=target=/new/deep/point --mount=type=tmpfs,target=/opt/t --mount=type=cache,target=/var/cache/x true
`,
    a: "",
  });
  await built(t, s, context);
  t.regex((await s.wbuild("history", "--json", "out")).stdout, /"Size":"1.02kB"/);
  const listed = await s.run("out", "sh", "-c", "ls -d /new /opt/t /var/cache/x 2>/dev/null; echo .");
  t.is(listed, ".\n");
});

test("what lies in another mount is mounted after it; targets follow links of the image", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base}
RUN mkdir /real && ln -s /real /linked
RUN --mount=type=cache,target=/a/cache --mount=target=/a,rw ls /a /a/cache > /got
RUN --mount=source=x,target=/linked/x cat /real/x/f >> /got
RUN ls -A /real >> /got
`,
    "x/f": "f\n",
  });
  mkdirSync(join(context, "y"));
  await built(t, s, context);
  t.is(await s.run("out", "cat", "/got"), "/a:\nDockerfile\ncache\nx\ny\n\n/a/cache:\nf\n");
});
