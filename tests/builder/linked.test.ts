/** COPY --link: its layer does not depend on what lies below. */
import test, { type ExecutionContext } from "ava";
import { readConfig, readManifest } from "../../builder/image/stored/stored-image.ts";
import { buildWorld } from "../doubles/builds.ts";

function workshop(t: ExecutionContext) {
  const { build, store, write } = buildWorld(t);
  return {
    write,
    /** The titles of the steps that were carried out, and the digests of the layers. */
    async build(...lines: string[]) {
      const { ran, manifest } = await build(lines);
      const { rootfs } = await readConfig(store, (await readManifest(store, manifest)).config);
      return { ran, layers: rootfs.diff_ids };
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
