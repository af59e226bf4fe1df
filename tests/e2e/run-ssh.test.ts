/** RUN --mount=type=ssh with the real ssh-add inside of the step: it sees the keys, and cannot change them. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ExecutionContext } from "ava";
import { testUnless } from "../doubles/test-unless.ts";
import { type Scene, scene } from "./scene.ts";

const run = testUnless(existsSync("/usr/bin/ssh-agent") ? undefined : "no ssh-agent on this host");

/** A context with the host's ssh-add and all that it loads. */
async function sshContext(s: Scene, lines: string): Promise<string> {
  const context = await s.files("c", { Dockerfile: `FROM wbuild.local/linux\nCOPY root /\n${lines}\n` });
  const listed = await s.tool("ldd", "/usr/bin/ssh-add");
  const files = ["/usr/bin/ssh-add", ...[...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path)];
  for (const file of files) {
    await mkdir(dirname(join(context, "root", file)), { recursive: true });
    await copyFile(file, join(context, "root", file));
  }
  return context;
}

/** A folder for keys; a short path, as sockets want it. */
function place(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-ssh-test-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function makeKey(path: string): string {
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "test key", "-f", path]);
  return execFileSync("ssh-keygen", ["-lf", `${path}.pub`], { encoding: "utf8" }).split(" ")[1] ?? "";
}

const lines = `RUN --mount=type=ssh ssh-add -l > /got; ssh-add -D 2>/dev/null || echo refused >> /got; echo $SSH_AUTH_SOCK >> /got
RUN --mount=type=ssh,id=default,target=/agent,mode=0666,uid=5,gid=6 stat -c '%a %u:%g %F' /agent >> /got; echo $SSH_AUTH_SOCK >> /got
RUN --mount=type=ssh,id=other ls /run/buildkit/ssh_agent.0 2>/dev/null || echo absent $SSH_AUTH_SOCK >> /got
RUN ls -d /run/buildkit /agent 2>/dev/null || echo \${SSH_AUTH_SOCK-unset} >> /got`;
const rest = `refused
/run/buildkit/ssh_agent.0
666 5:6 socket
/agent
absent /run/buildkit/ssh_agent.0
unset
`;

run("keys of an agent of this host", async (t) => {
  const s = await scene(t);
  const folder = place(t);
  const fingerprint = makeKey(join(folder, "key"));
  const socket = join(folder, "agent");
  const said = execFileSync("ssh-agent", ["-a", socket], { encoding: "utf8" });
  t.teardown(() => process.kill(Number(/SSH_AGENT_PID=(\d+)/.exec(said)?.[1])));
  const env = { SSH_AUTH_SOCK: socket };
  execFileSync("ssh-add", ["-q", join(folder, "key")], { env: { ...process.env, ...env } });
  const context = await sshContext(s, lines);
  const args = ["build", "--progress", "plain", "--network", "none", "-t", "out"];
  const done = await s.wbuildWith({ env }, ...args, "--ssh", "default", context);
  t.is(done.code, 0, done.stderr);
  t.is(await s.run("out", "cat", "/got"), `256 ${fingerprint} test key (ED25519)\n${rest}`);
  const left = execFileSync("ssh-add", ["-l"], { env: { ...process.env, ...env }, encoding: "utf8" });
  t.true(left.includes(fingerprint), "nothing was removed from it");
  // Who has the agent is no part of what a step is.
  const again = await s.build(context, "-t", "out", "--ssh", `default=${join(folder, "key")}`);
  t.false([...again.steps.values()].includes("DONE"));
});

run("keys in files, without any agent", async (t) => {
  const s = await scene(t);
  const folder = place(t);
  const fingerprints = ["one", "two"].map((name) => makeKey(join(folder, name)));
  const context = await sshContext(s, "RUN --mount=type=ssh,required ssh-add -l | cut -d' ' -f2 > /got");
  const done = await s.build(context, "-t", "out", "--ssh", `default=${folder}/one,${folder}/two`);
  t.is(done.code, 0, done.stderr);
  t.deepEqual((await s.run("out", "cat", "/got")).trim().split("\n"), fingerprints);
});

run("what cannot be given is told", async (t) => {
  const s = await scene(t);
  const folder = place(t);
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "a passphrase", "-f", join(folder, "locked")]);
  mkdirSync(join(folder, "sub"));
  const context = await s.files("c", {
    Dockerfile: "FROM wbuild.local/linux\nRUN --mount=type=ssh,required true\n",
  });
  for (const [flags, code, expected] of [
    [[], 1, /STEP_SSH.*--ssh default/s],
    [["--ssh", "default"], 2, /SSH_AUTH_SOCK is not set/],
    [["--ssh", `default=${folder}/nothing`], 2, /is not there/],
    [["--ssh", `default=${folder}/locked`], 1, /passphrase.*ssh-add/s],
  ] as const) {
    const { code: found, stderr } = await s.wbuildWith(
      { env: { SSH_AUTH_SOCK: "" } },
      ...["build", "--progress", "plain", "--network", "none", ...flags, context],
    );
    t.is(found, code, stderr);
    t.regex(stderr, expected);
  }
});
