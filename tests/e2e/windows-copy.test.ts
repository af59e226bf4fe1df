/** Windows images without RUN, by the real program: what lands where, and what others find in it. */
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { pack } from "tar-stream";
import { writeHive } from "../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../layerfs/hive/tree.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { type NaiveEntry, naiveTar } from "../doubles/naive-tar.ts";
import {
  systemCreated,
  systemSecurity,
  type WindowsBaseOptions,
  windowsBaseLayout,
  windowsBaseTar,
} from "../doubles/windows-base.ts";
import { type BuildOutcome, type Scene, scene } from "./scene.ts";

const execute = promisify(execFile);

/** A scene whose store has the Windows base. */
async function windowsScene(t: ExecutionContext, options: WindowsBaseOptions = {}): Promise<Scene> {
  const s = await scene(t, { base: false });
  await windowsBaseLayout(join(s.folder, "layout"), options);
  const loaded = await s.wbuild("load", "-i", "layout");
  t.is(loaded.code, 0, loaded.stderr);
  return s;
}

const from = "# escape=`\nFROM test.example/windows:1\n";

async function built(
  t: ExecutionContext,
  s: Scene,
  dockerfile: string,
  files: Record<string, string> = {},
  ...flags: string[]
) {
  const context = await s.files("context", { Dockerfile: dockerfile, ...files });
  const outcome = await s.build(context, "-t", "app", ...flags);
  t.is(outcome.code, 0, outcome.stderr);
  return outcome;
}

interface Saved {
  readonly config: { readonly [key: string]: unknown; readonly config: Record<string, unknown> };
  readonly layers: readonly NaiveEntry[][];
  readonly mediaTypes: readonly string[];
  readonly platform: unknown;
}

/** The image as an OCI layout has it. */
async function saved(s: Scene, name = "app"): Promise<Saved> {
  await mkdir(join(s.folder, "saved"), { recursive: true });
  const result = await s.wbuild("save", "-o", "saved/", name);
  if (result.code !== 0) throw new Error(result.stderr);
  const blob = (digest: string) => readFile(join(s.folder, "saved/blobs", digest.replace(":", "/")));
  const index = JSON.parse(await readFile(join(s.folder, "saved/index.json"), "utf8"));
  const manifest = JSON.parse((await blob(index.manifests[0].digest)).toString());
  const layers: NaiveEntry[][] = [];
  for (const { digest } of manifest.layers) layers.push(naiveTar(await blob(digest)));
  return {
    config: JSON.parse((await blob(manifest.config.digest)).toString()),
    layers,
    mediaTypes: manifest.layers.map((layer: { mediaType: string }) => layer.mediaType),
    platform: index.manifests[0].platform,
  };
}

const clean = ({ name }: NaiveEntry) => name.replace(/\/$/, "");
/** Everything but hives, as `name` or `name -> target`. */
const files = (layer: readonly NaiveEntry[]) =>
  layer
    .filter((entry) => !entry.name.startsWith("Hives"))
    .map((entry) => clean(entry) + (entry.type === "2" ? ` -> ${entry.link}` : ""));
const at = (layer: readonly NaiveEntry[], name: string) => layer.find((entry) => clean(entry) === name);

const newFile = Buffer.from(
  "01000480140000002400000000000000300000000102000000000005200000002002000001010000000000051200000002004c0003000000" +
    "00001800ff011f000102000000000005200000002002000000001400ff011f00010100000000000512000000" +
    "00001800a9001200010200000000000520000000" +
    "21020000",
  "hex",
).toString("base64");

test("pushed, pulled into an empty store, and read by others: Windows' shape in every layer", async (t) => {
  await using registry = await startRegistry();
  const s = await windowsScene(t, { features: ["win32k"] });
  const name = `${registry.host}/team/app:1`;
  const dockerfile = `${from}ENV APP=1
WORKDIR C:\\app
COPY app.exe .
COPY extra.dll C:\\WINDOWS\\system32\\
COPY ["shared.dll", "/program files/COMMON FILES/Shared.DLL"]
USER ContainerUser
CMD app.exe --x "a  b"
`;
  const context = await s.files("context", {
    Dockerfile: dockerfile,
    "app.exe": "MZ",
    "extra.dll": "MZ",
    "shared.dll": "new",
  });
  const outcome = await s.build(context, "-t", name, "--push");
  t.is(outcome.code, 0, outcome.stderr);

  const config = JSON.parse(
    await s.tool("skopeo", "inspect", "--config", "--override-os", "windows", "--tls-verify=false", `docker://${name}`),
  );
  t.like(config, { os: "windows", architecture: "amd64", "os.version": "10.0.20348.2700", "os.features": ["win32k"] });
  t.deepEqual(config.config, {
    User: "ContainerUser",
    Env: ["APP=1"],
    Cmd: ['cmd /S /C app.exe --x "a  b"'],
    WorkingDir: "C:\\app",
    ArgsEscaped: true,
  });
  t.deepEqual(
    config.history.map((step: { created_by: string }) => step.created_by),
    [
      "Apply image 10.0.20348.2700",
      "ENV APP=1",
      "WORKDIR C:\\app",
      "COPY app.exe . # buildkit",
      "COPY extra.dll C:\\WINDOWS\\system32\\ # buildkit",
      'COPY ["shared.dll","/program files/COMMON FILES/Shared.DLL"] # buildkit',
      "USER ContainerUser",
      'CMD ["cmd /S /C app.exe --x \\"a  b\\""]',
    ],
  );

  const empty = { env: { WBUILD_HOME: join(s.folder, "empty") } };
  const pulled = await s.wbuildWith(empty, "pull", "--platform", "windows/amd64", name);
  t.is(pulled.code, 0, pulled.stderr);
  t.is((await s.wbuildWith(empty, "save", "-o", "pulled.tar", name)).code, 0);
  const image = await saved(s, name);
  t.true(
    image.mediaTypes.every((type) => type.endsWith("+gzip")),
    image.mediaTypes.join(),
  );
  t.like(image.platform, { os: "windows", "os.version": "10.0.20348.2700", "os.features": ["win32k"] });

  const [, ...own] = image.layers;
  t.deepEqual(own.map(files), [
    ["Files", "Files/app"],
    ["Files", "Files/app", "Files/app/app.exe"],
    ["Files", "Files/Windows", "Files/Windows/System32", "Files/Windows/System32/extra.dll"],
    ["Files", "Files/Program Files", "Files/Program Files/Common Files", "Files/Program Files/Common Files/shared.dll"],
  ]);
  for (const layer of own) {
    t.deepEqual(layer.slice(0, 7).map(clean), [
      "Hives",
      "Files",
      ...["System", "Software", "Sam", "Security", "DefaultUser"].map((hive) => `Hives/${hive}_Delta`),
    ]);
    for (const hive of layer.slice(2, 7)) {
      t.is(hive.content.toString("latin1", 0, 4), "regf");
      t.is(hive.content.readUInt32LE(24), 6, "a differencing hive has minor version 6");
    }
  }
  const system = {
    "MSWINDOWS.fileattr": "16",
    "MSWINDOWS.rawsd": systemSecurity,
    "LIBARCHIVE.creationtime": systemCreated,
  };
  t.like(at(own[2] ?? [], "Files/Windows")?.pax, system);
  t.like(at(own[2] ?? [], "Files/Windows/System32")?.pax, system);
  t.like(at(own[2] ?? [], "Files/Windows/System32/extra.dll")?.pax, {
    "MSWINDOWS.fileattr": "32",
    "MSWINDOWS.rawsd": newFile,
  });
  const changed = at(own[3] ?? [], "Files/Program Files/Common Files/shared.dll");
  t.is(changed?.content.toString(), "new");
  t.like(changed?.pax, { ...system, "MSWINDOWS.fileattr": "33" }, "a file that changed in content only keeps the rest");

  const verified = await s.wbuild("inspect", "--verify", name);
  t.is(verified.code, 0, verified.stdout);

  // bsdtar, and so libarchive, reads the same names.
  await s.files("", { "layer.tar": await blobOf(s, own.length) });
  t.deepEqual(
    (await s.tool("bsdtar", "-tf", "layer.tar")).trim().split("\n"),
    (own.at(-1) ?? []).map((entry) => entry.name),
  );
});

/** A layer's bytes as they were saved. */
async function blobOf(s: Scene, number: number): Promise<Buffer> {
  const index = JSON.parse(await readFile(join(s.folder, "saved/index.json"), "utf8"));
  const blob = (digest: string) => readFile(join(s.folder, "saved/blobs", digest.replace(":", "/")));
  const manifest = JSON.parse((await blob(index.manifests[0].digest)).toString());
  return blob(manifest.layers[number].digest);
}

test("Linux and Windows stages copy from each other", async (t) => {
  const s = await windowsScene(t, {
    files: [
      { path: "tool/" },
      { path: "tool/Run.EXE", content: "MZ run", attributes: 35 },
      { path: "tool/shortcut", target: "..\\tool\\Run.EXE" },
      { path: "tool/away", target: "C:\\Users", attributes: 0x410 },
    ],
  });
  t.is((await s.wbuild("base", "linux")).code, 0);
  const dockerfile = `# escape=\`
FROM test.example/windows:1 AS windows

FROM wbuild.local/linux AS linux
COPY --from=windows C:\\TOOL\\ /from-windows/
COPY --from=windows /tool/*.exe /programs/
COPY --from=windows c:\\tool\\RUN.exe /one
COPY script.sh /src/bin/script.sh
COPY --chmod=700 script.sh /src/secret

FROM test.example/windows:1
COPY --from=linux /src C:\\out\\
COPY --from=linux /from-windows /back
COPY --from=windows C:\\Tool\\run.exe C:\\kept\\
`;
  const context = await s.files("context", { Dockerfile: dockerfile, "script.sh": "#!/bin/sh\n" });
  const linux = await s.build(context, "--target", "linux", "-o", "type=tar,dest=linux.tar");
  t.is(linux.code, 0, linux.stderr);
  const listed = await s.tool("tar", "--numeric-owner", "-tvf", "linux.tar", "from-windows", "programs", "one");
  t.deepEqual(
    listed
      .trim()
      .split("\n")
      .map((line) => line.replace(/ +\d+ \d{4}-\S+ \S+/, "")),
    [
      "drwxr-xr-x 0/0 from-windows/",
      "-rwxr-xr-x 0/0 from-windows/Run.EXE",
      "lrwxrwxrwx 0/0 from-windows/away -> /Users",
      "lrwxrwxrwx 0/0 from-windows/shortcut -> ../tool/Run.EXE",
      "-rwxr-xr-x 0/0 one",
      "drwxr-xr-x 0/0 programs/",
      "-rwxr-xr-x 0/0 programs/Run.EXE",
    ],
  );

  const outcome = await s.build(context, "-t", "app");
  t.is(outcome.code, 0, outcome.stderr);
  const { layers, config } = await saved(s);
  t.is(config.os, "windows");
  t.deepEqual(files(layers[1] ?? []), [
    "Files",
    "Files/out",
    "Files/out/bin",
    "Files/out/bin/script.sh",
    "Files/out/secret",
  ]);
  t.deepEqual(files(layers[2] ?? []), [
    "Files",
    "Files/back",
    "Files/back/Run.EXE",
    "Files/back/away -> \\Users",
    "Files/back/shortcut -> ..\\tool\\Run.EXE",
  ]);
  t.is(at(layers[2] ?? [], "Files/back/away")?.pax["MSWINDOWS.fileattr"], "1040", "a link to a folder says so");
  const kept = at(layers[3] ?? [], "Files/kept/Run.EXE");
  t.like(
    kept?.pax,
    { "MSWINDOWS.fileattr": "35", "MSWINDOWS.rawsd": systemSecurity },
    "within Windows nothing is lost",
  );
  t.is(at(layers[1] ?? [], "Files/out/secret")?.pax["MSWINDOWS.rawsd"], newFile, "modes of Linux mean nothing here");
});

const refused: [title: string, line: string, files: Record<string, string>, text: RegExp][] = [
  ["--chmod", "COPY --chmod=755 a .", { a: "" }, /DF_UNSUPPORTED_FLAG.*--chmod/],
  ["--chown of nobody", "COPY --chown=me a .", { a: "" }, /DF_CHOWN/],
  ["another drive", "COPY a D:\\x", { a: "" }, /DF_WINDOWS_PATH/],
  ["a share", "WORKDIR \\\\server\\share\\x", {}, /DF_WINDOWS_PATH/],
  [
    "names that differ in case only",
    "COPY d C:\\x\\",
    { "d/Readme": "", "d/README": "" },
    /WIN_CASE.*d\/README.*d\/Readme/,
  ],
  ["a name with a colon", "COPY d C:\\x\\", { "d/a:b": "" }, /WIN_NAME.*d\/a:b/],
  ["a device's name", "COPY d C:\\x\\", { "d/Con.txt": "" }, /WIN_NAME.*d\/Con\.txt/],
  ["an illegal target", "COPY a C:\\x?\\", { a: "" }, /WIN_NAME/],
  ["a whiteout's name", "COPY d C:\\x\\", { "d/.wh.x": "" }, /WIN_NAME|LAYER_WHITEOUT_NAME/],
  ["a file where a folder must be", "COPY a C:\\license.TXT\\x\\", { a: "" }, /STEP_NOT_A_DIRECTORY|WIN_PARENT/],
];
for (const [title, line, context, text] of refused) {
  test(`refused with its place: ${title}`, async (t) => {
    const s = await windowsScene(t);
    const outcome = await s.build(
      await s.files("context", { Dockerfile: `${from}${line}\n`, ...context }),
      "-t",
      "app",
    );
    t.not(outcome.code, 0);
    const error = outcome.stderr.slice(outcome.stderr.lastIndexOf("error["));
    t.regex(error, text);
    t.regex(error, /Dockerfile:3:/);
  });
}

test("ADD unpacks an archive onto Windows: spelled as the image, links with backslashes, owners and modes gone", async (t) => {
  const s = await windowsScene(t);
  const tar = pack();
  tar.entry({ name: "WINDOWS/", type: "directory" });
  tar.entry({ name: "WINDOWS/new/", type: "directory", mode: 0o700, uid: 1000 });
  tar.entry({ name: "WINDOWS/new/tool.exe", mode: 0o4755, uid: 1000 }, "MZ");
  tar.entry({ name: "WINDOWS/new/again.exe", type: "link", linkname: "WINDOWS/new/tool.exe" });
  tar.entry({ name: "WINDOWS/new/link", type: "symlink", linkname: "../../users" });
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  await mkdir(join(s.folder, "context"), { recursive: true });
  await writeFile(join(s.folder, "context/files.tar"), Buffer.concat(parts));
  await built(t, s, `${from}ADD files.tar C:\\\n`);
  const { layers } = await saved(s);
  const [, layer = []] = layers;
  t.deepEqual(files(layer), [
    "Files",
    "Files/Windows",
    "Files/Windows/new",
    "Files/Windows/new/again.exe",
    "Files/Windows/new/link -> ..\\..\\users",
    "Files/Windows/new/tool.exe",
  ]);
  t.deepEqual(
    [at(layer, "Files/Windows/new/again.exe"), at(layer, "Files/Windows/new/tool.exe")].map((entry) => [
      entry?.type,
      entry?.link,
    ]),
    [
      ["0", ""],
      ["1", "Files/Windows/new/again.exe"],
    ],
  );
  t.is(at(layer, "Files/Windows/new/link")?.pax["MSWINDOWS.fileattr"], "1040");
  t.is(at(layer, "Files/Windows")?.pax["MSWINDOWS.rawsd"], systemSecurity);
});

test("a Dockerfile written back from an image builds the same image", async (t) => {
  const s = await windowsScene(t);
  const dockerfile = `${from}MAINTAINER Me <me@example.com>
WORKDIR C:\\app
COPY app.exe C:\\app\\
COPY ["conf", "C:\\\\Program Files\\\\app\\\\"]
ENV Path="C:\\app;C:\\Windows" A=1
EXPOSE 80
VOLUME C:\\data
HEALTHCHECK --interval=30s CMD app.exe ping || exit 1
ONBUILD COPY . C:\\src
USER ContainerUser
ENTRYPOINT ["C:\\\\app\\\\app.exe", "a b"]
CMD ["--x"]
`;
  await built(t, s, dockerfile, { "app.exe": "MZ", "conf/x.ini": "x" });
  const id = async () => JSON.parse((await s.wbuild("inspect", "app")).stdout)[0].Id;
  const before = await id();
  const back = await s.wbuild("history", "--dockerfile", "app");
  t.is(back.code, 0, back.stderr);
  t.true(back.stdout.startsWith("# escape=`\n"));
  await built(t, s, back.stdout);
  t.is(await id(), before, back.stdout);
  t.like((await saved(s)).config, {
    author: "Me <me@example.com>",
    config: {
      Env: ["Path=C:\\app;C:\\Windows", "A=1"],
      Healthcheck: { Test: ["CMD-SHELL", "app.exe ping || exit 1"] },
      OnBuild: ["COPY . C:\\src"],
      Entrypoint: ["C:\\app\\app.exe", "a b"],
      Volumes: { "C:\\data": {} },
    },
  });
});

test("ONBUILD triggers of a Windows base run in the child", async (t) => {
  const s = await windowsScene(t, { config: { OnBuild: ["COPY . /src", "WORKDIR src"] } });
  await built(t, s, "FROM test.example/windows:1\n", { a: "a" });
  const { layers, config } = await saved(s);
  t.deepEqual(files(layers[1] ?? []), ["Files", "Files/src", "Files/src/Dockerfile", "Files/src/a"]);
  t.like(config.config, { WorkingDir: "C:\\src" });
});

test("FROM scratch for Windows: a warning, no deltas in the first layer, and its files as output", async (t) => {
  const s = await scene(t, { base: false });
  const outcome = await built(
    t,
    s,
    "FROM scratch\nCOPY a /x/\nCOPY a /y/\n",
    { a: "a" },
    "--platform",
    "windows(10.0.20348.1)/amd64",
  );
  t.regex(outcome.stderr, /hives/);
  const { layers, config } = await saved(s);
  t.is(config["os.version"], "10.0.20348.1");
  t.deepEqual((layers[0] ?? []).map(clean), ["Files", "Files/x", "Files/x/a"]);
  t.is(clean(layers[1]?.[0] as NaiveEntry), "Hives");
  const local = await s.build(join(s.folder, "context"), "--platform", "windows/amd64", "-o", "out");
  t.is(local.code, 0, local.stderr);
  t.is(await readFile(join(s.folder, "out/y/a"), "utf8"), "a");
});

test("FROM scratch with an archive that brings the hives is a base that importers take", async (t) => {
  const s = await scene(t, { base: false });
  const tar = pack();
  for (const { name, type, content } of naiveTar(await windowsBaseTar())) {
    const path = name.replace(/^Files\/?/, "");
    if (path === "" || type === "2") continue;
    if (type === "5") tar.entry({ name: path, type: "directory" });
    else tar.entry({ name: path }, content);
  }
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  await mkdir(join(s.folder, "context"), { recursive: true });
  await writeFile(join(s.folder, "context/base.tar"), Buffer.concat(parts));
  const dockerfile = "FROM scratch\nADD base.tar /\nCOPY base.tar /Windows/\n";
  await built(t, s, dockerfile, {}, "--platform", "windows(10.0.20348.1)/amd64");
  const verified = await s.wbuild("inspect", "--verify", "app");
  t.is(verified.code, 0, verified.stdout);
  t.regex(verified.stdout, /0 errors, 0 warnings/);
});

test("from an index: the newest version, or the one that was asked for", async (t) => {
  await using registry = await startRegistry();
  const s = await scene(t, { base: false });
  const manifests: object[] = [];
  for (const version of ["10.0.17763.6000", "10.0.20348.999", "10.0.20348.2700"]) {
    const name = `${registry.host}/base:${version}`;
    const layout = join(s.folder, version);
    await windowsBaseLayout(layout, { name, version });
    await execute("skopeo", [
      "copy",
      "-q",
      "--override-os=windows",
      "--dest-tls-verify=false",
      `oci:${layout}:${name}`,
      `docker://${name}`,
    ]);
    manifests.push(JSON.parse(await readFile(join(layout, "index.json"), "utf8")).manifests[0]);
  }
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const body = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
  const put = await fetch(`${registry.url}/v2/base/manifests/all`, {
    method: "PUT",
    body,
    headers: { "content-type": mediaType },
  });
  t.is(put.status, 201);
  await s.files("context", { Dockerfile: `FROM ${registry.host}/base:all\nENV A=1\n` });
  for (const [flags, version] of [
    [[], "10.0.20348.2700"],
    [["--platform", "windows/amd64"], "10.0.20348.2700"],
    [["--platform", "windows(10.0.20348.999)/amd64"], "10.0.20348.999"],
    [["--platform", "windows(10.0.17763.1)/amd64"], "10.0.17763.6000"],
  ] as const) {
    const outcome: BuildOutcome = await s.build(join(s.folder, "context"), "-t", "app", ...flags);
    t.is(outcome.code, 0, outcome.stderr);
    t.is((await saved(s)).config["os.version"], version, flags.join(" "));
  }
});

/** The image with another layer on top: a delta of Windows' own making, as a foreign builder would write it. */
async function withRegistryLayer(t: ExecutionContext, s: Scene): Promise<void> {
  const delta = new KeyTree("ROOT");
  const vendor = delta.setSubkey(new KeyTree("Vendor"));
  vendor.setValue({ name: "Version", type: 1, data: Buffer.from("1.2\0", "utf16le") });
  vendor.setValue({ name: "", type: 4, data: Buffer.from([7, 0, 0, 0]) });
  const microsoft = delta.setSubkey(new KeyTree("Microsoft"));
  microsoft.inheritClass = true;
  const nt = microsoft.setSubkey(new KeyTree("Windows NT"));
  nt.inheritClass = true;
  const current = nt.setSubkey(new KeyTree("CurrentVersion"));
  current.inheritClass = true;
  current.setValue({ name: "ProductName", type: 1, data: Buffer.from("Other\0", "utf16le") });
  current.setValue({ name: "CurrentBuild", type: 0, data: Buffer.of(), tombstone: true });
  const tar = pack();
  tar.entry({ name: "Hives/", type: "directory" });
  tar.entry({ name: "Hives/Software_Delta" }, Buffer.from(writeHive(hiveOf(delta, { differencing: true }))));
  tar.entry({ name: "Files/", type: "directory" });
  tar.entry({ name: "Files/WINDOWS/", type: "directory" });
  tar.entry({ name: "Files/WINDOWS/vendor.ini" }, "x");
  tar.entry({ name: "Files/.wh.license.TXT" }, "");
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar) parts.push(part as Buffer);
  const layer = Buffer.concat(parts);
  // The base's layout gets one layer more.
  const folder = join(s.folder, "layout");
  const at = (digest: string) => join(folder, "blobs", digest.replace(":", "/"));
  const put = async (bytes: Buffer) => {
    const digest = digestOf(bytes);
    await writeFile(at(digest), bytes);
    return { digest, size: bytes.length };
  };
  const index = JSON.parse(await readFile(join(folder, "index.json"), "utf8"));
  const manifest = JSON.parse(await readFile(at(index.manifests[0].digest), "utf8"));
  const config = JSON.parse(await readFile(at(manifest.config.digest), "utf8"));
  config.rootfs.diff_ids.push(digestOf(layer));
  config.history.push({ created_by: "RUN setup.exe # buildkit" });
  manifest.layers.push({ mediaType: "application/vnd.oci.image.layer.v1.tar", ...(await put(layer)) });
  Object.assign(manifest.config, await put(Buffer.from(JSON.stringify(config))));
  Object.assign(index.manifests[0], await put(Buffer.from(JSON.stringify(manifest))));
  const name = "test.example/vendor:1";
  index.manifests[0].annotations = { "org.opencontainers.image.ref.name": name, "io.containerd.image.name": name };
  await writeFile(join(folder, "index.json"), JSON.stringify(index));
  const loaded = await s.wbuild("load", "-i", "layout");
  t.is(loaded.code, 0, loaded.stderr);
}

test("diff and history tell keys and values of the registry beside files", async (t) => {
  const s = await windowsScene(t);
  await withRegistryLayer(t, s);
  const expected = [
    "D C:\\License.txt",
    // That builder described the folder on its way anew.
    "C C:\\Windows",
    "A C:\\Windows\\vendor.ini",
    'C HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion [ProductName] = REG_SZ "Other" (was REG_SZ "Windows Server 2022")',
    "D HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion [CurrentBuild]",
    "A HKLM\\SOFTWARE\\Vendor",
    "A HKLM\\SOFTWARE\\Vendor [(Default)] = REG_DWORD 7",
    'A HKLM\\SOFTWARE\\Vendor [Version] = REG_SZ "1.2"',
  ];
  const own = await s.wbuild("diff", "--layer", "2", "test.example/vendor:1");
  t.is(own.code, 0, own.stderr);
  t.deepEqual(own.stdout.trim().split("\n").sort(), [...expected].sort());
  const two = await s.wbuild("diff", "test.example/windows:1", "test.example/vendor:1");
  t.deepEqual(two.stdout.trim().split("\n").sort(), [...expected].sort());
  const back = await s.wbuild("diff", "test.example/vendor:1", "test.example/windows:1");
  t.true(back.stdout.includes("D HKLM\\SOFTWARE\\Vendor\n"), "a key that is gone says all");
  t.false(back.stdout.includes("[Version]"), back.stdout);

  const json = JSON.parse((await s.wbuild("diff", "--json", "test.example/vendor:1")).stdout);
  t.deepEqual(
    json.map(({ layer }: { layer: number }) => layer),
    [2],
  );
  t.deepEqual(json[0].registry.at(-1), {
    kind: "added",
    key: "HKLM\\SOFTWARE\\Vendor",
    value: "Version",
    what: [],
    after: { type: "REG_SZ", data: "1.2" },
  });

  // A COPY above it changes nothing in the registry; the changes below it stay with their layer.
  await built(t, s, "FROM test.example/vendor:1\nCOPY a /a\n", { a: "a" });
  t.is((await s.wbuild("diff", "--layer", "3", "app")).stdout, "A C:\\a\n");
  const each = await s.wbuild("diff", "app");
  t.is((await s.wbuild("diff", "--each-layer", "app")).stdout, each.stdout);
  t.regex(each.stdout, /^layer 2 of 3\n[\s\S]*\[Version\][\s\S]*layer 3 of 3\nA C:\\a\n$/);
  const counts = await s.wbuild("history", "--format", "{{.CreatedBy}}|{{.RegistryChanges}}", "app");
  t.deepEqual(counts.stdout.trim().split("\n"), [
    "COPY a /a # buildkit|0",
    "RUN setup.exe # buildkit|5",
    "Apply image 10.0.20348.2700|",
  ]);
  t.regex((await s.wbuild("history", "app")).stdout, /SIZE +REGISTRY +COMMENT/);
});
