/** Contexts, images and stages made to read or write this host. The host's secret is a file that no image has. */
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { program } from "../doubles/cli.ts";
import { editLayout } from "./layouts.ts";
import { type Scene, scene } from "./scene.ts";

const secret = "SECRET-OF-THE-HOST";

async function hostSecret(s: Scene): Promise<string> {
  await mkdir(join(s.folder, "host"));
  const path = join(s.folder, "host/secret");
  // As a Dockerfile or ignore file it would be quoted by the error message.
  await writeFile(path, `[${secret}\n`, { mode: 0o600 });
  return path;
}

const plants: [name: string, file: string, plant: (path: string, s: Scene) => Promise<unknown>, says: RegExp][] = [
  [
    "a Dockerfile that is a link to a file of the host",
    "Dockerfile",
    async (path, s) => symlink(await hostSecret(s), path),
    /cannot read .*Dockerfile: it is a link that leads out of the build context/,
  ],
  [
    "an ignore file that is a link to a file of the host",
    ".dockerignore",
    async (path, s) => symlink(await hostSecret(s), path),
    /cannot read .*\.dockerignore: it is a link that leads out/,
  ],
  ["a Dockerfile that is a FIFO", "Dockerfile", async (path) => execFileSync("mkfifo", [path]), /it is no file/],
  ["an ignore file that is a FIFO", ".dockerignore", async (path) => execFileSync("mkfifo", [path]), /it is no file/],
  ["a Dockerfile without end", "Dockerfile", async (path) => symlink("/dev/zero", path), /leads out|it is no file/],
  ["a Dockerfile that is too large", "Dockerfile", (path) => writeFile(path, "#".repeat(5 << 20)), /larger than 4 MiB/],
];
for (const [name, file, plant, says] of plants) {
  test(`refused: ${name}`, async (t) => {
    const s = await scene(t, { base: false });
    const context = await s.files("context", file === "Dockerfile" ? {} : { Dockerfile: "FROM scratch\nCOPY . /\n" });
    await plant(join(context, file), s);
    for (const flags of [[], ["-f", join(context, "Dockerfile")]]) {
      const refused = await s.build(context, ...flags);
      t.is(refused.code, 2, refused.stderr);
      t.regex(refused.stderr, says);
      t.false(refused.stderr.includes(secret), refused.stderr);
    }
  });
}

test("a Dockerfile may be a link inside the context, lie elsewhere, or come through a pipe that has a name", async (t) => {
  const s = await scene(t, { base: false });
  const context = await s.files("context", { real: "FROM scratch\nCOPY real /\n" });
  await symlink("real", join(context, "Dockerfile"));
  t.is((await s.build(context)).code, 0);
  await s.files("elsewhere", { Dockerfile: "FROM scratch\nCOPY real /\n" });
  t.is((await s.build(context, "-f", join(s.folder, "elsewhere/Dockerfile"))).code, 0);
  const script = `exec "$0" "$1" build -q -f <(printf 'FROM scratch\\nCOPY real /\\n') "$2"`;
  const env = { PATH: process.env.PATH, ...s.env };
  const id = execFileSync("bash", ["-c", script, process.execPath, program, context], { env, encoding: "utf8" });
  t.regex(id, /^sha256:[0-9a-f]{64}\n$/);
});

const stages: [name: string, dockerfile: (host: string) => string][] = [
  [
    "COPY --from of a link to it",
    (host) => `FROM wbuild.local/linux\nRUN ln -s ${host}/secret /f\nFROM scratch\nCOPY --from=0 /f /out\n`,
  ],
  [
    "COPY --from through a linked folder, by pattern",
    (host) => `FROM wbuild.local/linux\nRUN ln -s ${host} /d\nFROM scratch\nCOPY --from=0 /d/* /out/\n`,
  ],
  [
    "COPY --from of a folder with links to it",
    (host) =>
      `FROM wbuild.local/linux\nRUN mkdir /d; ln -s ${host}/secret /d/a; ln -s ../../../../../..${host} /d/b\nFROM scratch\nCOPY --from=0 /d /out/\n`,
  ],
  [
    "a step after an ADD into a linked folder",
    (host) => `FROM wbuild.local/linux\nRUN ln -s ${host} /in\nADD file /in/\nRUN cat /in/secret\n`,
  ],
  [
    "the accounts of a USER",
    (host) =>
      `FROM wbuild.local/linux\nRUN rm /etc/passwd /etc/group; ln -s ${host}/secret /etc/passwd; ln -s /proc/1/root${host}/secret /etc/group\nUSER ${secret}\nRUN cat /etc/passwd\n`,
  ],
  [
    "the owner of a COPY",
    (host) =>
      `FROM wbuild.local/linux\nRUN rm /etc/group; ln -s ${host}/secret /etc/group\nCOPY --chown=0:wheel file /file\nRUN cat /etc/group\n`,
  ],
  [
    "the files that a step is given",
    (host) =>
      `FROM wbuild.local/linux\nRUN cd /etc; for f in resolv.conf hosts hostname; do rm -f $f; ln -s ${host}/secret $f; done 2>/dev/null; true\nRUN cat /etc/resolv.conf /etc/hosts /etc/hostname ${host}/secret\n`,
  ],
  [
    "a working directory behind a link",
    (host) => `FROM wbuild.local/linux\nRUN ln -s ${host} /w\nWORKDIR /w\nRUN cat secret\n`,
  ],
];
for (const [name, dockerfile] of stages) {
  test(`a file of the host cannot be read by ${name}`, async (t) => {
    const s = await scene(t);
    const host = join(await hostSecret(s), "..");
    const context = await s.files("context", { Dockerfile: dockerfile(host), file: "x\n" });
    const built = await s.build(context, "-t", "app");
    // USER names the secret itself: what counts is what stands around it in the file.
    t.false(built.stderr.includes(`[${secret}`), built.stderr);
    t.notRegex(built.stderr, /internal error/);
    if (built.code === 0) t.false((await s.tool("sh", "-c", `cat ${await exported(s, "app")}`)).includes(secret));
    t.is(await readFile(join(host, "secret"), "utf8"), `[${secret}\n`);
    t.deepEqual(await readdir(host), ["secret"]);
  });
}

async function exported(s: Scene, image: string): Promise<string> {
  const path = join(s.folder, "exported.tar");
  await s.wbuild("export", "-o", path, image);
  return path;
}

test("system folders that are links are refused, and nothing is made where they point", async (t) => {
  const s = await scene(t);
  const victim = join(s.folder, "victim");
  await mkdir(victim);
  for (const folder of ["proc", "dev", "sys"]) {
    // What a base image from elsewhere can have: no step can take these folders away.
    await s.files("tree", {});
    const layer = await s.files(`layer-${folder}`, {});
    await symlink(victim, join(layer, folder));
    await s.tool("tar", "-C", layer, "-cf", join(s.folder, "tree/layer.tar"), folder);
    await s.files("tree", { Dockerfile: `FROM scratch\nADD layer.tar /\nRUN ["/bin/true"]\n` });
    const built = await s.build(join(s.folder, "tree"));
    t.true(built.code !== 0, built.stderr);
    t.regex(built.stderr, /too many links/);
    t.deepEqual(await readdir(victim), []);
  }
});

test("an output folder's planted links are replaced, not followed", async (t) => {
  const s = await scene(t, { base: false });
  const victim = await s.files("victim", { f: "old\n" });
  const out = await s.files("out", {});
  await symlink(victim, join(out, "sub"));
  await symlink(join(victim, "f"), join(out, "f"));
  const context = await s.files("context", { Dockerfile: "FROM scratch\nCOPY . /\n", "sub/g": "new\n", f: "new\n" });
  const built = await s.build(context, "-o", out);
  t.is(built.code, 0, built.stderr);
  t.deepEqual(await readdir(victim), ["f"]);
  t.is(await readFile(join(victim, "f"), "utf8"), "old\n");
  t.is(await readFile(join(out, "sub/g"), "utf8"), "new\n");
});

test("a folder's odd inhabitants: FIFOs, sockets, devices and circles of links harm no COPY", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: "FROM wbuild.local/linux\nCOPY . /c/\nRUN ls /c | wc -l\n",
    ".dockerignore": "Dockerfile\n.dockerignore\n",
    file: "x\n",
    "new\nline": "y\n",
  });
  execFileSync("mkfifo", [join(context, "fifo")]);
  execFileSync("python3", ["-c", "import socket; socket.socket(socket.AF_UNIX).bind('sock')"], { cwd: context });
  await symlink("circle", join(context, "circle"));
  await symlink("..", join(context, "up"));
  const built = await s.build(context, "-t", "odd");
  t.is(built.code, 0, built.stderr);
  // A name with a newline must not forge a line of its own.
  const diff = await s.wbuild("diff", "--layer", "2", "odd");
  t.is(diff.stdout, "A /c\nA /c/circle\nA /c/fifo\nA /c/file\nA /c/new\\nline\nA /c/up\n", diff.stderr);
  const circle = await s.build(await s.files("circle", { Dockerfile: "FROM scratch\nCOPY --from=odd /c/circle /\n" }));
  t.is(circle.code, 1, circle.stderr);
  t.regex(circle.stderr, /TREE_LOOP/);
});

test("a chain of three thousand stages is built without overflowing the stack", async (t) => {
  const s = await scene(t, { base: false });
  const chain = Array.from({ length: 3000 }, (_, i) => `FROM scratch\nCOPY --from=${i} /f /\n`);
  const context = await s.files("context", { Dockerfile: `FROM scratch\nCOPY f /\n${chain.join("")}`, f: "x\n" });
  const built = await s.build(context);
  t.is(built.code, 0, built.stderr.slice(-2000));
});

/** The offline base with another configuration, loaded under the name `changed`. */
async function changed(t: ExecutionContext, s: Scene, config: object): Promise<void> {
  const layout = join(s.folder, "layout");
  t.is((await s.wbuild("save", "--format", "oci", "-o", `${layout}/`, "wbuild.local/linux")).code, 0);
  await editLayout(layout, "changed:1", (image) => Object.assign(image, { config: { ...image.config, ...config } }));
}

const configs: [name: string, config: object, code: number, says: RegExp][] = [
  ["a relative working directory is meant from the root", { WorkingDir: "../../app" }, 0, / \/app\n/],
  ["a variable with a NUL is refused", { Env: ["PATH=/bin", "A=x\0B=y"] }, 3, /REG_CONFIG/],
  ["a user that would clear the screen", { User: "\x1b[2Jx" }, 1, /STEP_USER/],
  ["a trigger that nobody may set", { OnBuild: ["FROM evil"] }, 2, /DF_ONBUILD_TRIGGER/],
];
for (const [name, config, code, says] of configs) {
  test(`hostile configuration: ${name}`, async (t) => {
    const s = await scene(t);
    await changed(t, s, config);
    const loaded = await s.wbuild("load", "-i", join(s.folder, "layout"));
    const context = await s.files("context", { Dockerfile: "FROM changed:1\nRUN pwd\n" });
    const built = loaded.code === 0 ? await s.build(context) : loaded;
    t.is(built.code, code, built.stderr);
    t.regex(built.stderr, says);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
    t.notRegex(built.stderr, /[\x00-\x08\x0b-\x1f\x7f]/);
  });
}
