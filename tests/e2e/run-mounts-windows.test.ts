/** RUN --mount in Windows images: the same mounts, at C:\… in any spelling. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { testUnless } from "../doubles/test-unless.ts";
import { noWindows, outcome, scene } from "./scene.ts";

const run = testUnless(noWindows());
const base = "# escape=`\nFROM wbuild.local/windows";

run("bind, cache, tmpfs and secret are seen, and leave nothing behind", async (t) => {
  const s = await scene(t, { base: "windows" });
  const context = await s.files("c", {
    Dockerfile: `${base} AS made
RUN mkdir C:\\d && echo made> C:\\d\\f.txt
${base.split("\n")[1]}
RUN mkdir C:\\Got
RUN --mount=target=C:/src type c:\\SRC\\in\\x.txt > c:\\got\\bind.txt
RUN --mount=source=in\\\\x.txt,target=C:/file.txt type C:\\file.txt > c:\\got\\file.txt
RUN --mount=from=made,source=C:\\\\D,target=C:\\\\m type C:\\m\\f.txt > c:\\got\\from.txt
RUN --mount=target=C:\\\\src,rw echo new> C:\\src\\in\\x.txt && type C:\\src\\in\\x.txt > C:\\got\\rw.txt
RUN --mount=type=cache,target=C:\\\\cache echo one>> C:\\cache\\log.txt
RUN --mount=type=cache,target=C:\\\\cache echo two>> C:\\cache\\log.txt && type C:\\cache\\log.txt > C:\\got\\cache.txt
RUN --mount=type=tmpfs,target=C:\\\\t echo x> C:\\t\\x.txt && type C:\\t\\x.txt > C:\\got\\tmpfs.txt
RUN --mount=type=secret,id=k,target=C:\\\\run\\\\secrets\\\\k type C:\\run\\secrets\\k > C:\\got\\secret.txt
RUN --mount=type=secret,id=k,env=K echo %K%> C:\\got\\variable.txt
RUN for %n in (src file.txt m cache t run) do if exist C:\\%n echo left %n>> C:\\got\\left.txt
`,
    "in/x.txt": "x\r\n",
    ".dockerignore": "key",
    key: "hidden-value",
  });
  const done = await s.build(context, "-t", "out", "--secret", `id=k,src=${context}/key`);
  t.is(done.code, 0, done.stderr);
  const place = join(s.folder, "files");
  const written = await s.build(context, "-o", place, "--secret", `id=k,src=${context}/key`);
  t.is(written.code, 0, written.stderr);
  t.is(outcome(written, "RUN --mount=type=cache"), "CACHED");
  const read = async (name: string) => (await s.tool("cat", join(place, "Got", name))).replaceAll(/ *\r/g, "");
  for (const [name, text] of [
    ["bind.txt", "x\n"],
    ["file.txt", "x\n"],
    ["from.txt", "made\n"],
    ["rw.txt", "new\n"],
    ["cache.txt", "one\ntwo\n"],
    ["tmpfs.txt", "x\n"],
    ["secret.txt", "hidden-value"],
    ["variable.txt", "hidden-value\n"],
  ] as const)
    t.is(await read(name), text, name);
  await t.throwsAsync(read("left.txt"), undefined, "no mount point is left");
  // The value is no part of what a step is.
  writeFileSync(join(context, "key"), "another");
  const again = await s.build(context, "--secret", `id=k,src=${context}/key`);
  t.is(outcome(again, "RUN --mount=type=secret"), "CACHED");
});

run("refused with a reason: agents and devices", async (t) => {
  const s = await scene(t, { base: "windows" });
  for (const [flag, reason] of [
    ["--mount=type=ssh", /type ssh is not possible on Windows/],
    ["--device=vendor.com/class=one", /--device is not supported for Windows/],
    ["--mount=type=secret,id=k", /needs a target on Windows/],
  ] as const) {
    const context = await s.files("c", { Dockerfile: `${base}\nRUN ${flag} ver\n` });
    const { code, stderr } = await s.build(context);
    t.is(code, 2);
    t.regex(stderr, reason);
  }
});
