/** `wbuild base debian`: a small Debian base with apt, made from the distribution's packages by mmdebstrap. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { Descriptor, Layer } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { WbuildError } from "../../native/error.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { writeImage } from "../image/output/write-image.ts";
import { hostPlatform } from "../image/platform.ts";
import { linesFor, readAptSources } from "./apt-sources.ts";
import { endWithUs } from "./end-with-us.ts";

export const debianBaseName = "wbuild.local/debian:latest";

export interface DebianBaseOptions {
  /** Full name that will point at the image; debianBaseName when absent. */
  readonly name?: string;
  /** Release: "bookworm", "stable" …; the host's own when it runs Debian, else "stable". */
  readonly suite?: string;
  /** Address of a mirror; else those of the host's own sources, else Debian's. */
  readonly mirror?: string;
  /** More packages to install. */
  readonly include?: readonly string[];
  /** Seconds since 1970: later times are set to it. The present when absent. */
  readonly epochSeconds?: number;
  /** What mmdebstrap says while it works, a line at a time. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

const trim = [
  // Pages to read and translations are a third of the size; licences stay.
  "path-exclude=/usr/share/man/*",
  "path-exclude=/usr/share/locale/*",
  "path-exclude=/usr/share/info/*",
  "path-exclude=/usr/share/doc/*",
  "path-include=/usr/share/doc/*/copyright",
].map((option) => `--dpkgopt=${option}`);

const hooks = [
  // mmdebstrap copies these two from the host: what this machine is called is nobody's business.
  'rm -f "$1/etc/hostname"; : > "$1/etc/resolv.conf"',
  // Packages ask this program whether to start their services: not in an image.
  'printf "#!/bin/sh\\nexit 101\\n" > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"',
].map((hook) => `--customize-hook=${hook}`);

/**
 * Makes the image, stores it and points the name at it. Throws IMG_NO_MMDEBSTRAP, IMG_DEBOOTSTRAP (facts.output: the
 * last lines), CLI_VALUE for a suite, mirror or package that cannot be one, and what the store throws.
 */
export async function makeDebianBase(store: Store, options: DebianBaseOptions = {}): Promise<Descriptor> {
  const suite = plausible("suite", options.suite ?? (await hostSuite()), /^[a-z][a-z0-9.-]*$/);
  const include = (options.include ?? []).map((name) => plausible("package", name, /^[a-z0-9][a-z0-9+.:-]*$/));
  const mirror = options.mirror === undefined ? undefined : plausible("mirror", options.mirror, /^https?:\/\/[^\s@]+$/);
  const sources = mirror === undefined ? linesFor(suite, await readAptSources()) : [mirror];
  const args = [
    "--variant=minbase",
    "--format=tar",
    "--skip=output/dev",
    `--include=${["ca-certificates", ...include].join(",")}`,
    ...trim,
    ...hooks,
    suite,
    "-",
    ...sources,
  ];
  const epoch = options.epochSeconds ?? Math.floor(Date.now() / 1000);
  using _lease = store.lease();
  const stored = await storeTar(store, args, epoch, options);
  store.layers.record(stored.layer, { uncompressedSize: stored.uncompressedSize });
  const created = new Date(epoch * 1000).toISOString();
  const image = await writeImage(store.blobs, {
    config: {
      created,
      ...hostPlatform(),
      config: {
        Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        Cmd: ["bash"],
      },
      history: [{ created, created_by: `wbuild base debian --suite ${suite}`, comment: "mmdebstrap minbase" }],
    },
    layers: [stored.layer],
  });
  store.refs.set(options.name ?? debianBaseName, image.descriptor, image.keeps);
  return image.descriptor;
}

/** A value that begins with "-" or holds spaces would become another option of mmdebstrap or apt. */
function plausible(what: string, value: string, shape: RegExp): string {
  if (shape.test(value)) return value;
  throw new WbuildError("CLI_VALUE", `not a ${what}: ${JSON.stringify(value.slice(0, 200))}`, { facts: { what } });
}

/** The release that this host runs, when it is Debian; else "stable". */
export async function hostSuite(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const id = /^ID="?([^"\n]*)/m.exec(text)?.[1];
  const codename = /^VERSION_CODENAME="?([^"\n]*)/m.exec(text)?.[1];
  return id === "debian" && codename ? codename : "stable";
}

interface StoredTar {
  readonly layer: Layer;
  readonly uncompressedSize: number;
}

/** Runs mmdebstrap and stores the tar that it prints, compressed, as it flows. */
async function storeTar(
  store: Store,
  args: readonly string[],
  epoch: number,
  options: DebianBaseOptions,
): Promise<StoredTar> {
  const { CompressStream } = await import("zstd-napi");
  const child = spawn("mmdebstrap", args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch), LC_ALL: "C.UTF-8" },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  endWithUs(child);
  const last: string[] = [];
  readLines(child.stderr, (line) => {
    if (last.push(line) > 20) last.shift();
    options.onLine?.(line);
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
  // `put` below is awaited first; a failure to start must not be unhandled until then.
  ended.catch(() => undefined);

  const hash = createHash("sha256");
  let uncompressedSize = 0;
  const measure = (chunk: Uint8Array) => {
    hash.update(chunk);
    uncompressedSize += chunk.length;
    return chunk;
  };
  async function* measured(): AsyncGenerator<Uint8Array> {
    yield measure(await devFolder(epoch));
    for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) yield measure(chunk);
    // A tar that was cut short must not become a layer: only a good end ends the blob.
    const code = await ended;
    if (code !== 0) {
      throw new WbuildError("IMG_DEBOOTSTRAP", `mmdebstrap ended with exit code ${code}:\n${last.join("\n")}`, {
        facts: { code, output: last },
        hint: "check that the mirror can be reached and that the suite exists; --mirror and --suite choose others",
      });
    }
  }
  const { Readable: Stream } = await import("node:stream");
  const compressed: Readable = Stream.from(measured()).on("error", (error) => squeeze.destroy(error));
  const squeeze = new CompressStream({ compressionLevel: 3, checksumFlag: true });
  try {
    const blob = await store.blobs.put(compressed.pipe(squeeze), { mediaType: mediaTypes.ociLayerZstd });
    const diffId: Digest = `sha256:${hash.digest("hex")}`;
    return { layer: { blob, diffId }, uncompressedSize };
  } catch (cause) {
    child.kill();
    await ended.catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) return;
      throw new WbuildError("IMG_NO_MMDEBSTRAP", "the program mmdebstrap is not installed", {
        cause,
        hint: "install the package mmdebstrap (Debian, Ubuntu), then try again",
      });
    });
    throw cause;
  }
}

/** mmdebstrap gives out dev with device nodes, which a build without root cannot unpack, or no dev: this is an empty one. */
async function devFolder(epoch: number): Promise<Uint8Array> {
  const { pack } = await import("tar-stream");
  const tar = pack();
  tar.entry({ name: "dev/", type: "directory", mode: 0o755, uid: 0, gid: 0, mtime: new Date(epoch * 1000) });
  tar.finalize();
  const parts: Uint8Array[] = [];
  for await (const part of tar as AsyncIterable<Uint8Array>) parts.push(part);
  // Without the two empty blocks that would end the archive here.
  return Buffer.concat(parts).subarray(0, 512);
}

function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
}
