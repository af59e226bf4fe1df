/** With SOURCE_DATE_EPOCH the same files give the same digest: whoever builds them, where, when, and on how many CPUs. */
import { execFileSync } from "node:child_process";
import { lutimesSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type Ids, noUser } from "../doubles/ordinary-user.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { noWindows, type Scene, scene } from "./scene.ts";

const epoch = "1577836800";

/** What differs between the two hosts that a test stands for. */
interface Place {
  readonly prefix?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Seconds since 1970 of every file of the context; later than the epoch. */
  readonly touched: number;
  readonly user?: Ids;
}

const here: Place = {
  prefix: ["taskset", "-c", "0"],
  env: { TZ: "Pacific/Kiritimati", LC_ALL: "tr_TR.UTF-8", LANG: "tr_TR.UTF-8", HOME: "/nowhere" },
  touched: 1_600_000_000,
};
const there: Place = { env: { TZ: "America/Adak", LC_ALL: "C" }, touched: 1_700_000_123 };

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
  Dockerfile: `# escape=\`
FROM wbuild.local/windows AS made
WORKDIR C:\\app
COPY tree/ .
RUN echo one> one.txt & reg add HKLM\\SOFTWARE\\App /v Name /d one /f & setx /m A b
RUN mkdir d & echo two> d\\two.txt & attrib +h +s d\\two.txt & mklink link.txt one.txt & mklink /j junction d & mklink /h hard.txt one.txt
RUN icacls one.txt /grant Everyone:F & takeown /f a.txt & icacls d /setowner Administrators /T
RUN ren d e && rd /s /q b && mkdir b && echo new> b\\new.txt && del a.txt
RUN --mount=type=cache,target=C:/cache --mount=target=C:/src echo kept> C:\\cache\\kept.txt && copy C:\\src\\tree\\a.txt C:\\app\\bound.txt
RUN copy C:\\Windows\\System32\\cmd.exe mine.exe && mine /c echo mine> mine.txt
USER ContainerUser
RUN reg add HKCU\\Software\\App /v Of /d user /f & echo profile> %USERPROFILE%\\profile.txt
FROM made
USER ContainerAdministrator
COPY --from=made C:\\app C:\\copied
RUN dir /b /s C:\\copied > C:\\list.txt
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
  const how = { env: { ...place.env, SOURCE_DATE_EPOCH: epoch }, prefix: place.prefix ?? [] };
  const s: Scene = await scene(t, { base, with: how, ...(place.user === undefined ? {} : { user: place.user }) });
  const context = await s.files(`context of ${place.touched}`, files);
  const all = execFileSync("find", [context], { encoding: "utf8" }).trim().split("\n");
  for (const path of all) lutimesSync(path, place.touched, place.touched);
  const built = await s.build(context, "-t", "app", "--metadata-file", "m.json");
  t.is(built.code, 0, built.stderr);
  return JSON.parse(await readFile(join(s.folder, "m.json"), "utf8"))["containerimage.digest"];
}

const known = new Map<string, Promise<string>>();

/** By root, on the other host: built once. */
function digestThere(t: ExecutionContext, base: "linux" | "windows"): Promise<string> {
  const digest = known.get(base) ?? digestAt(t, there, base, base === "linux" ? linux : windows);
  known.set(base, digest);
  return digest;
}

test("Linux: other folder, times, time zone, language and number of CPUs", async (t) => {
  t.is(await digestAt(t, here, "linux", linux), await digestThere(t, "linux"));
});

const wine = noWindows();
testUnless(wine, test.serial)("Windows: the same, with files, links, access and registry", async (t) => {
  t.is(await digestAt(t, here, "windows", windows), await digestThere(t, "windows"));
});

for (const user of ["one id", "range"] as const) {
  const missing = noUser(user);
  const because = (why?: string) => (why === undefined ? "" : ` (skipped: ${why})`);
  testUnless(missing)(`Linux: root and an ordinary user with ${user}${because(missing)}`, async (t) => {
    t.is(await digestAt(t, { ...here, user }, "linux", linux), await digestThere(t, "linux"));
  });
  const noWine = missing ?? wine;
  testUnless(noWine, test.serial)(`Windows: root and an ordinary user with ${user}${because(noWine)}`, async (t) => {
    t.is(await digestAt(t, { ...here, user }, "windows", windows), await digestThere(t, "windows"));
  });
}

test("without it the digests differ, so that the tests above mean something", async (t) => {
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
