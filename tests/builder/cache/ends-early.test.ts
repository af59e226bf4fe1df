/** Builds that end while layers of a cache are on their way: nothing is at work any more when they have ended. */
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { buildImage } from "../../../builder/build.ts";
import type { BuildEvent } from "../../../builder/progress/events.ts";
import { openStore } from "../../../layerfs/store/store.ts";
import { runBuild, usualRequest, warningsIn } from "../../doubles/builds.ts";
import { type GhaDouble, startGha } from "../../doubles/gha-cache.ts";
import { onLoopback } from "../../doubles/loopback.ts";
import { scratchFolder } from "../../doubles/scratch.ts";

/** A cache that gives the start of a layer, and then nothing more. `reached` resolves when it is asked for one. */
async function stalling(t: ExecutionContext) {
  const double = await startGha();
  t.teardown(() => double[Symbol.asyncDispose]());
  const { url, token } = double;
  const service = { version: 2, url, urlV2: url, token, scope: "main", timeoutMs: 60_000 } as const;
  let tell = () => {};
  const reached = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const stall = () => {
    double.misbehave = ({ path }, response) => {
      const bytes = layerBehind(double, path);
      if (bytes === undefined) return false;
      response.writeHead(206, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 10));
      tell();
      return true;
    };
  };
  const from = { type: "gha", ...service } as const;
  return { stall, reached, from, to: { ...from, mode: "max", ignoreError: false } as const };
}

function layerBehind({ entries }: GhaDouble, path: string): Buffer | undefined {
  const entry = entries[Number(/^\/storage\/down\/(\d+)/.exec(path)?.[1] ?? -1)];
  return entry?.key.startsWith("wbuild-blob-") ? entry.bytes : undefined;
}

/** Files of a folder that this process has open, but for the store's own database. */
function openBelow(folder: string): string[] {
  const open = readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
  return open.filter((path) => path.startsWith(folder) && !/index\.db(-wal|-shm)?$/.test(path));
}

const cached = ["FROM scratch AS cached", "COPY a /a"];

for (const how of ["fails", "is interrupted"] as const)
  test(`a build that ${how} waits for no cache that is silent, and leaves nothing at work`, async (t) => {
    const folder = scratchFolder(t);
    const context = join(folder, "context");
    mkdirSync(context);
    for (const name of ["a", "b"]) writeFileSync(join(context, name), name.repeat(1000));
    const { stall, reached, from, to } = await stalling(t);
    const server = createServer(async (_, response) => {
      await reached;
      response.writeHead(how === "fails" ? 404 : 200).end();
    });
    await using door = await onLoopback(server);
    const dockerfile = join(folder, "Dockerfile");
    writeFileSync(dockerfile, cached.join("\n"));
    const one = openStore(join(folder, "one"), { upkeep: false });
    await runBuild(one, { ...usualRequest, context, dockerfile, cacheTo: [to] });
    one[Symbol.dispose]();

    stall();
    const step = how === "fails" ? [`ADD http://${door.host}/x /x`] : [];
    writeFileSync(
      dockerfile,
      [...cached, "COPY b /a/../b", "FROM scratch", ...step, "COPY --from=cached / /"].join("\n"),
    );
    const home = join(folder, "two");
    const two = openStore(home, { upkeep: false });
    const stop = new AbortController();
    const events: BuildEvent[] = [];
    const building = buildImage(
      { ...usualRequest, context, dockerfile, cacheFrom: [from] },
      {
        store: two,
        report: (event) => events.push(event),
        signal: stop.signal,
        stdin: () => Readable.from([]),
        stdout: new PassThrough(),
      },
    );
    const ended = t.throwsAsync(building);
    await reached;
    if (how === "is interrupted") stop.abort(new Error("enough"));
    const error = await ended;
    t.deepEqual(openBelow(home), [], "no transfer goes on, no lease is held");
    two[Symbol.dispose]();
    t.regex(error?.message ?? "", how === "fails" ? /404/ : /enough/);
    t.deepEqual(warningsIn(events), []);
  });
