/**
 * The workloads `pull`, `push` and `copy`: an image of 20,000 files and one of a 2 GiB layer, from a registry, into an empty
 * one, and from one to the other. Beside wbuild stand curl, which only moves the same blobs and so shows what the registry
 * itself gives and takes, and curl whose bytes OpenSSL checks on their way; skopeo, crane and oras; and docker, whose pull
 * unpacks and whose push packs.
 */
import { createCipheriv } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RunningRegistry, startRegistry } from "../doubles/docker-registry.ts";
import type { BenchOptions } from "./hives.ts";
import { type Command, measure } from "./measure.ts";
import { openMovers } from "./movers.ts";
import type { Row } from "./report.ts";
import { has, openTools, type Tool } from "./tools.ts";
import { writeWorkload } from "./workloads.ts";

const program = fileURLToPath(new URL("../../dist/wbuild", import.meta.url));
const images = { d3: "20,000 files", large: "2 GiB of noise" } as const;
const largeMib = 2048;
const manifestType = "application/vnd.oci.image.manifest.v1+json";

type Direction = "pull" | "push" | "copy";

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

/** Whole processes; each pull into an empty store or folder, each push and copy into an empty registry. */
export async function benchTransfers(
  direction: Direction,
  options: BenchOptions & { readonly tools: readonly string[] },
): Promise<Row[]> {
  const { folder, runs, log, tell, stopped } = options;
  const hasCurl = direction !== "copy" && (has("curl") || void tell("without curl: it is not installed"));
  const checks = hasCurl && direction === "pull" && has("openssl");
  const movers = await openMovers(tell);
  for (const { name, version } of movers) tell(`${name}: ${version}`);
  const wanted = options.tools.filter((tool) => tool.startsWith("docker") && direction !== "copy");
  const [docker] = await openTools(wanted, (name) => ({ folder: join(folder, name), network: "none" }), tell);
  await using _ended = docker;
  const home = { WBUILD_HOME: join(folder, "home") };
  const wbuild = (env: { WBUILD_HOME: string }, ...args: string[]): Command => ({ argv: [program, ...args], env });
  const rows: Row[] = [];
  for (const [image, kind] of Object.entries(images)) {
    await using source = await startRegistry();
    const name = `${source.host}/bench/${image}:latest`;
    const context = join(folder, image);
    writeContext(image, context);
    // What every tool reads.
    const gzip = ["--compression", "gzip"];
    await measure(wbuild(home, "build", "--progress", "plain", ...gzip, "--push", "-t", name, context), log);
    rmSync(context, { recursive: true });
    const blobs = await blobsOf(source, image);
    const at = join(folder, "blobs");
    if (direction === "push" && hasCurl) await measure(fetching(source, image, blobs, at), log);
    const copy = join(folder, "copy");
    const timed = async (tool: string, command: Command, what: string = kind) =>
      rows.push({ tool, workload: direction, kind: what, ...(await measure(command, log)) });
    const timedDocker = async (daemon: Tool, command: Command, what: string = kind) => {
      daemon.daemon?.startCounting();
      const { seconds } = await measure(command, log);
      rows.push({
        tool: daemon.name,
        workload: direction,
        kind: what,
        seconds,
        peakMib: daemon.daemon?.peakMib() ?? 0,
      });
    };

    /** Into an empty registry, and once more. */
    const timedInto = async (tool: string, commandTo: (to: string) => Promise<Command> | Command) => {
      await using target = await startRegistry();
      const command = await commandTo(`${target.host}/bench/${image}:latest`);
      await timed(tool, command);
      await timed(tool, command, `${kind}, all there`);
    };

    for (let run = 0; run < runs && !stopped(); run++) {
      if (direction === "pull") {
        const env = { WBUILD_HOME: join(folder, "empty") };
        await timed("wbuild", wbuild(env, "pull", name));
        rmSync(env.WBUILD_HOME, { recursive: true });
        const into = join(folder, "into");
        if (hasCurl) await timed("curl", fetching(source, image, blobs, into));
        rmSync(into, { recursive: true, force: true });
        if (checks) await timed("curl+sha256", checking(source, image, blobs, into));
        rmSync(into, { recursive: true, force: true });
        for (const mover of movers) {
          await timed(mover.name, mover.pull(name, into));
          rmSync(into, { recursive: true, force: true });
        }
        docker?.reset();
        if (docker) await timedDocker(docker, docker.pull(name));
        docker?.reset();
      } else if (direction === "copy") {
        await timedInto("wbuild", (to) => wbuild(home, "copy", name, to));
        for (const mover of movers) await timedInto(mover.name, (to) => mover.copy(name, to));
      } else {
        await timedInto("wbuild", async (to) => {
          await measure(wbuild(home, "tag", name, to), log);
          return wbuild(home, "push", to);
        });
        if (hasCurl) {
          await using target = await startRegistry();
          await timed("curl", sending(target, image, blobs, at));
        }
        for (const mover of movers) {
          await measure(mover.pull(name, copy), log);
          await timedInto(mover.name, (to) => mover.push(copy, to));
          rmSync(copy, { recursive: true, force: true });
        }
        if (docker?.remote) {
          await using target = await startRegistry();
          if (run === 0) await measure(docker.pull(name), log);
          const send = docker.remote.push(name, `${target.host}/bench/${image}:latest`);
          await timedDocker(docker, send);
          await timedDocker(docker, send, `${kind}, all there`);
        }
      }
    }
    docker?.reset();
    rmSync(at, { recursive: true, force: true });
  }
  rmSync(home.WBUILD_HOME, { recursive: true, force: true });
  return rows;
}

function writeContext(image: string, context: string): void {
  if (image === "d3") {
    writeWorkload("d3", context);
    writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY tree/ /tree/\n");
    return;
  }
  mkdirSync(context, { recursive: true });
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 9), Buffer.alloc(16));
  const zeros = Buffer.alloc(1 << 20);
  const file = openSync(join(context, "noise"), "w");
  for (let i = 0; i < largeMib; i++) writeSync(file, cipher.update(zeros));
  closeSync(file);
  writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY noise /\n");
}

async function blobsOf(registry: RunningRegistry, image: string): Promise<string[]> {
  const headers = { accept: manifestType };
  const answer = await fetch(`${registry.url}/v2/bench/${image}/manifests/latest`, { headers });
  const { config, layers } = (await answer.json()) as Manifest;
  return [config, ...layers].map(({ digest }) => digest);
}

/** All blobs into a folder, one file each. */
function fetching(registry: RunningRegistry, image: string, blobs: readonly string[], into: string): Command {
  const urls = blobs.flatMap((digest) => [
    "-o",
    join(into, digest),
    `${registry.url}/v2/bench/${image}/blobs/${digest}`,
  ]);
  return { argv: ["curl", "-sSf", "--create-dirs", ...urls] };
}

/** The same, each held against its digest while it comes. */
function checking(registry: RunningRegistry, image: string, blobs: readonly string[], into: string): Command {
  const one =
    'found=$(curl -sSf "$url$digest" | tee "$into/$digest" | openssl dgst -sha256 -r | cut -c 1-64) && ' +
    '[ "sha256:$found" = "$digest" ]';
  const line = `url=$1 into=$2; shift 2; mkdir -p "$into"; for digest; do ${one} || exit; done`;
  return { argv: ["sh", "-c", line, "sh", `${registry.url}/v2/bench/${image}/blobs/`, into, ...blobs] };
}

/** Each blob in one PUT. */
function sending(registry: RunningRegistry, image: string, blobs: readonly string[], from: string): Command {
  const one =
    'place=$(curl -sSfi -X POST "$1" | tr -d "\\r" | sed -n "s/^Location: //p") && ' +
    'curl -sSf -H Expect: -H "Content-Type: application/octet-stream" -T "$2/$digest" "$place&digest=$digest"';
  const line = `url=$1 from=$2; shift 2; for digest; do set -- "$url" "$from"; ${one} || exit; done`;
  return { argv: ["sh", "-c", line, "sh", `${registry.url}/v2/bench/${image}/blobs/uploads/`, from, ...blobs] };
}
