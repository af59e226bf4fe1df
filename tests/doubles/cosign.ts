/**
 * cosign of two generations as judge and as signer. Each run has a home of its own and a proxy that nobody listens at: what
 * the user has is not read, and the public services are not asked.
 */
import { execFile } from "node:child_process";
import type { KeyObject } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { peer } from "./peers.ts";

/** Debian 13's cosign 2.5, and sid's 3.1 or newer. */
export const generations = ["cosign-2", "cosign"] as const;
export type Generation = (typeof generations)[number];

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Cosign {
  /** Working folder of every run. */
  readonly folder: string;
  run(generation: Generation, args: readonly string[], password?: string): Promise<Ended>;
  /** "taken", or why `cosign verify --key` refuses; the log is not asked unless `flags` say so. */
  verify(generation: Generation, image: string, by: KeyObject, ...flags: readonly string[]): Promise<string>;
  /** The flags of `sign` and `attest` by which this generation asks no service. */
  offline(generation: Generation): readonly string[];
}

/** For one test; `more` variables are those by which cosign 2 knows other services. */
export function cosignFor(t: ExecutionContext, more: Readonly<Record<string, string>> = {}): Cosign {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-cosign-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const services = {
    mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    rekorTlogConfig: {},
    tsaConfig: {},
  };
  writeFileSync(join(folder, "no-services.json"), JSON.stringify(services));
  const run: Cosign["run"] = (generation, args, password = "") =>
    new Promise((done) => {
      const env = {
        HOME: folder,
        COSIGN_PASSWORD: password,
        HTTPS_PROXY: "http://127.0.0.1:1",
        // By this cosign 2 can be asked for signatures that refer to the image.
        COSIGN_EXPERIMENTAL: "1",
        ...more,
      };
      const program = peer(generation).program ?? generation;
      const child = execFile(program, args, { cwd: folder, env }, (error, stdout, stderr) => {
        done({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
      });
      // Nobody answers what it asks.
      child.stdin?.end();
    });
  let keys = 0;
  return {
    folder,
    run,
    async verify(generation, image, by, ...flags) {
      const key = `verify-${++keys}.pub`;
      writeFileSync(join(folder, key), by.export({ type: "spki", format: "pem" }));
      const isLogged = flags.some((flag) => /^--(?:trusted-root|insecure-ignore-tlog)/.test(flag));
      const unlogged = isLogged ? [] : ["--insecure-ignore-tlog=true"];
      const { code, stderr } = await run(generation, ["verify", "--key", key, ...unlogged, ...flags, image]);
      return code === 0 ? "taken" : (/^Error: (.*)/m.exec(stderr)?.[1] ?? stderr);
    },
    offline(generation) {
      return generation === "cosign-2" ? ["-y", "--tlog-upload=false"] : ["-y", "--signing-config", "no-services.json"];
    },
  };
}
