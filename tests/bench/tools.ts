/** The builders that are compared: how each builds, pushes, pulls, and forgets what it did before. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { clientEnv, type DockerName, type DockerPrograms, findDocker } from "../doubles/docker-programs.ts";
import type { Command } from "./measure.ts";
import { base } from "./workloads.ts";

export interface Tool extends AsyncDisposable {
  readonly name: string;
  readonly version: string;
  build(context: string, tag: string): Command;
  buildAndPush(context: string, reference: string): Command;
  /** Fetches the image and lays its files out, ready to run. */
  pull(reference: string): Command;
  /** A build cache that an empty machine reads; absent for tools without one. */
  readonly remote?: {
    push(tag: string, reference: string): Command;
    /** Builds, pushes the image, and leaves its cache in the registry. */
    share(context: string, reference: string): Command;
    /** Builds the same with that cache. */
    rebuild(context: string, reference: string): Command;
  };
  /** Forgets every image and cache; untimed. */
  reset(): void;
  /** Starts counting the memory of a daemon, and gives its peak in MiB; undefined without a daemon. */
  readonly daemon?: { startCounting(): void; peakMib(): number };
}

export interface ToolSettings {
  /** A folder of the scratch that is the tool's alone. */
  readonly folder: string;
  readonly network: string;
}

/** Whether a program is on the path. */
export function has(program: string): boolean {
  return which(program).length > 0;
}

function which(program: string): string[] {
  if (program.includes("/")) return existsSync(program) ? [program] : [];
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];
  return [...new Set(folders.map((folder) => join(folder, program)).filter((path) => existsSync(path)))];
}

const quiet = { stdio: ["ignore", "ignore", "pipe"] as ["ignore", "ignore", "pipe"] };

/** The tools that can be measured here, in the order asked for; those that cannot are told with the reason. */
export async function openTools(
  names: readonly string[],
  settings: (name: string) => ToolSettings,
  tell: (text: string) => void,
): Promise<Tool[]> {
  const tools: Tool[] = [];
  for (const name of names) {
    const open = openers[name];
    if (!open) throw new Error(`no such tool: ${name}; there are ${Object.keys(openers).join(", ")}`);
    try {
      tools.push(await open(settings(name)));
    } catch (error) {
      tell(`without ${name}: ${(error as Error).message.trim().split("\n").slice(-3).join("\n")}`);
    }
  }
  return tools;
}

const openers: Record<string, (settings: ToolSettings) => Promise<Tool>> = {
  async wbuild({ folder, network }) {
    const program = fileURLToPath(new URL("../../dist/wbuild", import.meta.url));
    if (!existsSync(program)) throw new Error("dist/wbuild is not there: run `npm run setup`");
    const env = { WBUILD_HOME: join(folder, "home") };
    const build = ["build", "--progress", "plain", "--network", network];
    return {
      name: "wbuild",
      version: execFileSync(program, ["--version"], { encoding: "utf8" }).trim(),
      build: (context, tag) => ({ argv: [program, ...build, "-t", tag, context], env }),
      buildAndPush: (context, ref) => ({ argv: [program, ...build, "--push", "-t", ref, context], env }),
      // Files are laid out when something needs them: a program that does nothing.
      pull: (ref) => ({
        argv: ["sh", "-c", `"${program}" pull ${ref} && "${program}" run --network none ${ref} true`],
        env,
      }),
      remote: {
        push: (tag, ref) => ({ argv: ["sh", "-c", `"${program}" tag ${tag} ${ref} && "${program}" push ${ref}`], env }),
        share: (context, ref) => ({
          argv: [
            program,
            ...build,
            "--push",
            "-t",
            ref,
            "--cache-to",
            `type=registry,ref=${ref}-cache,mode=max`,
            context,
          ],
          env,
        }),
        rebuild: (context, ref) => ({
          argv: [program, ...build, "-t", "localhost/bench-again:latest", "--cache-from", `${ref}-cache`, context],
          env,
        }),
      },
      reset: () => rmSync(env.WBUILD_HOME, { recursive: true, force: true }),
      [Symbol.asyncDispose]: async () => {},
    };
  },

  async buildah({ folder, network }) {
    if (!has("buildah")) throw new Error("it is not installed");
    mkdirSync(folder, { recursive: true });
    const storage = join(folder, "storage.conf");
    const policy = join(folder, "policy.json");
    const [root, run] = [join(folder, "root"), join(folder, "run")];
    writeFileSync(storage, `[storage]\ndriver = "overlay"\ngraphroot = "${root}"\nrunroot = "${run}"\n`);
    writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}\n');
    const env = { CONTAINERS_STORAGE_CONF: storage, BUILDAH_ISOLATION: "oci", TMPDIR: folder };
    const build = `buildah bud -q --layers --signature-policy ${policy} --pull=never --network ${network}`;
    const shell = (line: string): Command => ({ argv: ["sh", "-c", line], env });
    return {
      name: "buildah",
      version: execFileSync("buildah", ["--version"], { encoding: "utf8" }).trim(),
      build: (context, tag) => shell(`exec ${build} -t ${tag} ${context}`),
      buildAndPush: (context, ref) =>
        shell(
          `${build} -t ${ref} ${context} && exec buildah push -q --signature-policy ${policy} --tls-verify=false ${ref}`,
        ),
      pull: (ref) => shell(`exec buildah pull -q --signature-policy ${policy} --tls-verify=false ${ref}`),
      reset: () => {
        const all = { ...quiet, env: { ...process.env, ...env } };
        execFileSync("buildah", ["rm", "-a"], all);
        execFileSync("buildah", ["rmi", "-a", "-f"], all);
      },
      [Symbol.asyncDispose]: async () => {
        // The overlay driver binds its folder onto itself.
        for (const mount of [join(root, "overlay"), root]) {
          try {
            execFileSync("umount", [mount], { stdio: "ignore" });
          } catch {
            // It was not mounted.
          }
        }
      },
    };
  },

  docker: (settings) => openDocker("docker", settings),
  "docker@sid": (settings) => openDocker("docker@sid", settings),
};

async function openDocker(name: DockerName, { folder, network }: ToolSettings): Promise<Tool> {
  const programs = await findDocker(name);
  if (typeof programs === "string") throw new Error(programs);
  const { client, daemon } = programs;
  const running = await startDockerd(programs, folder);
  const env = await clientEnv(programs, folder, `unix://${running.socket}`);
  const build = `${client} build -q --network ${network}`;
  const docker = (...args: string[]) => execFileSync(client, args, { ...quiet, env: { ...process.env, ...env } });
  return {
    name,
    version: `BuildKit in ${execFileSync(daemon, ["--version"], { encoding: "utf8" }).trim()}`,
    build: (context, tag) => ({ argv: ["sh", "-c", `exec ${build} -t ${tag} ${context}`], env }),
    buildAndPush: (context, ref) => ({
      argv: ["sh", "-c", `${build} -t ${ref} ${context} && exec ${client} push -q ${ref}`],
      env,
    }),
    pull: (ref) => ({ argv: [client, "pull", "-q", ref], env }),
    remote: {
      push: (tag, ref) => ({ argv: ["sh", "-c", `${client} tag ${tag} ${ref} && ${client} push -q ${ref}`], env }),
      share: (context, ref) => ({
        argv: [
          "sh",
          "-c",
          `${build} --build-arg BUILDKIT_INLINE_CACHE=1 -t ${ref} ${context} && ${client} push -q ${ref}`,
        ],
        env,
      }),
      rebuild: (context, ref) => ({
        argv: ["sh", "-c", `exec ${build} --build-arg BUILDKIT_INLINE_CACHE=1 --cache-from ${ref} -t again ${context}`],
        env,
      }),
    },
    reset: () => {
      docker("system", "prune", "-a", "-f");
      docker("builder", "prune", "-a", "-f");
    },
    daemon: running.memory,
    [Symbol.asyncDispose]: running.stop,
  };
}

async function startDockerd({ daemon, daemonFlags, path }: DockerPrograms, folder: string) {
  mkdirSync(folder, { recursive: true });
  const socket = join(folder, "sock");
  const log = join(folder, "dockerd.log");
  const args = ["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec"), "-p", join(folder, "pid")];
  args.push("-H", `unix://${socket}`, "--iptables=false", "--ip6tables=false", "--bridge=none");
  args.push(...daemonFlags);
  let output = "";
  const env = { ...process.env, PATH: path };
  const child: ChildProcess = spawn(daemon, args, { stdio: ["ignore", "pipe", "pipe"], env });
  child.stdout?.on("data", (bytes) => {
    output += bytes;
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const listening = new Promise<boolean>((resolve) => {
    child.once("error", () => resolve(false));
    child.once("exit", () => resolve(false));
    child.stderr?.on("data", (bytes) => {
      output += bytes;
      if (output.includes("API listen on")) resolve(true);
    });
  });
  const patience = new Promise<boolean>((resolve) => setTimeout(resolve, 60_000, false).unref());
  const started = await Promise.race([listening, patience]);
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  if (!started) {
    child.kill("SIGKILL");
    writeFileSync(log, output);
    throw new Error(`dockerd does not start:\n${output.slice(-2000)}`);
  }
  // Its containerd does a part of the work.
  const pids = () => [
    child.pid,
    ...readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ").filter(Boolean),
  ];
  const peakOf = (pid: unknown) => Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  const memory = {
    // proc(5): 5 resets the peak of the resident memory.
    startCounting: () => {
      for (const pid of pids()) writeFileSync(`/proc/${pid}/clear_refs`, "5");
    },
    peakMib: () => pids().reduce((sum: number, pid) => sum + peakOf(pid), 0) / 1024,
  };
  return { socket, memory, stop };
}

/** Makes the base image known to a tool. */
export function baseCommand(tool: Tool, context: string): Command {
  return tool.build(context, base);
}
