/**
 * The workload `memory`: what the commands take that change, move or compare images without a build, with images of 60,000 and of
 * 300,000 small files, and with one of two files of 256 MiB.
 */
import { createCipheriv } from "node:crypto";
import { createWriteStream, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { pack } from "tar-stream";
import type { BenchOptions } from "./hives.ts";
import { type Command, measure } from "./measure.ts";
import type { Row } from "./report.ts";

const program = fileURLToPath(new URL("../../dist/wbuild", import.meta.url));
const images = { "60,000 files": 60_000, "300,000 files": 300_000, "512 MiB": 2 } as const;
const largeMib = 256;
const time = new Date("2024-01-01T00:00:00Z");

/** Whole processes. The image's two layers have half of the files each, and a fiftieth of them both. */
export async function benchMemory({ folder, runs, log, tell, stopped }: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, files] of Object.entries(images)) {
    const place = join(folder, String(files));
    mkdirSync(place, { recursive: true });
    const at = (file: string) => join(place, file);
    const half = Math.ceil(files / 2);
    await writeTar(at("lower.tar"), 0, half);
    await writeTar(at("upper.tar"), half - Math.floor(files / 50), files);
    await writeTar(at("small.tar"), 0, 1, 100);
    mkdirSync(at("context"));
    for (const tar of ["lower.tar", "upper.tar"])
      await measure({ argv: ["tar", "-xf", at(tar), "-C", at("context")] }, log);
    writeFileSync(at("Dockerfile"), "FROM scratch\nCOPY srv /srv\n");
    const env = { WBUILD_HOME: at("home"), WBUILD_PROGRESS: "quiet" };
    const wbuild = (...args: string[]): Command => ({ argv: [program, ...args], env });
    const timed = async (what: string, command: Command) => {
      const taken = await measure(command, log);
      rows.push({ tool: "wbuild", workload: "memory", kind: `${what}, ${name}`, ...taken });
      tell(`${what}, ${name}: ${taken.peakMib.toFixed(0)} MiB, ${taken.seconds.toFixed(1)} s`);
    };
    const elsewhere = async (what: string, ...args: string[]) => {
      await timed(what, { argv: [program, ...args], env: { ...env, WBUILD_HOME: at("other") } });
      rmSync(at("other"), { recursive: true, force: true });
    };

    for (let run = 0; run < runs && !stopped(); run++) {
      rmSync(at("home"), { recursive: true, force: true });
      await measure(wbuild("append", "-f", at("lower.tar"), "-t", "base"), log);
      await measure(wbuild("append", "-f", at("lower.tar"), "-f", at("small.tar"), "-t", "next"), log);
      await timed("append", wbuild("append", "-b", "base", "-f", at("upper.tar"), "-t", "app"));
      await timed("append --path", wbuild("append", "-b", "base", "-f", at("upper.tar"), "--path", "/opt", "-t", "a"));
      await timed("rebase", wbuild("rebase", "app", "--old-base", "base", "--new-base", "next", "-t", "b"));
      await timed("flatten", wbuild("flatten", "app", "-t", "c"));
      await timed("squash", wbuild("squash", "app", "--base", "base", "-t", "d"));
      await timed("mutate", wbuild("mutate", "app", "-e", "A=b", "-t", "e"));
      await timed("save", wbuild("save", "-o", at("out.tar"), "app"));
      await elsewhere("load", "load", "-q", "-i", at("out.tar"));
      await timed("copy, to an archive", wbuild("copy", "-q", "store:app", `docker-archive:${at("docker.tar")}`));
      await elsewhere("copy, from an archive", "copy", "-q", `docker-archive:${at("docker.tar")}`, "store:x");
      await timed("export, unpacking first", wbuild("export", "-o", at("out.tar"), "app"));
      await timed("export", wbuild("export", "-o", at("out.tar"), "app"));
      await timed("diff", wbuild("diff", "app"));
      await timed("diff, two images", wbuild("diff", "base", "app"));
      await timed("history", wbuild("history", "app"));
      await timed("COPY", wbuild("build", "-q", "-f", at("Dockerfile"), "-t", "f", at("context")));
      await timed("COPY, cached", wbuild("build", "-q", "-f", at("Dockerfile"), "-t", "f", at("context")));
      for (const file of ["out.tar", "docker.tar"]) rmSync(at(file), { force: true });
    }
    rmSync(place, { recursive: true, force: true });
  }
  return rows;
}

/** Files `from` to `to` in folders of forty, as package managers lay them; of an image of two files each is a quarter of a gibibyte of noise. */
async function writeTar(
  path: string,
  from: number,
  to: number,
  size = to <= 2 ? largeMib * 2 ** 20 : 0,
): Promise<void> {
  const tar = pack();
  const written = pipeline(tar, createWriteStream(path));
  const folders = new Set<string>();
  const folder = (name: string) => {
    if (!folders.has(name)) tar.entry({ name, type: "directory", mode: 0o755, mtime: time });
    folders.add(name);
  };
  for (let i = from; i < to; i++) {
    const top = `srv/app/node_modules/package-${Math.floor(i / 40)}`;
    for (const name of ["srv", "srv/app", "srv/app/node_modules", top, `${top}/lib`]) folder(name);
    const header = { name: `${top}/lib/module-${i}.js`, mode: 0o644, mtime: time };
    if (size === 0) tar.entry(header, `export const v${i} = ${i};\n`.repeat(4));
    else await pipeline(Readable.from(noise(i, size)), tar.entry({ ...header, size }));
    // The packer keeps what the file has not taken.
    if (i % 1000 === 0) await new Promise((turn) => setImmediate(turn));
  }
  tar.finalize();
  await written;
}

function* noise(seed: number, size: number): Generator<Buffer> {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16));
  const zeros = Buffer.alloc(1 << 20);
  for (let left = size; left > 0; left -= zeros.length)
    yield cipher.update(zeros.subarray(0, Math.min(left, zeros.length)));
}
