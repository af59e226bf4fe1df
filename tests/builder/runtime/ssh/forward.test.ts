/** The agent of a step: what ssh-add sees of it, that its signatures are right, and what does not pass. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { forwardAgent } from "../../../../builder/runtime/ssh/forward.ts";
import { Messages, string } from "../../../../builder/runtime/ssh/wire.ts";
import { isWbuildError } from "../../../../native/error.ts";
import { testUnless } from "../../../doubles/test-unless.ts";

const run = testUnless(existsSync("/usr/bin/ssh-agent") ? undefined : "no ssh-agent on this host");
const owner = { mode: 0o600, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

function place(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-keys-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function makeKey(folder: string, name: string, ...options: string[]): string {
  const path = join(folder, name);
  execFileSync("ssh-keygen", ["-q", "-N", "", "-C", `of ${name}`, "-f", path, ...options]);
  return path;
}

/** Runs a program with an agent; the exit code and what it wrote. A listener in this process answers meanwhile. */
function ask(agent: string, program: string, ...args: string[]): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...process.env, SSH_AUTH_SOCK: agent },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (text += String(bytes)));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, text }));
  });
}

const fingerprint = (path: string) => execFileSync("ssh-keygen", ["-lf", `${path}.pub`], { encoding: "utf8" });

/** A real agent with a key, which ends with the test. */
function startAgent(t: ExecutionContext, folder: string, key: string): string {
  const path = join(folder, "real-agent");
  const said = execFileSync("ssh-agent", ["-a", path], { encoding: "utf8" });
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(said)?.[1]);
  t.teardown(() => process.kill(pid));
  execFileSync("ssh-add", ["-q", key], { env: { ...process.env, SSH_AUTH_SOCK: path } });
  return path;
}

for (const [name, options] of [
  ["ed25519", ["-t", "ed25519"]],
  ["rsa", ["-t", "rsa", "-b", "2048"]],
  ["rsa in PEM", ["-t", "rsa", "-b", "2048", "-m", "PEM"]],
  ["ecdsa 256", ["-t", "ecdsa", "-b", "256"]],
  ["ecdsa 384", ["-t", "ecdsa", "-b", "384"]],
  ["ecdsa 521", ["-t", "ecdsa", "-b", "521"]],
  ["ecdsa in PKCS8", ["-t", "ecdsa", "-b", "256", "-m", "PKCS8"]],
] as const) {
  run(`a key file, ${name}: listed, and its signatures are right`, async (t) => {
    const folder = place(t);
    const key = makeKey(folder, "key", ...options);
    await using agent = await forwardAgent({ kind: "keys", paths: [key] }, owner);
    const listed = await ask(agent.path, "ssh-add", "-l");
    t.is(listed.text.split(" ")[1], fingerprint(key).split(" ")[1]);
    // Without the private key itself beside it ssh-keygen asks the agent.
    writeFileSync(join(folder, "public"), readFileSync(`${key}.pub`));
    writeFileSync(join(folder, "text"), "to be signed\n");
    const signed = await ask(
      agent.path,
      "ssh-keygen",
      "-Y",
      "sign",
      "-n",
      "file",
      "-f",
      join(folder, "public"),
      join(folder, "text"),
    );
    t.is(signed.code, 0, signed.text);
    const args = ["-Y", "check-novalidate", "-n", "file", "-s", join(folder, "text.sig")];
    t.notThrows(() =>
      execFileSync("ssh-keygen", args, { input: "to be signed\n", stdio: ["pipe", "ignore", "ignore"] }),
    );
    t.throws(() =>
      execFileSync("ssh-keygen", args, { input: "something else\n", stdio: ["pipe", "ignore", "ignore"] }),
    );
  });
}

run("the host's agent can be asked, and not changed", async (t) => {
  const folder = place(t);
  const [key, other] = [makeKey(folder, "key", "-t", "ed25519"), makeKey(folder, "other", "-t", "ed25519")];
  const real = startAgent(t, folder, key);
  await using agent = await forwardAgent({ kind: "socket", path: real }, { ...owner, mode: 0o640 });
  t.is(statSync(agent.path).mode & 0o777, 0o640);
  const before = (await ask(real, "ssh-add", "-l")).text;
  t.is((await ask(agent.path, "ssh-add", "-l")).text, before);
  for (const args of [["-D"], ["-d", key], [other], ["-s", "/usr/lib/none.so"], ["-T", `${key}.pub`]])
    t.is((await ask(agent.path, "ssh-add", ...args)).code === 0, args[0] === "-T", args.join(" "));
  t.is((await ask(real, "ssh-add", "-l")).text, before);
});

run("locking, removing, adding, extensions: each is answered with a failure", async (t) => {
  const folder = place(t);
  const real = startAgent(t, folder, makeKey(folder, "key", "-t", "ed25519"));
  await using agent = await forwardAgent({ kind: "socket", path: real }, owner);
  for (const type of [0, 1, 9, 17, 18, 19, 20, 21, 22, 23, 25, 26, 27, 255])
    t.deepEqual([...(await talk(agent.path, string(Buffer.from([type, 0, 0, 0, 0]))))], [5], `message ${type}`);
});

run("what is too long, or nothing, ends the connection; the next one is answered", async (t) => {
  const folder = place(t);
  await using agent = await forwardAgent({ kind: "keys", paths: [makeKey(folder, "key", "-t", "ed25519")] }, owner);
  for (const bytes of [
    Buffer.from([255, 255, 255, 255, 11]),
    Buffer.from([0, 0, 0, 0]),
    string(Buffer.from([13, 0, 0, 1])),
  ])
    t.is((await talk(agent.path, bytes)).length, 0);
  t.is((await talk(agent.path, string(Buffer.from([11]))))[0], 12);
});

/** Sends bytes; the first message that comes back, empty when the connection ends instead. */
function talk(path: string, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const messages = new Messages();
    const socket = connect(path, () => socket.write(bytes));
    socket.on("data", (data: Buffer) => {
      const [answer] = messages.take(data) ?? [];
      if (!answer) return;
      socket.destroy();
      resolve(answer);
    });
    socket.once("close", () => resolve(Buffer.alloc(0)));
    socket.once("error", reject);
  });
}

for (const [name, make, expected] of [
  ["a passphrase", (folder: string) => lockedKey(folder), /has a passphrase/],
  ["a passphrase, PEM", (folder: string) => lockedKey(folder, "-m", "PEM", "-t", "rsa"), /has a passphrase/],
  ["no key", (folder: string) => file(folder, "hello"), /no private key that wbuild knows/],
  ["a damaged key", (folder: string) => file(folder, damaged), /no private key that wbuild knows/],
  ["nothing there", (folder: string) => join(folder, "nothing"), /cannot read the key/],
  ["a folder", (folder: string) => folder, /no key file/],
] as const) {
  run(`refused as a key: ${name}`, async (t) => {
    const error = await t.throwsAsync(forwardAgent({ kind: "keys", paths: [make(place(t))] }, owner));
    t.true(isWbuildError(error, "STEP_SSH"), String(error));
    t.regex(error?.message ?? "", expected);
  });
}

test("refused as an agent: a socket that nobody listens at", async (t) => {
  const error = await t.throwsAsync(forwardAgent({ kind: "socket", path: join(place(t), "nobody") }, owner));
  t.true(isWbuildError(error, "STEP_SSH"), String(error));
});

const damaged = `-----BEGIN OPENSSH PRIVATE KEY-----\n${Buffer.from("openssh-key-v1\0\0\0\0\x04none").toString("base64")}\n-----END OPENSSH PRIVATE KEY-----\n`;

function lockedKey(folder: string, ...options: string[]): string {
  const path = join(folder, "locked");
  execFileSync("ssh-keygen", ["-q", "-N", "a passphrase", "-f", path, ...options]);
  return path;
}

function file(folder: string, text: string): string {
  const path = join(folder, "file");
  writeFileSync(path, text);
  return path;
}
