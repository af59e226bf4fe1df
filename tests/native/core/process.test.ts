import test from "ava";
import { startSandbox } from "../../../native/core/sandbox.ts";
import { isWbuildError } from "../../../native/error.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { collect, makePlace, noContainers, type Options, runArgv, runScript, specFor } from "./box.ts";

const run = testUnless(noContainers);
// Serial tests come first: this one changes the environment of the others.
const serial = testUnless(noContainers, test.serial);
const place = noContainers === undefined ? makePlace() : undefined;
test.after.always(() => place?.remove());

for (const [script, exit] of [
  ["exit 0", { code: 0 }],
  ["exit 7", { code: 7 }],
  ["exit 255", { code: 255 }],
  ["kill -TERM $$", { signal: "SIGTERM" }],
  ["kill -SEGV $$", { signal: "SIGSEGV" }],
  ["kill -KILL $$", { signal: "SIGKILL" }],
] as const) {
  run(`exit: ${script}`, async (t) => {
    t.deepEqual((await runScript(place!, script)).exit, exit);
  });
}

run("ten megabytes on both streams arrive whole", async (t) => {
  const script = "(yes out | head -c 10485760) & (yes err | head -c 5242880 >&2); wait";
  const { stdout, stderr } = await runScript(place!, script);
  t.is(stdout.length, 10485760);
  t.is(stderr.length, 5242880);
  t.true(/^(out\n)+$/.test(stdout.slice(0, 400)) && !stdout.includes("err"));
});

run("output of what the process leaves behind is kept, and it does not outlive the process", async (t) => {
  const { stdout, exit } = await runScript(place!, "(echo early; sleep 1000; echo late) & sleep 0.2; echo done");
  t.deepEqual(stdout, "early\ndone\n");
  t.deepEqual(exit, { code: 0 });
});

run("a slow reader gets everything", async (t) => {
  await using running = await startSandbox(
    specFor(place!, ["sh", "-c", "head -c 8000000 /dev/zero; echo end"]),
    () => {},
  );
  let size = 0;
  let chunks = 0;
  for await (const { bytes } of running.output) {
    size += bytes.length;
    if (++chunks % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  t.is(size, 8000004);
  t.deepEqual(await running.exited, { code: 0 });
});

for (const name of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const) {
  run(`${name} reaches the process`, async (t) => {
    const script = `trap 'echo got; exit 9' ${name.slice(3)}; echo ready; while :; do sleep 0.05; done`;
    await using running = await startSandbox(specFor(place!, ["sh", "-c", script]), () => {});
    let text = "";
    for await (const { bytes } of running.output) {
      text += Buffer.from(bytes).toString();
      if (text === "ready\n") running.signal(name);
    }
    t.is(text, "ready\ngot\n");
    t.deepEqual(await running.exited, { code: 9 });
  });
}

run("SIGKILL ends every process, also one that has left the session", async (t) => {
  const script = "trap '' TERM INT; setsid sh -c 'trap \"\" TERM; sleep 1000' & echo ready; sleep 1000";
  await using running = await startSandbox(specFor(place!, ["sh", "-c", script]), () => {});
  const read = (async () => {
    for await (const _ of running.output) running.signal("SIGKILL");
  })();
  t.deepEqual(await running.exited, { signal: "SIGKILL" });
  await read;
});

run("disposing of a running container ends it", async (t) => {
  const running = await startSandbox(specFor(place!, ["sleep", "1000"]), () => {});
  await running[Symbol.asyncDispose]();
  t.deepEqual(await running.exited, { signal: "SIGKILL" });
});

type Failure = readonly [title: string, argv: readonly string[], code: string, message: RegExp, options?: Options];
const failures: readonly Failure[] = [
  ["a missing program", ["/nowhere"], "BOX_COMMAND", /cannot execute \/nowhere: no such file/],
  ["a name that PATH does not have", ["nowhere"], "BOX_COMMAND", /cannot execute nowhere: no such file/],
  ["a file that is no program", ["/etc/hosts"], "BOX_COMMAND", /permission denied/],
  [
    "a missing folder",
    ["true"],
    "BOX_CWD",
    /cannot enter the folder \/none: no such file/,
    { process: { cwd: "/none" } },
  ],
  ["a missing layer", ["true"], "BOX_ROOT", /cannot open a layer \/nowhere/, { root: { lower: ["/nowhere"] } }],
  [
    "a missing source of a mount",
    ["true"],
    "BOX_MOUNT_SOURCE",
    /\/nowhere/,
    { mounts: [{ kind: "bind", source: "/nowhere", target: "/x", readonly: true }] },
  ],
  [
    "an unknown limit",
    ["true"],
    "BOX_LIMIT",
    /no resource limit "files"/,
    { limits: { shmBytes: 1 << 20, ulimits: { files: [1, 1] } } },
  ],
  ["a NUL in the environment", ["true"], "BOX_OPTIONS", /NUL/, { process: { env: { A: "x\0insecure=1" } } }],
];
for (const [title, argv, code, message, options] of failures) {
  run(`failure: ${title}`, async (t) => {
    const error = await t.throwsAsync(runArgv(place!, argv, options));
    t.true(isWbuildError(error) && error.code === code, String(error));
    t.regex(error!.message, message);
  });
}

serial("a launcher that is not there is BOX_NOT_BUILT", async (t) => {
  process.env.WBUILD_SANDBOX = "/nowhere/wbuild-sandbox";
  try {
    const error = await t.throwsAsync(startSandbox(specFor(place!, ["true"]), () => {}));
    t.true(isWbuildError(error, "BOX_NOT_BUILT"), String(error));
  } finally {
    delete process.env.WBUILD_SANDBOX;
  }
});

run("ulimits", async (t) => {
  const { stdout } = await runScript(place!, "ulimit -n; ulimit -Hn; ulimit -c", {
    limits: { shmBytes: 1 << 20, ulimits: { nofile: [77, 99], core: [0, 0] } },
  });
  t.is(stdout, "77\n99\n0\n");
});

run("open files are 1024 where nobody says otherwise", async (t) => {
  const { stdout } = await runScript(place!, "ulimit -n");
  t.is(stdout, "1024\n");
});

run("containers side by side do not mix", async (t) => {
  const all = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => {
      await using running = await startSandbox(
        specFor(place!, ["sh", "-c", `echo ${i} > /x; sleep 0.1; cat /x`]),
        () => {},
      );
      return (await collect(running)).stdout;
    }),
  );
  t.deepEqual(
    all,
    Array.from({ length: 8 }, (_, i) => `${i}\n`),
  );
});
