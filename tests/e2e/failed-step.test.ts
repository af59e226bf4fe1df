/** Looking into a step that failed: its lines, a shell in its container, its files as an image. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import test, { type ExecutionContext } from "ava";
import { program } from "../doubles/cli.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { startFaultProxy } from "../doubles/fault-proxy.ts";
import { onLoopback } from "../doubles/loopback.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { openShop } from "./registry-shop.ts";
import { noWindows, outcome, scene } from "./scene.ts";

const failing = [
  "FROM wbuild.local/linux",
  "ENV COLOUR=blue",
  "ARG SIZE=9",
  "WORKDIR /work",
  "RUN echo 'app:x:77:77::/:/bin/sh' >> /etc/passwd && rm -f /etc/hostname; chown 77 /work",
  "USER app",
  "RUN --mount=type=tmpfs,target=/scratch \\",
  "    echo before > /work/before; \\",
  "    sleep 0.2; echo last words; \\",
  "    exit 7",
  "RUN echo never",
  "",
].join("\n");

test("the error shows all lines of the instruction with those around, how long it ran and its last words", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: failing });
  const failed = await s.build(context);
  t.is(failed.code, 1, failed.stderr);
  const [, told = ""] = failed.stderr.split("error[STEP_EXIT]");
  t.regex(
    told,
    / {3}5 \| RUN echo .*\n {3}6 \| USER app\n {3}7 > RUN --mount.*\n {3}8 > .*\n {3}9 > .*\n {2}10 > {5}exit 7\n {2}11 \| RUN echo never\n/,
  );
  t.regex(told, /note: it ran (0\.[2-9]|[1-9]\.\d)s\n/);
  t.regex(told, /last output:\n {4}last words\n/);
});

test("--on-failure=shell opens one with the step's files, variables, user, folder and mounts", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: failing });
  const input =
    "cat before; echo $COLOUR-$SIZE; pwd; id -u; grep -c ' /scratch tmpfs' /proc/mounts; echo more > after; exit 3\n";
  const failed = await s.wbuildWith(
    { input },
    "build",
    "--progress=plain",
    "--network=none",
    "--on-failure=shell",
    context,
  );
  t.is(failed.code, 1, "the step's own exit code is what counts");
  t.is(failed.stdout, "before\nblue-9\n/work\n77\n1\n", failed.stderr);
  t.regex(failed.stderr, /a shell where \[4\/5\] RUN .* failed/);
  t.regex(failed.stderr, /error\[STEP_EXIT\].*exit code 7/);

  const again = await s.wbuildWith({ input: "ls\n" }, "build", "--network=none", "--on-failure=shell", context);
  t.is(again.stdout, "before\n", "what the shell changed is gone");
});

test("the shell has every kind of mount, also those that could be written to", async (t) => {
  const s = await scene(t);
  const text = [
    "FROM wbuild.local/linux AS files",
    "RUN mkdir /f; echo given > /f/x",
    "FROM wbuild.local/linux",
    "RUN --mount=type=bind,from=files,source=/f,target=/f,rw --mount=type=cache,target=/c,sharing=locked \\",
    "    --mount=type=secret,id=s,env=SECRET --mount=type=secret,id=s <<EOF",
    "  echo changed > /f/y; echo cached > /c/z; exit 9",
    "EOF",
  ].join("\n");
  const context = await s.files("context", { Dockerfile: text, s: "told" });
  const flags = ["build", "--network=none", "--on-failure=shell", "--secret", `id=s,src=${context}/s`];
  const input = "cat /f/x /c/z /run/secrets/s; echo; echo $SECRET; echo more > /f/w && echo written\n";
  const failed = await s.wbuildWith({ input }, ...flags, context);
  t.is(failed.code, 1, failed.stderr);
  t.is(failed.stdout, "given\ncached\ntold\ntold\nwritten\n", failed.stderr);
  t.regex(failed.stderr, / 6 > {3}echo changed .*\n {2}7 > EOF\n/);
});

const noScript = existsSync("/usr/bin/script") ? undefined : "this host has no script (bsdutils)";
testUnless(noScript)("on a terminal the shell has one of its own", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: "FROM wbuild.local/linux\nRUN echo x > /x; exit 5\n" });
  const line = `${process.execPath} ${program} build --network=none --on-failure=shell ${context}`;
  const env = { ...process.env, ...s.env, TERM: "xterm", CI: "" };
  const child = spawn("/usr/bin/script", ["-qec", line, "/dev/null"], { env, stdio: "pipe" });
  t.teardown(() => child.kill("SIGKILL"));
  let seen = "";
  const steps: [prompt: RegExp, says: string][] = [
    [/\/ # /, "test -t 0 && test -t 1 && echo is-$TERM-$(cat /x)\n"],
    [/is-xterm-x/, "exit\n"],
  ];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
    const [prompt, says] = steps[0] ?? [];
    if (!prompt?.test(seen)) return;
    steps.shift();
    child.stdin.write(says);
  });
  const [code] = await once(child, "close");
  t.is(code, 1, seen);
  t.regex(seen, /STEP_EXIT/);
  t.deepEqual(steps, []);
});

test("the other steps end before the shell begins", async (t) => {
  const s = await scene(t);
  const text = [
    "FROM wbuild.local/linux AS slow",
    "RUN sleep 600",
    "FROM wbuild.local/linux AS bad",
    "RUN sleep 1; exit 3",
    "FROM scratch",
    "COPY --from=slow /a /",
    "COPY --from=bad /b /",
  ].join("\n");
  const context = await s.files("context", { Dockerfile: text });
  const flags = ["build", "--progress=plain", "--network=none", "--on-failure=shell", "-j", "2"];
  const failed = await s.wbuildWith({ input: "echo here\n" }, ...flags, context);
  t.is(failed.code, 1, failed.stderr);
  t.is(failed.stdout, "here\n");
  const [before = "", after = ""] = failed.stderr.split("a shell where");
  t.regex(before, /CANCELED/);
  t.notRegex(after, /CANCELED/);
});

test("a COPY that fails: a shell on the files below it; without one in the image the failure is told all the same", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: "FROM wbuild.local/linux\nRUN echo below > /below\nCOPY nothing /\n",
    empty: "FROM scratch\nCOPY nothing /\n",
  });
  const flags = ["build", "--progress=plain", "--network=none", "--on-failure=shell"];
  const failed = await s.wbuildWith({ input: "cat /below\n" }, ...flags, context);
  t.is(failed.code, 2, failed.stderr);
  t.is(failed.stdout, "below\n", failed.stderr);
  t.regex(failed.stderr, /error\[CTX_NO_SOURCE\]/);

  const bare = await s.wbuildWith({ input: "" }, ...flags, "-f", `${context}/empty`, context);
  t.is(bare.code, 2, bare.stderr);
  t.regex(bare.stderr, /warning: no shell where the step failed/);
  t.regex(bare.stderr, /error\[CTX_NO_SOURCE\]/);
});

test("--keep-failed keeps the files as an image, without secrets, and says its name", async (t) => {
  const s = await scene(t);
  const text = [
    "FROM wbuild.local/linux",
    "ENV COLOUR=blue",
    "WORKDIR /work",
    "RUN --mount=type=secret,id=token,env=TOKEN rm /etc/profile; echo $COLOUR > made; exit 4",
  ].join("\n");
  const context = await s.files("context", { Dockerfile: text, token: "hidden-value" });
  const flags = ["build", "--network=none", "--secret", `id=token,src=${context}/token`];
  const failed = await s.wbuild(...flags, "--keep-failed", context);
  t.is(failed.code, 1, failed.stderr);
  t.regex(failed.stderr, /help: its files are kept as .*failed.* \([0-9a-f]{12}\): .*`wbuild run -it failed`/);
  t.is(
    await s.run("failed", "sh", "-c", "cat made; pwd; ls /etc/profile 2>&1 | grep -c 'No such'"),
    "blue\n/work\n1\n",
  );
  t.notRegex((await s.wbuild("inspect", "failed")).stdout, /hidden-value|TOKEN/);

  const named = await s.wbuild(...flags, "--keep-failed=debug/this:one", context);
  t.regex(named.stderr, /`wbuild run -it debug\/this:one`/);
  t.is(await s.run("debug/this:one", "cat", "/work/made"), "blue\n");
  t.is(
    outcome(await s.build(context, "--secret", `id=token,src=${context}/token`), "RUN"),
    "ERROR",
    "nothing of it is cached",
  );
});

/** Answers who asks when the time has come. */
async function opening(t: ExecutionContext) {
  let reached = () => {};
  const hasCome = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const server = createServer(async (_, response) => {
    await hasCome;
    response.end("now");
  });
  const door = await onLoopback(server);
  t.teardown(() => door[Symbol.asyncDispose]());
  return { reached: () => reached(), failing: `RUN --network=host wget -q -O - http://${door.host}/; exit 7` };
}

test("a base that was still on its way when the step failed does not count as what failed", async (t) => {
  const shop = await openShop(t);
  await using proxy = await startFaultProxy(shop.registry.host);
  const { reached, failing: step } = await opening(t);
  proxy.rules.push({ on: `GET ${shop.layers[1]}`, fault: { kind: "stall", at: 10, reached } });
  const s = await scene(t);
  const text = [
    `FROM ${proxy.host}/base:1 AS other`,
    "RUN /tool >/out",
    "FROM wbuild.local/linux",
    step,
    "COPY --from=other /out /",
  ].join("\n");
  const context = await s.files("context", { Dockerfile: text });
  const failed = await s.build(context, "--allow=network.host", "--keep-failed");
  t.is(failed.code, 1, failed.stderr);
  t.regex(failed.stderr, /error\[STEP_EXIT\].*exit code 7/);
  t.regex(failed.stderr, / now$/m);
  t.is(outcome(failed, "fetch"), "CANCELED");
  t.regex(failed.stderr, /its files are kept as .*failed/);
});

test("a cached layer that was still on its way when the step failed is not waited for", async (t) => {
  await using registry = await startRegistry();
  await using proxy = await startFaultProxy(registry.host);
  const { reached, failing: step } = await opening(t);
  const stage = "FROM wbuild.local/linux AS other\nRUN echo cached >/cached\n";
  const maker = await scene(t);
  const cached = await maker.files("context", { Dockerfile: stage });
  const made = await maker.build(cached, "--cache-to", `type=registry,ref=${registry.host}/app:cache,mode=max`);
  t.is(made.code, 0, made.stderr);

  const s = await scene(t);
  const text = `${stage}RUN cat /cached >/out\nFROM wbuild.local/linux\n${step}\nCOPY --from=other /out /\n`;
  const context = await s.files("context", { Dockerfile: text });
  const stall = { kind: "stall", at: 10, reached } as const;
  const [layer = ""] = (await cacheLayers(registry.url)).slice(-1);
  proxy.rules.push({ on: `GET ${layer}`, fault: stall, times: 99 });
  const failed = await s.build(context, "--allow=network.host", "--cache-from", `${proxy.host}/app:cache`);
  t.is(failed.code, 1, failed.stderr);
  t.regex(failed.stderr, /error\[STEP_EXIT\].*exit code 7/);
  t.notRegex(failed.stderr, /cannot be used/);
});

/** Digests of the blobs that a build cache's document lists, without its configuration. */
async function cacheLayers(url: string): Promise<string[]> {
  const accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
  const response = await fetch(`${url}/v2/app/manifests/cache`, { headers: { accept } });
  const { layers = [], manifests = [] } = (await response.json()) as Record<"layers" | "manifests", CacheEntry[]>;
  return [...layers, ...manifests].filter(({ mediaType }) => mediaType.includes("layer")).map(({ digest }) => digest);
}

interface CacheEntry {
  readonly mediaType: string;
  readonly digest: string;
}

test("wbuild debug build is a build with a shell where it fails", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: "FROM wbuild.local/linux\nRUN echo x > /x; exit 5\n" });
  for (const words of [["debug", "--on=error", "build"], ["debug", "build"], ["debug"]]) {
    const failed = await s.wbuildWith({ input: "cat /x\n" }, ...words, "--progress=plain", "--network=none", context);
    t.is(failed.code, 1, failed.stderr);
    t.is(failed.stdout, "x\n", failed.stderr);
  }
  const invoked = await s.wbuildWith({}, "debug", "--invoke=/bin/ls", "build", "--network=none", context);
  t.regex(invoked.stdout, /^x$/m);
  t.is((await s.wbuild("debug", "--on=always", "build", context)).code, 2);
  t.is((await s.wbuild("build", "--on-failure=pray", context)).code, 2);
});

testUnless(noWindows())("Windows: cmd where a step failed, and its files and registry as an image", async (t) => {
  const s = await scene(t, { base: "windows" });
  const text = [
    "# escape=`",
    "FROM wbuild.local/windows",
    "WORKDIR C:\\work",
    "ENV COLOUR=blue",
    "RUN echo made> made.txt & reg add HKLM\\SOFTWARE\\Made /v A /d 1 /f & exit 6",
  ].join("\n");
  const context = await s.files("context", { Dockerfile: text });
  // One line: Wine's cmd takes a pipe's whole block for one.
  const input = "type made.txt & echo %COLOUR% %CD% & reg query HKLM\\SOFTWARE\\Made /v A\r\n";
  const failed = await s.wbuildWith(
    { input },
    "build",
    "--network=none",
    "--on-failure=shell",
    "--keep-failed",
    context,
  );
  t.is(failed.code, 1, failed.stderr);
  t.regex(failed.stdout, /made/);
  t.regex(failed.stdout, /blue C:\\work/i);
  t.regex(failed.stdout, /A +REG_SZ +1/);
  t.regex(await s.run("failed", "cmd", "/c", "type C:\\work\\made.txt"), /made/);
});
