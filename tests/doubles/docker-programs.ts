/** Dockers to compare with, as programs: this host's, and the newest one that Debian has. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { fetchPeers, findPeer } from "../../native/setup/peers.mjs";

const execute = promisify(execFile);

export interface DockerPrograms {
  readonly client: string;
  readonly daemon: string;
  /** What it is to be started with, beside its places. */
  readonly daemonFlags: readonly string[];
  readonly takesSeveralOutputs: boolean;
  /** A PATH on which the daemon finds its containerd. */
  readonly path: string;
  /** A folder of the client's plugins beside those of the host; buildx is one. */
  readonly plugins?: string;
}

/** The newest of Debian's unstable suite, or what is on this host's PATH. */
export type DockerName = "docker@sid" | "docker";

/** What docker there is by that name, fetched if need be; or why there is none. */
export async function findDocker(name: DockerName): Promise<DockerPrograms | string> {
  return name === "docker" ? await onThisHost() : await ofSid();
}

async function ofSid(): Promise<DockerPrograms | string> {
  await fetchPeers(["dockerd", "docker-buildx"]);
  const [daemon, buildx] = [findPeer("dockerd"), findPeer("docker-buildx")];
  if (daemon.missing !== undefined) return daemon.missing;
  if (buildx.missing !== undefined) return buildx.missing;
  const at = (path: string) => join(daemon.folder, path);
  return {
    client: at("usr/bin/docker"),
    daemon: daemon.program,
    // Docker's own store since 29: in the older one BuildKit merges nothing, and COPY --link is a COPY.
    daemonFlags: ["--feature", "containerd-snapshotter=true"],
    takesSeveralOutputs: true,
    path: [at("usr/bin"), at("usr/sbin"), process.env.PATH ?? ""].join(delimiter),
    plugins: join(buildx.folder, "usr/libexec/docker/cli-plugins"),
  };
}

/** A client newer than the daemon asks for a plugin that may not be there: one of the daemon's age goes first. */
async function onThisHost(): Promise<DockerPrograms | string> {
  const path = [process.env.PATH ?? "", "/usr/sbin", "/sbin"].join(delimiter);
  const named = (name: string) => path.split(delimiter).map((folder) => join(folder, name));
  const daemon = named("dockerd").find((file) => existsSync(file));
  if (daemon === undefined) return "no docker: dockerd is not installed";
  const major = async (program: string) => {
    const { stdout } = await execute(program, ["--version"]);
    return Number(/version (\d+)/.exec(stdout)?.[1]);
  };
  const age = await major(daemon);
  for (const client of named("docker").filter((file) => existsSync(file))) {
    if ((await major(client)) !== age) continue;
    // Docker's own BuildKit went into a plugin with version 23.
    const canBuild = age < 23 || (await execute(client, ["buildx", "version"]).catch(() => undefined));
    return canBuild
      ? { client, daemon, daemonFlags: [], takesSeveralOutputs: false, path }
      : `no docker: ${client} builds with the plugin buildx, which is missing`;
  }
  return `no docker: no client is as old as ${daemon}`;
}

const modern = { DOCKER_BUILDKIT: "1", BUILDX_NO_DEFAULT_ATTESTATIONS: "1" };

/** What a client needs to know of its daemon; the folder holds its settings. */
export async function clientEnv(
  programs: DockerPrograms,
  folder: string,
  socket: string,
): Promise<Record<string, string>> {
  const config = join(folder, "config");
  await mkdir(config, { recursive: true });
  const extra = programs.plugins === undefined ? {} : { cliPluginsExtraDirs: [programs.plugins] };
  await writeFile(join(config, "config.json"), JSON.stringify(extra));
  return { PATH: programs.path, HOME: folder, DOCKER_CONFIG: config, DOCKER_HOST: socket, ...modern };
}
