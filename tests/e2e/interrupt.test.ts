import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { outcome, type Scene, scene } from "./scene.ts";

/** Processes of this host whose command line holds the text. */
function processesWith(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((id) => {
      try {
        return readFileSync(`/proc/${id}/cmdline`, "utf8").includes(text);
      } catch {
        return false;
      }
    });
}

function mountsBelow(folder: string): string[] {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(folder));
}

/** A number of seconds that no other test sleeps. */
let naps = 0;
function nap(): string {
  return `${60_000 + (process.pid % 1000) * 10 + naps++}`;
}

async function contextOf(s: Scene, seconds: string): Promise<string> {
  return s.files("context", {
    Dockerfile: `FROM wbuild.local/linux\nRUN echo kept > /kept\nRUN sleep 0.5; echo started; sleep ${seconds} & wait\n`,
  });
}

const signals: [signal: NodeJS.Signals, code: number][] = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
];
for (const [signal, code] of signals) {
  test(`${signal} in a step: the step's processes end, the store is sound, earlier layers stay cached`, async (t) => {
    const s = await scene(t);
    const seconds = nap();
    const context = await contextOf(s, seconds);
    const ended = await s.wbuildWith(
      { signalAfter: { text: " started\n", signal } },
      ...["build", "--progress", "plain", "--network", "none", "-t", "app", context],
    );
    t.is(ended.code, code, ended.stderr);
    t.deepEqual(processesWith(`sleep\0${seconds}`), []);
    t.deepEqual(mountsBelow(s.folder), []);
    await usable(t, s);
  });
}

test("SIGKILL in a step: nothing of it lives on, and the next build uses the store without repair", async (t) => {
  const s = await scene(t);
  const seconds = nap();
  const context = await contextOf(s, seconds);
  const killed = await s.wbuildWith(
    { signalAfter: { text: " started\n", signal: "SIGKILL" } },
    ...["build", "--progress", "plain", "--network", "none", context],
  );
  t.is(killed.code, 137);
  // The kernel ends the step when its parent is gone; that takes a moment.
  for (let i = 0; i < 200 && processesWith(`sleep\0${seconds}`).length > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  t.deepEqual(processesWith(`sleep\0${seconds}`), []);
  t.deepEqual(mountsBelow(s.folder), []);
  await usable(t, s);
  const pruned = await s.wbuild("prune", "--all", "--force");
  t.is(pruned.code, 0, pruned.stderr);
  t.deepEqual(readdirSync(join(s.env.WBUILD_HOME, "store-v1/temp")), []);
});

/** Numbers of this host's network interfaces; the kernel gives none a second time. */
function interfaces(): string[] {
  return readdirSync("/sys/class/net").flatMap((name) => {
    try {
      return [readFileSync(`/sys/class/net/${name}/ifindex`, "utf8").trim()];
    } catch {
      return [];
    }
  });
}

for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
  test(`${signal} in a step with a network of its own leaves no interface on the host`, async (t) => {
    const s = await scene(t);
    const seconds = nap();
    const context = await s.files("context", {
      Dockerfile: `FROM wbuild.local/linux\nRUN cd /sys/class/net/eth0; echo "link $(cat ifindex) $(cat iflink)"; echo started; sleep ${seconds} & wait\n`,
    });
    const ended = await s.wbuildWith(
      { signalAfter: { text: " started\n", signal } },
      ...["build", "--progress", "plain", context],
    );
    const [, own, peer = ""] = /link (\d+) (\d+)\n/.exec(ended.stderr) ?? [];
    if (own === undefined || own === peer) return t.pass("this host's containers get their network without a pair");
    for (let i = 0; i < 200 && interfaces().includes(peer); i++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    t.false(interfaces().includes(peer));
    t.deepEqual(processesWith(`sleep\0${seconds}`), []);
  });
}

/** The step that had ended before is cached, and a build goes through. */
async function usable(t: ExecutionContext, s: Scene): Promise<void> {
  const context = await s.files("after", {
    Dockerfile: "FROM wbuild.local/linux\nRUN echo kept > /kept\nRUN cat /kept > /copy\n",
  });
  const built = await s.build(context, "-t", "after");
  t.is(built.code, 0, built.stderr);
  t.is(outcome(built, "RUN echo kept"), "CACHED", built.stderr);
  t.is(await s.run("after", "cat", "/copy"), "kept\n");
}

test("two builds of one tag at once: both succeed, and the name is one of the two", async (t) => {
  const s = await scene(t);
  const contexts = await Promise.all(
    ["one", "two"].map((name) =>
      s.files(name, {
        Dockerfile: `FROM wbuild.local/linux\nRUN echo shared > /shared\nCOPY who /who\nRUN cat /who > /said\n`,
        who: `${name}\n`,
      }),
    ),
  );
  const builds = await Promise.all(
    contexts.flatMap((context) => [s.build(context, "-t", "app"), s.build(context, "-t", "app")]),
  );
  for (const built of builds) t.is(built.code, 0, built.stderr);
  t.regex(await s.run("app", "cat", "/said"), /^(one|two)\n$/);
  t.is(await s.run("app", "cat", "/shared"), "shared\n");
});

test("prune beside builds takes nothing that they use", async (t) => {
  const s = await scene(t);
  const contexts = await Promise.all(
    ["a", "b", "c"].map((name) =>
      s.files(name, {
        Dockerfile: `FROM wbuild.local/linux\nRUN echo ${name} > /1\nRUN sleep 0.5; cp /1 /2\nRUN cp /2 /3\n`,
      }),
    ),
  );
  const builds = Promise.all(contexts.map((context, i) => s.build(context, "-t", `app${i}`)));
  for (let i = 0; i < 4; i++) {
    const pruned = await s.wbuild("prune", "--all", "--force");
    t.is(pruned.code, 0, pruned.stderr);
  }
  for (const built of await builds) t.is(built.code, 0, built.stderr);
  for (const i of [0, 1, 2]) t.is(await s.run(`app${i}`, "cat", "/3"), `${"abc"[i]}\n`);
});
