/** COPY --link: its layer does not depend on what lies below. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { buildImage } from "../../builder/build.ts";
import { readConfig, readManifest } from "../../builder/image/stored/stored-image.ts";
import type { BuildEvent } from "../../builder/progress/events.ts";
import { openStore } from "../../layerfs/store/store.ts";

function workshop(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-linked-"));
  const context = join(folder, "context");
  mkdirSync(context);
  const store = openStore(join(folder, "home"));
  t.teardown(() => {
    store[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    write: (name: string, text: string) => writeFileSync(join(context, name), text),
    /** The titles of the steps that were carried out, and the digests of the layers. */
    async build(...lines: string[]) {
      writeFileSync(join(folder, "Dockerfile"), lines.join("\n"));
      const events: BuildEvent[] = [];
      const { manifest } = await buildImage(
        {
          ...{ context, dockerfile: join(folder, "Dockerfile"), tags: [], buildArgs: {}, labels: {}, pull: false },
          ...{ noCache: false, outputs: [], push: false, network: "none", addHosts: [], plainHttp: false },
          limits: { shmBytes: 1 << 20, ulimits: {} },
        },
        {
          store,
          report: (event) => events.push(event),
          signal: AbortSignal.timeout(60_000),
          stdin: () => Readable.from([]),
          stdout: new PassThrough(),
        },
      );
      const titles = new Map(
        events.flatMap((event) => (event.kind === "start" ? [[event.step.id, event.step.title]] : [])),
      );
      const ran = events.flatMap((event) =>
        event.kind === "done" && !event.cached ? [titles.get(event.id)?.replace(/^\[.*?\] /, "") ?? ""] : [],
      );
      const { rootfs } = await readConfig(store, (await readManifest(store, manifest)).config);
      return { ran: ran.filter((title) => /^(COPY|ADD|WORKDIR)/.test(title)).sort(), layers: rootfs.diff_ids };
    },
  };
}

test("it is found again on another base, and its layer is the same", async (t) => {
  const { build, write } = workshop(t);
  write("a", "1");
  write("f", "f");
  const lines = ["FROM scratch", "COPY a /x/", "COPY --link f /x/f"];
  const first = await build(...lines);
  t.deepEqual(first.ran, ["COPY --link f /x/f", "COPY a /x/"]);
  write("a", "2");
  const second = await build(...lines);
  t.deepEqual(second.ran, ["COPY a /x/"]);
  t.not(second.layers[0], first.layers[0]);
  t.is(second.layers[1], first.layers[1]);
  const third = await build("FROM scratch", "COPY --link f /x/f");
  t.deepEqual([third.ran, third.layers], [[], [first.layers[1]]]);
});

test("a change of its own files is seen, and what stands on it is made again", async (t) => {
  const { build, write } = workshop(t);
  write("a", "a");
  write("f", "1");
  const lines = ["FROM scratch", "COPY --link f /x/f", "COPY a /x/"];
  await build(...lines);
  t.deepEqual((await build(...lines)).ran, []);
  write("f", "2");
  t.deepEqual((await build(...lines)).ran, ["COPY --link f /x/f", "COPY a /x/"]);
});

test("without --link the same COPY is made again when the base changes", async (t) => {
  const { build, write } = workshop(t);
  write("a", "1");
  write("f", "f");
  const lines = ["FROM scratch", "COPY a /x/", "COPY f /x/f"];
  await build(...lines);
  write("a", "2");
  t.deepEqual((await build(...lines)).ran, ["COPY a /x/", "COPY f /x/f"]);
});

test("what --exclude leaves out changes nothing", async (t) => {
  const { build, write } = workshop(t);
  write("a", "1");
  write("b", "1");
  const lines = ["FROM scratch", "COPY --exclude=a . /x/", "COPY --parents b* /y/"];
  const first = await build(...lines);
  write("a", "2");
  t.deepEqual(await build(...lines), { ran: [], layers: first.layers });
  write("b", "2");
  t.deepEqual((await build(...lines)).ran, ["COPY --exclude=a . /x/", "COPY --parents b* /y/"]);
});
