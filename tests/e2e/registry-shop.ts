/** A registry with an image, and what it was asked for: for tests of what is downloaded, and what is not. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as nextTurn } from "node:timers/promises";
import type { ExecutionContext } from "ava";
import { type RunningRegistry, startRegistry } from "../doubles/docker-registry.ts";
import { type Scene, scene } from "./scene.ts";

let marks = 0;

/** Digests of the registry's blobs that were sent to somebody, in order. */
export async function downloads(registry: RunningRegistry): Promise<string[]> {
  // The registry logs a request when it has ended: one more behind those that count, and all of theirs are there.
  const mark = `sha256:${String(++marks).padStart(64, "0")}`;
  await fetch(`${registry.url}/v2/mark/blobs/${mark}`);
  while (!registry.log().includes(`uri="/v2/mark/blobs/${mark}"`)) await nextTurn(5);
  return registry
    .log()
    .split("\n")
    .flatMap((line) => {
      if (!line.includes("level=info") || !line.includes("http.request.method=GET")) return [];
      return / http\.request\.uri="\/v2\/(?!mark\/)[^ "]*\/blobs\/(sha256:[0-9a-f]{64})/.exec(line)?.[1] ?? [];
    });
}

/** Digests of the blobs that a store has. */
export async function blobsOf(s: Scene): Promise<string[]> {
  const folder = join(s.env.WBUILD_HOME, "store-v1/blobs");
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.flatMap((entry) => (entry.isFile() ? [`sha256:${entry.name}`] : []));
}

export interface ManifestJson {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
}

export async function manifestOf(registry: RunningRegistry, name: string, tag: string): Promise<ManifestJson> {
  const headers = { accept: "application/vnd.oci.image.manifest.v1+json" };
  const response = await fetch(`${registry.url}/v2/${name}/manifests/${tag}`, { headers });
  return (await response.json()) as ManifestJson;
}

/** A registry with `base:1`, an image of two layers with `/tool` in the upper one. */
export interface Shop {
  readonly registry: RunningRegistry;
  /** `HOST/base:1`. */
  readonly base: string;
  /** The digests of its layers, the lowest first. */
  readonly layers: readonly string[];
  /** Which of its layers were downloaded since the last call, by their place from 0, in order: [0, 1, 1]. */
  sold(): Promise<number[]>;
}

export async function openShop(t: ExecutionContext): Promise<Shop> {
  const registry = await startRegistry();
  t.teardown(() => registry.close());
  const maker = await scene(t);
  const base = `${registry.host}/base:1`;
  const context = await maker.files("base", {
    Dockerfile: "FROM wbuild.local/linux\nCOPY --chmod=755 tool /tool\nLABEL from=base\n",
    tool: "#!/bin/sh\necho tool\n",
  });
  const built = await maker.build(context, "-t", base, "--push");
  t.is(built.code, 0, built.stderr);
  const layers = (await manifestOf(registry, "base", "1")).layers.map(({ digest }) => digest);
  t.is(layers.length, 2);
  let seen = (await downloads(registry)).length;
  return {
    registry,
    base,
    layers,
    async sold() {
      const all = await downloads(registry);
      const fresh = all.slice(seen);
      seen = all.length;
      return fresh.flatMap((digest) => (layers.includes(digest) ? [layers.indexOf(digest)] : [])).sort();
    },
  };
}

/** Standard output; fails the test when the exit code is not 0. */
export async function ok(t: ExecutionContext, s: Scene, ...args: string[]): Promise<string> {
  const done = await s.wbuild(...args);
  t.is(done.code, 0, `${args.join(" ")}: ${done.stderr}`);
  return done.stdout;
}
