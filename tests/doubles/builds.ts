/** Builds in the test's own process: what usual requests say, and which steps were carried out. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import type { ExecutionContext } from "ava";
import { buildImage } from "../../builder/build.ts";
import type { BuildRequest, BuildResult } from "../../builder/build-request.ts";
import type { BuildEvent } from "../../builder/progress/events.ts";
import { openStore, type Store } from "../../layerfs/store/store.ts";

export interface Built extends BuildResult {
  /** Titles of steps that were carried out, in alphabetical order, without their numbers; no FROM. */
  readonly ran: readonly string[];
  readonly cached: readonly string[];
  readonly warnings: readonly string[];
}

/** Asks for nothing but an image in the store. */
export const usualRequest: Omit<BuildRequest, "context"> = {
  tags: [],
  buildArgs: {},
  labels: {},
  pull: false,
  noCache: false,
  outputs: [],
  push: false,
  network: "none",
  addHosts: [],
  limits: { shmBytes: 1 << 20, ulimits: {} },
  plainHttp: false,
};

/** One build with nobody at its streams. `events` gets what it reports, also when it fails. */
export async function runBuild(store: Store, request: BuildRequest, events: BuildEvent[] = []): Promise<Built> {
  const result = await buildImage(request, {
    store,
    report: (event) => events.push(event),
    signal: AbortSignal.timeout(120_000),
    stdin: () => Readable.from([]),
    stdout: new PassThrough(),
  });
  const titles = new Map<string, string>();
  for (const event of events) if (event.kind === "start") titles.set(event.step.id, event.step.title);
  const done = (cached: boolean) =>
    events
      .flatMap((event) => (event.kind === "done" && event.cached === cached ? [titles.get(event.id) ?? ""] : []))
      .map((title) => title.replace(/^\[.*?\] /, ""))
      .filter((title) => /^(?!FROM)[A-Z]+ /.test(title))
      .sort();
  return { ...result, ran: done(false), cached: done(true), warnings: warningsIn(events) };
}

export function warningsIn(events: readonly BuildEvent[]): string[] {
  return events.flatMap((event) => (event.kind === "warning" ? [event.text] : []));
}

export interface BuildWorld {
  /** The context. */
  readonly folder: string;
  readonly store: Store;
  /** Of the last build, also of one that failed. */
  readonly events: readonly BuildEvent[];
  /** A file of the context, with the folders above it. */
  write(path: string, content: string | Uint8Array): void;
  /** Builds the Dockerfile of these lines. */
  build(lines: readonly string[], more?: Partial<BuildRequest>): Promise<Built>;
}

/** A store of its own and an empty context, for as long as the test runs. */
export function buildWorld(t: ExecutionContext): BuildWorld {
  const top = mkdtempSync(join(tmpdir(), "wbuild-build-"));
  const folder = join(top, "context");
  mkdirSync(folder);
  const store = openStore(join(top, "home"));
  t.teardown(() => {
    store[Symbol.dispose]();
    rmSync(top, { recursive: true, force: true });
  });
  let events: BuildEvent[] = [];
  return {
    folder,
    store,
    get events() {
      return events;
    },
    write(path, content) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    },
    build(lines, more = {}) {
      const dockerfile = join(top, "Dockerfile");
      writeFileSync(dockerfile, lines.join("\n"));
      events = [];
      return runBuild(store, { ...usualRequest, context: folder, dockerfile, ...more }, events);
    },
  };
}
