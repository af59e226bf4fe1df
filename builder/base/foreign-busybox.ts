/** A static busybox for another architecture, from the distribution's packages: mmdebstrap finds, checks and unpacks it. */
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { promisify } from "node:util";
import { readTar } from "../../layerfs/layer/read.ts";
import type { Platform } from "../../layerfs/store/descriptor.ts";
import { WbuildError } from "../../native/error.ts";
import { formatPlatform } from "../image/platform.ts";
import { type ForeignOptions, interpreterFor } from "../runtime/foreign.ts";
import { linesFor, readAptSources } from "./apt-sources.ts";
import { type Busybox, isStaticElf } from "./busybox.ts";
import { endWithUs } from "./end-with-us.ts";

export interface ForeignBusyboxOptions extends ForeignOptions {
  /** Release that the package is taken from. */
  readonly suite: string;
  /** Usual: mmdebstrap. */
  readonly mmdebstrap?: string;
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Debian's names where they differ. */
const debianNames: Readonly<Record<string, string>> = {
  "386": "i386",
  "arm/v7": "armhf",
  "arm/v6": "armel",
  "arm/v5": "armel",
  mips64le: "mips64el",
  ppc64le: "ppc64el",
};

/** Bytes; a busybox has two million. */
const largest = 32 * 1024 * 1024;

/**
 * Throws BOX_EMULATOR when its programs cannot run here (it is asked what it can do), IMG_NO_MMDEBSTRAP, IMG_DEBOOTSTRAP
 * when the package cannot be had.
 */
export async function foreignBusybox(platform: Platform, options: ForeignBusyboxOptions): Promise<Busybox> {
  const interpreter = await interpreterFor(platform.architecture, options);
  const bytes = await fetched(platform, options);
  const folder = await mkdtemp(join(tmpdir(), "wbuild-busybox-"));
  try {
    const path = join(folder, "busybox");
    await writeFile(path, bytes, { mode: 0o755 });
    const [command, ...before] = interpreter?.how === "own" ? [interpreter.path, path] : [path];
    const ask = async (...args: string[]) =>
      (await promisify(execFile)(command as string, [...before, ...args], { env: {}, timeout: 60_000 })).stdout;
    const [list, about] = await Promise.all([ask("--list-full"), ask()]);
    const version = /^(BusyBox v\S+(?: \([^)]*\))?)/.exec(about)?.[1] ?? "BusyBox";
    return { bytes, version, applets: list.split("\n").filter((line) => line !== "") };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The program out of the tar that mmdebstrap prints: nothing of it is put on the disk by name. */
async function fetched(platform: Platform, options: ForeignBusyboxOptions): Promise<Uint8Array> {
  const { os: _, ...rest } = platform;
  const name = [rest.architecture, rest.variant].filter(Boolean).join("/");
  const architecture = debianNames[name] ?? debianNames[rest.architecture] ?? rest.architecture;
  const args = ["--variant=extract", "--format=tar", `--architectures=${architecture}`, "--include=busybox-static"];
  const sources = linesFor(options.suite, await readAptSources());
  const child = spawn(options.mmdebstrap ?? "mmdebstrap", [...args, options.suite, "-", ...sources], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C.UTF-8" },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  endWithUs(child);
  const last: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.split("\n").filter((one) => one !== "")) {
      options.onLine?.(line);
      if (last.push(line) > 20) last.shift();
    }
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
  ended.catch(() => undefined);
  // Read from now on: what a process has printed when it ends, and nobody has begun to read, Node throws away.
  const printed = child.stdout.pipe(new PassThrough());
  const found = await busyboxOf(printed).catch(() => undefined);
  printed.resume();
  const code = await ended.catch((cause: unknown) => {
    throw new WbuildError("IMG_NO_MMDEBSTRAP", "the program mmdebstrap is not installed", {
      cause,
      hint: "install the package mmdebstrap (Debian, Ubuntu), then try again",
    });
  });
  if (code === 0 && found && isStaticElf(found)) return found;
  const why = code === 0 ? "it brought no static busybox" : `mmdebstrap ended with exit code ${code}`;
  throw new WbuildError("IMG_DEBOOTSTRAP", `no busybox for ${formatPlatform(platform)}: ${why}\n${last.join("\n")}`, {
    facts: { code, output: last },
    hint: "check that the mirror can be reached, and that it has this architecture",
  });
}

async function busyboxOf(tar: AsyncIterable<Uint8Array>): Promise<Uint8Array | undefined> {
  let found: Uint8Array | undefined;
  for await (const entry of readTar(tar)) {
    if (!/^(usr\/)?bin\/busybox$/.test(entry.path) || entry.type !== "file" || entry.size > largest) continue;
    if (entry.content?.kind !== "stream") continue;
    const parts: Uint8Array[] = [];
    for await (const part of entry.content.open()) parts.push(Buffer.from(part));
    found = Buffer.concat(parts);
  }
  return found;
}
