/** Docker with BuildKit as a peer: a daemon of its own, without any network. */
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { type CaseBuilder, isFromBase, listResult, type Outcome } from "./builder.ts";
import type { Case } from "./case.ts";
import { type Peer, refusal } from "./peer.ts";
import { changesBetween } from "./tree.ts";

const execute = promisify(execFile);

const ok = () => true;
const failed = () => false;

/** Undefined, and why, where it cannot be started. */
export async function startDocker(program: string, builder: CaseBuilder): Promise<Peer | string> {
  if (process.getuid?.() !== 0) return "docker: a daemon of its own needs root";
  const missing = await Promise.all([execute(program, ["--version"]), execute("dockerd", ["--version"])]).catch(
    (error: Error) => error,
  );
  if (missing instanceof Error) return `docker: ${missing.message.split("\n")[0]}`;
  if (!(await knowsBuildKit(program))) return `docker: ${program} builds with the plugin buildx, which is missing`;
  const folder = await mkdtemp(join(tmpdir(), "wbuild-peer-"));
  const socket = `unix://${join(folder, "socket")}`;
  const args = ["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec"), "-p", join(folder, "pid")];
  const start = async () => {
    const started = spawn(
      "dockerd",
      [...args, "-H", socket, "--iptables=false", "--ip6tables=false", "--bridge=none"],
      {
        stdio: ["ignore", "ignore", "pipe"],
      },
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
    return "docker: its daemon does not start";
  }
  const env = { PATH: process.env.PATH, HOME: folder, DOCKER_HOST: socket, DOCKER_BUILDKIT: "1" };
  const docker = (...args: string[]) => execute(program, args, { env, maxBuffer: 64 << 20 });
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
      const flags = ["build", "--network", "none", ...(await flagsOf(one, own)), await builder.contextOf(one)];
      await docker(...flags.toSpliced(1, 0, "-t", image));
      const tar = join(own, "tree.tar");
      await docker(...flags.toSpliced(1, 0, "-o", `type=tar,dest=${tar}`));
      const { listing, oldFiles } = await listResult(tar);
      const base = isFromBase(one) ? await builder.baseListing() : new Map();
      const inspected = await docker("image", "inspect", image);
      const history = await docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image);
      return {
        tree: changesBetween(base, listing),
        oldFiles,
        config: JSON.parse(inspected.stdout)[0].Config,
        history: history.stdout
          .trimEnd()
          .split("\n")
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
  return { name: "docker", version: version.trim(), build, [Symbol.asyncDispose]: stop };
}

/** Docker's own BuildKit went into a plugin with version 23. */
async function knowsBuildKit(program: string): Promise<boolean> {
  const { stdout } = await execute(program, ["--version"]);
  const major = Number(/version (\d+)/.exec(stdout)?.[1]);
  return major < 23 || execute(program, ["buildx", "version"]).then(ok, failed);
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
