/** Files copied into Windows images, by the real program: what lands where, and what others find in it. */
import { join } from "node:path";
import test from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { naiveTar } from "../doubles/naive-tar.ts";
import { packedTar } from "../doubles/packed-tar.ts";
import { systemCreated, systemSecurity } from "../doubles/windows-base.ts";
import { savedImage } from "./layouts.ts";
import { at, built, clean, files, from, saved, windowsBaseScene } from "./windows-base-scene.ts";

const newFile = Buffer.from(
  "01000480140000002400000000000000300000000102000000000005200000002002000001010000000000051200000002004c0003000000" +
    "00001800ff011f000102000000000005200000002002000000001400ff011f00010100000000000512000000" +
    "00001800a9001200010200000000000520000000" +
    "21020000",
  "hex",
).toString("base64");

test("pushed, pulled into an empty store, and read by others: Windows' shape in every layer", async (t) => {
  await using registry = await startRegistry();
  const s = await windowsBaseScene(t, { features: ["win32k"] });
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
  const stored = await savedImage(s, name);
  for (const { mediaType } of stored.layers) t.regex(mediaType, /\+gzip$/);
  t.like(stored.platform, { os: "windows", "os.version": "10.0.20348.2700", "os.features": ["win32k"] });

  const [, ...own] = stored.layers.map(({ bytes }) => naiveTar(bytes));
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
  t.like(at(own[2], "Files/Windows")?.pax, system);
  t.like(at(own[2], "Files/Windows/System32")?.pax, system);
  t.like(at(own[2], "Files/Windows/System32/extra.dll")?.pax, {
    "MSWINDOWS.fileattr": "32",
    "MSWINDOWS.rawsd": newFile,
  });
  const changed = at(own[3], "Files/Program Files/Common Files/shared.dll");
  t.is(changed?.content.toString(), "new");
  t.like(changed?.pax, { ...system, "MSWINDOWS.fileattr": "33" }, "a file that changed in content only keeps the rest");

  const verified = await s.wbuild("inspect", "--verify", name);
  t.is(verified.code, 0, verified.stdout);

  // bsdtar, and so libarchive, reads the same names.
  await s.files("", { "layer.tar": stored.layers.at(-1)?.bytes ?? "" });
  t.deepEqual(
    (await s.tool("bsdtar", "-tf", "layer.tar")).trim().split("\n"),
    (own.at(-1) ?? []).map((entry) => entry.name),
  );
});

test("Linux and Windows stages copy from each other", async (t) => {
  const s = await windowsBaseScene(t, {
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
  t.deepEqual(files(layers[1]), ["Files", "Files/out", "Files/out/bin", "Files/out/bin/script.sh", "Files/out/secret"]);
  t.deepEqual(files(layers[2]), [
    "Files",
    "Files/back",
    "Files/back/Run.EXE",
    "Files/back/away -> \\Users",
    "Files/back/shortcut -> ..\\tool\\Run.EXE",
  ]);
  t.is(at(layers[2], "Files/back/away")?.pax["MSWINDOWS.fileattr"], "1040", "a link to a folder says so");
  const kept = at(layers[3], "Files/kept/Run.EXE");
  t.like(
    kept?.pax,
    { "MSWINDOWS.fileattr": "35", "MSWINDOWS.rawsd": systemSecurity },
    "within Windows nothing is lost",
  );
  t.is(at(layers[1], "Files/out/secret")?.pax["MSWINDOWS.rawsd"], newFile, "modes of Linux mean nothing here");
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
    const s = await windowsBaseScene(t);
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
  const s = await windowsBaseScene(t);
  const archive = await packedTar((tar) => {
    tar.entry({ name: "WINDOWS/", type: "directory" });
    tar.entry({ name: "WINDOWS/new/", type: "directory", mode: 0o700, uid: 1000 });
    tar.entry({ name: "WINDOWS/new/tool.exe", mode: 0o4755, uid: 1000 }, "MZ");
    tar.entry({ name: "WINDOWS/new/again.exe", type: "link", linkname: "WINDOWS/new/tool.exe" });
    tar.entry({ name: "WINDOWS/new/link", type: "symlink", linkname: "../../users" });
  });
  await built(t, s, `${from}ADD files.tar C:\\\n`, { "files.tar": archive });
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
