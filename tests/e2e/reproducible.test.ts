/** With SOURCE_DATE_EPOCH the same files give the same digest: whoever builds them, where, when, and on how many CPUs. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, lutimesSync, mkdirSync, symlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { bundled, program } from "../doubles/cli.ts";
import { noWindows, type Scene, scene } from "./scene.ts";

const epoch = "1577836800";
const uid = 4321;
const asUser = ["setpriv", "--reuid", String(uid), "--regid", String(uid), "--clear-groups"];

/** What differs between the two hosts that a test stands for. */
interface Place {
  readonly prefix: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Seconds since 1970 of every file of the context; later than the epoch. */
  readonly touched: number;
  readonly owner?: number;
}

const here: Place = {
  prefix: ["taskset", "-c", "0"],
  env: { TZ: "Pacific/Kiritimati", LC_ALL: "tr_TR.UTF-8", LANG: "tr_TR.UTF-8", HOME: "/nowhere" },
  touched: 1_600_000_000,
};
const there: Place = { prefix: [], env: { TZ: "America/Adak", LC_ALL: "C" }, touched: 1_700_000_123 };

const linux = {
  Dockerfile: `FROM wbuild.local/linux AS made
WORKDIR /work
RUN mkdir -p a/b && echo one > a/one && ln -s one a/two && ln a/one a/b/three && chmod 4711 a/one
FROM wbuild.local/linux
ARG SOURCE_DATE_EPOCH
COPY --link tree/ /srv/
COPY --from=made /work /work
COPY <<EOT /etc/note
made at $SOURCE_DATE_EPOCH
EOT
RUN rm /etc/shells && date > /dev/null && echo "$SOURCE_DATE_EPOCH" > /epoch
CMD ["cat", "/epoch"]
`,
  "tree/b/İ": "dotted\n",
  "tree/a/x": "x\n",
  "tree/Z": "z\n",
};

const windows = {
  Dockerfile: `FROM wbuild.local/windows
WORKDIR C:\\\\app
COPY tree/ .
RUN echo one> one.txt & reg add HKLM\\SOFTWARE\\App /v Name /d one /f & setx /m A b
`,
  "tree/b/x.txt": "x\n",
  "tree/a.txt": "a\n",
};

/** Builds in a new store, and gives what --metadata-file says without what may differ by right. */
async function digestAt(
  t: ExecutionContext,
  place: Place,
  base: "linux" | "windows",
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const s: Scene = await scene(t, { base: false });
  const context = await s.files(`context of ${place.touched}`, files);
  const all = execFileSync("find", [context], { encoding: "utf8" }).trim().split("\n");
  for (const path of all) lutimesSync(path, place.touched, place.touched);
  chmodSync(s.folder, 0o755);
  if (base === "windows") {
    // Wine's personality is no part of an image, and takes seconds to make.
    const shared = join(tmpdir(), "wbuild-shared-wine");
    mkdirSync(join(shared, "wine"), { recursive: true });
    mkdirSync(s.env.WBUILD_HOME);
    symlinkSync(join(shared, "wine"), join(s.env.WBUILD_HOME, "wine"));
  }
  if (place.owner !== undefined) execFileSync("chown", ["-R", `${place.owner}:${place.owner}`, s.folder]);
  const wbuild = (...args: string[]) => {
    const [command = "", ...rest] = [...place.prefix, process.execPath, program, ...args];
    const env = {
      PATH: process.env.PATH,
      TMPDIR: s.folder,
      HOME: s.folder,
      ...s.env,
      ...place.env,
      SOURCE_DATE_EPOCH: epoch,
    };
    const result = spawnSync(command, rest, { cwd: s.folder, env, encoding: "utf8" });
    t.is(result.status, 0, result.stderr);
  };
  wbuild("base", base);
  wbuild("build", "--network", "none", "-t", "app", "--metadata-file", "m.json", context);
  return JSON.parse(await readFile(join(s.folder, "m.json"), "utf8"))["containerimage.digest"];
}

test("Linux: other folder, times, time zone, language and number of CPUs", async (t) => {
  await bundled();
  const [a, b] = [await digestAt(t, here, "linux", linux), await digestAt(t, there, "linux", linux)];
  t.is(a, b);
});

const user = (() => {
  if (process.geteuid?.() !== 0) return "needs root, to become somebody else";
  const [command = "", ...rest] = [...asUser, "ls", program];
  return spawnSync(command, rest, { stdio: "ignore" }).status === 0
    ? undefined
    : "an ordinary user cannot reach this checkout";
})();
(user === undefined ? test : test.skip)(
  `Linux: root and an ordinary user${user === undefined ? "" : ` (skipped: ${user})`}`,
  async (t) => {
    await bundled();
    const byUser = { ...here, prefix: [...here.prefix, ...asUser], owner: uid };
    t.is(await digestAt(t, byUser, "linux", linux), await digestAt(t, there, "linux", linux));
  },
);

const wine = noWindows();
(wine === undefined ? test : test.skip)(
  `Windows: the same, with files and registry${wine === undefined ? "" : ` (skipped: ${wine})`}`,
  async (t) => {
    await bundled();
    t.is(await digestAt(t, here, "windows", windows), await digestAt(t, there, "windows", windows));
  },
);

test("without it the digests differ, so that the tests above mean something", async (t) => {
  await bundled();
  const s = await scene(t);
  const context = await s.files("c", { Dockerfile: "FROM scratch\nCOPY f /\n", f: "" });
  const digest = async () => {
    t.is((await s.build(context, "--no-cache", "--metadata-file", "m.json")).code, 0);
    return JSON.parse(await readFile(join(s.folder, "m.json"), "utf8"))["containerimage.digest"];
  };
  const first = await digest();
  lutimesSync(join(context, "f"), 1_600_000_000, 1_600_000_000);
  t.not(await digest(), first);
});
