/** Docker with BuildKit as a peer: a daemon of its own, without any network. */
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { clientEnv, type DockerName, type DockerPrograms, findDocker } from "../doubles/docker-programs.ts";
import { type Ask, compareAnswers } from "./answers.ts";
import { type CaseBuilder, isFromBase, listResult, type Outcome } from "./builder.ts";
import type { Case } from "./case.ts";
import { type Peer, refusal } from "./peer.ts";
import { changesBetween } from "./tree.ts";

const execute = promisify(execFile);

const ok = () => true;
const failed = () => false;

/** The name is that of docker-programs.ts. A text says why it cannot be started. */
export async function startDocker(name: DockerName, builder: CaseBuilder): Promise<Peer | string> {
  if (process.getuid?.() !== 0) return `${name}: a daemon of its own needs root`;
  const found = await findDocker(name);
  if (typeof found === "string") return `${name}: ${found}`;
  const programs: DockerPrograms = found;
  const folder = await mkdtemp(join(tmpdir(), "wbuild-peer-"));
  const socket = `unix://${join(folder, "socket")}`;
  const args = ["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec"), "-p", join(folder, "pid")];
  args.push(...programs.daemonFlags);
  const start = async () => {
    const started = spawn(
      programs.daemon,
      [...args, "-H", socket, "--iptables=false", "--ip6tables=false", "--bridge=none"],
      { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, PATH: programs.path } },
    );
    return (await isListening(started)) ? started : undefined;
  };
  let daemon = await start();
  const stop = async () => {
    const ended = new Promise((done) => daemon?.on("close", done));
    if (isAlive(daemon) && daemon?.kill()) await ended;
    // Each that crashed leaves its mount behind.
    while (await execute("umount", ["-l", join(folder, "data")]).then(ok, failed));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  if (daemon === undefined) {
    await stop();
    return `${name}: its daemon does not start`;
  }
  const env = await clientEnv(programs, folder, socket);
  const docker = (...args: string[]) => execute(programs.client, args, { env, maxBuffer: 64 << 20 });
  const { stdout: version } = await docker("version", "--format", "{{.Server.Version}}");
  await docker("load", "-i", await builder.baseArchive());
  let count = 0;

  async function build(one: Case): Promise<Outcome> {
    // Some Dockerfiles end an old daemon.
    if (!isAlive(daemon)) daemon = await start();
    const own = join(folder, `case-${count++}`);
    await mkdir(own);
    const image = `case:${count}`;
    try {
      const flags = ["--network", "none", ...(await flagsOf(one, own)), await builder.contextOf(one)];
      const tar = join(own, "tree.tar");
      const files = ["-o", `type=tar,dest=${tar}`];
      if (programs.takesSeveralOutputs) await docker("build", "-o", `type=docker,name=${image}`, ...files, ...flags);
      else for (const output of [["-t", image], files]) await docker("build", ...output, ...flags);
      const { listing, oldFiles } = await listResult(tar);
      const base = isFromBase(one) ? await builder.baseListing() : new Map();
      const inspected = await docker("image", "inspect", image);
      const history = await docker("history", "--no-trunc", "--format", "{{json .CreatedBy}}", image);
      return {
        tree: changesBetween(base, listing),
        oldFiles,
        config: JSON.parse(inspected.stdout)[0].Config,
        history: history.stdout
          .trimEnd()
          .split("\n")
          .map((line) => (line === "" ? "" : String(JSON.parse(line))))
          .filter((line) => line !== "" && line !== "wbuild base linux")
          .reverse(),
        warnings: [],
      };
    } catch (error) {
      return refusal(error);
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  }
  const ask: Ask = async (...args) => (await docker(...args).catch((error: { stdout: string }) => error)).stdout;
  // An older docker answers no questions.
  const answers = name === "docker@sid" ? { compareAnswers: () => compareAnswers(ask, folder) } : {};
  return { name: "docker", version: version.trim(), build, ...answers, [Symbol.asyncDispose]: stop };
}

function isAlive(daemon: ReturnType<typeof spawn> | undefined): boolean {
  return daemon !== undefined && daemon.exitCode === null && daemon.signalCode === null;
}

async function isListening(daemon: ReturnType<typeof spawn>): Promise<boolean> {
  if (!daemon.stderr) return false;
  for await (const line of createInterface({ input: daemon.stderr })) {
    if (!line.includes("API listen")) continue;
    daemon.stderr.resume();
    return true;
  }
  return false;
}

/** A case's Dockerfile, written down, and its request as flags. */
export async function flagsOf({ file, request = {} }: Case, folder: string): Promise<string[]> {
  const dockerfile = join(folder, "Dockerfile");
  await writeFile(dockerfile, `${file.join("\n")}\n`);
  const flags = ["-f", dockerfile];
  if (request.target !== undefined) flags.push("--target", request.target);
  for (const [name, value] of Object.entries(request.buildArgs ?? {})) flags.push("--build-arg", `${name}=${value}`);
  for (const [name, value] of Object.entries(request.labels ?? {})) flags.push("--label", `${name}=${value}`);
  for (const [id, value] of request.secrets ?? []) {
    await writeFile(join(folder, id), value);
    flags.push("--secret", `id=${id},src=${join(folder, id)}`);
  }
  return flags;
}
