/** Buildah as a peer, with storage of its own. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type CaseBuilder, isFromBase, listResult, type Outcome } from "./builder.ts";
import type { Case } from "./case.ts";
import { flagsOf } from "./docker.ts";
import { type Peer, refusal } from "./peer.ts";
import { changesBetween } from "./tree.ts";

const execute = promisify(execFile);

/** Undefined, and why, where it cannot be used. */
export async function startBuildah(program: string, builder: CaseBuilder): Promise<Peer | string> {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-peer-"));
  const stop = () => rm(folder, { recursive: true, force: true });
  const storage = ["--root", join(folder, "root"), "--runroot", join(folder, "run"), "--storage-driver", "vfs"];
  const buildah = (command: string, ...args: string[]) =>
    execute(program, [command, ...storage, ...args], { maxBuffer: 64 << 20 });
  let version: string;
  try {
    version = (await execute(program, ["--version"])).stdout.replace(/^buildah version (\S+).*$/s, "$1");
    await buildah("pull", "-q", `docker-archive:${await builder.baseArchive()}`);
  } catch (error) {
    await stop();
    return `buildah: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`;
  }
  let count = 0;

  async function build(one: Case): Promise<Outcome> {
    const own = join(folder, `case-${count++}`);
    await mkdir(own);
    const image = `localhost/case:${count}`;
    try {
      const flags = [...(await flagsOf(one, own)), await builder.contextOf(one)];
      const isolation = ["--isolation", "chroot", "--pull-never", "--identity-label=false", "--format", "docker"];
      const tar = join(own, "tree.tar");
      // Without a cache: of a build that is all cached only the base would be written.
      const output = ["-t", image, "-o", `type=tar,dest=${tar}`];
      await buildah("bud", "-q", "--layers=false", "--no-cache", ...isolation, ...output, ...flags);
      const { listing, oldFiles } = await listResult(tar);
      const base = isFromBase(one) ? await builder.baseListing() : new Map();
      const { stdout } = await buildah("inspect", "--type", "image", image);
      return {
        tree: changesBetween(base, listing),
        oldFiles,
        config: JSON.parse(stdout).Docker.config,
        warnings: [],
      };
    } catch (error) {
      return refusal(error);
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  }
  return { name: "buildah", version, build, [Symbol.asyncDispose]: stop };
}
