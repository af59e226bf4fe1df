import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { requireWine } from "../../../../../builder/runtime/wine/personality/find-wine.ts";
import {
  ensurePersonality,
  type Personality,
  profileFolder,
} from "../../../../../builder/runtime/wine/personality/personality.ts";
import { pruneWine } from "../../../../../builder/runtime/wine/personality/prune.ts";
import { startSandbox } from "../../../../../native/core/sandbox.ts";
import { noWine, withWine } from "../../../../doubles/wine.ts";

/** One for all tests of this file that only look at it. */
const shared = mkdtempSync(join(tmpdir(), "wbuild-personality-"));
let made: Promise<Personality>;
test.before(() => {
  if (noWine === undefined) made = ensurePersonality(shared);
});
test.after.always(() => rmSync(shared, { recursive: true, force: true }));

interface Session {
  readonly printed: string;
  readonly result: string;
  readonly texts: Readonly<Record<string, string>>;
  /** What was written to C: */
  readonly changed: readonly string[];
}

/** Runs a command line as a step does, on an image without files. */
async function session(
  t: ExecutionContext,
  personality: Personality,
  commandLine: string,
  edit: (text: string) => string = (text) => text,
): Promise<Session> {
  const scratch = mkdtempSync(join(tmpdir(), "wbuild-personality-"));
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
  const [upper, work, profile, prefix] = ["upper", "work", "profile", "prefix"].map((name) => {
    mkdirSync(join(scratch, name));
    return join(scratch, name);
  }) as [string, string, string, string];
  profileFolder(profile, "ContainerAdministrator");
  const names = ["system", "user", "userdef"] as const;
  for (const name of names) {
    writeFileSync(join(prefix, `${name}.reg`), edit(readFileSync(personality.registry[name], "latin1")), "latin1");
  }
  execFileSync("ln", ["-s", "/Files", join(scratch, "c:")]);
  mkdirSync(join(prefix, "dosdevices"));
  cpSync(join(scratch, "c:"), join(prefix, "dosdevices/c:"), { verbatimSymlinks: true });
  writeFileSync(join(prefix, ".update-timestamp"), "disable\n");
  for (const [name, text] of Object.entries({ command: commandLine, cwd: "C:\\", env: "" })) {
    writeFileSync(join(prefix, name), Buffer.from(text, "utf16le"));
  }
  writeFileSync(join(prefix, "journal"), "");
  const passwd = join(scratch, "passwd");
  writeFileSync(passwd, "ContainerAdministrator:x:0:0::/Files/Users/ContainerAdministrator:/\n");
  const { mounts, env, argv, root } = personality;
  const running = await startSandbox(
    {
      root: { lower: [profile, root], upper, work },
      mounts: [
        ...mounts,
        { kind: "bind", source: prefix, target: "/wine", readonly: false },
        { kind: "bind", source: passwd, target: "/etc/passwd", readonly: true },
      ],
      process: {
        ...{ argv, env, cwd: "/Files", uid: 0, gid: 0, groups: [] },
        ...{ tty: false, stdin: "null", output: "pipe" },
      },
      ...{ hostname: "wbuild", network: "none", extraHosts: [], security: "default" },
      limits: { shmBytes: 64 << 20, ulimits: {} },
    },
    () => undefined,
  );
  await using _ = running;
  let printed = "";
  for await (const { bytes } of running.output) printed += Buffer.from(bytes).toString("utf8");
  await running.exited;
  return {
    printed: printed.replaceAll("\r", ""),
    result: readFileSync(join(prefix, "result"), "utf8").trim(),
    texts: Object.fromEntries(names.map((name) => [name, readFileSync(join(prefix, `${name}.reg`), "latin1")])),
    changed: readdirSync(upper, { recursive: true }).map(String).sort(),
  };
}

withWine("nobody removes a personality while a process uses it", async (t) => {
  const { root } = await made;
  t.deepEqual(await pruneWine(shared, { all: false, dryRun: false, wine: undefined }), []);
  t.true(existsSync(root));
});

withWine("a program runs, and leaves nothing behind in C:", async (t) => {
  const { printed, result, changed } = await session(t, await made, 'cmd /c echo "a b" c');
  t.is(printed, '"a b" c\n');
  t.is(result, '{"exit":0}');
  t.deepEqual(
    changed.filter((path) => /^Files\/(?!Users)/.test(path)),
    [],
  );
});

withWine("C: is spelled as Windows spells it, and each name is there once without case", async (t) => {
  const files = join((await made).root, "Files");
  t.deepEqual(readdirSync(files).sort(), ["Program Files", "Program Files (x86)", "ProgramData", "Users", "Windows"]);
  for (const path of [
    ...["Windows/System32/kernel32.dll", "Windows/System32/drivers/etc/hosts", "Windows/Temp", "Windows/SysWOW64"],
    ...["Users/Public/Documents", "Program Files/Common Files", "ProgramData/Microsoft/Windows"],
  ]) {
    t.true(existsSync(join(files, path)), path);
  }
  const seen = new Map<string, string>();
  for (const path of readdirSync(files, { recursive: true }).map(String)) {
    t.is(seen.get(path.toLowerCase()), undefined, path);
    seen.set(path.toLowerCase(), path);
  }
});

withWine("nothing of the host is in it but links to Wine's own files", async (t) => {
  const wine = requireWine();
  const { root, registry } = await made;
  for (const entry of readdirSync(join(root, "Files"), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    t.false(lstatSync(path).isCharacterDevice(), path);
    if (!entry.isSymbolicLink()) continue;
    const target = execFileSync("readlink", [path], { encoding: "utf8" }).trim();
    t.true(target.startsWith(wine.windows) || target.startsWith(wine.data), `${path} → ${target}`);
  }
  const texts = Object.values(registry).map((path) => readFileSync(path, "latin1"));
  const { username, homedir } = userInfo();
  for (const text of texts) {
    t.false(/"[Zz]:\\\\/.test(text), "a path on z:");
    t.false(
      text.includes(`\\\\users\\\\${username}\\\\`) || text.includes(`"USERNAME"="${username}"`),
      "the host's user",
    );
    t.false(text.includes(homedir.replaceAll("/", "\\\\")), "the host's home folder");
    t.false(hostname().length > 3 && text.toUpperCase().includes(`"${hostname().toUpperCase()}"`), "the host's name");
    t.false(/C:\\\\(windows|users)\b/.test(text), "a folder as Wine spells it");
  }
});

withWine("another start and stop changes nothing in the registry but times", async (t) => {
  const personality = await made;
  const after = await session(t, personality, "cmd /c exit 0");
  const sections = (text: string) => {
    const found = new Map<string, string>();
    for (const section of text.split("\n\n")) {
      const [head = "", ...lines] = section.split("\n");
      found.set(head.replace(/ \d+$/, ""), lines.filter((line) => !line.startsWith("#time=")).join("\n"));
    }
    return found;
  };
  const changed: string[] = [];
  for (const name of ["system", "user", "userdef"] as const) {
    const [one, two] = [
      sections(readFileSync(personality.registry[name], "latin1")),
      sections(after.texts[name] ?? ""),
    ];
    for (const key of new Set([...one.keys(), ...two.keys()])) {
      if (one.get(key)?.trim() !== two.get(key)?.trim()) changed.push(`${name}: ${key}`);
    }
  }
  t.deepEqual(changed, []);
});

const versionKey = /(\[Software\\\\Microsoft\\\\Windows NT\\\\CurrentVersion\] \d+\n(?:#.*\n)*)/;

withWine("ver and the registry say the version that the session is given", async (t) => {
  const edit = (text: string) =>
    text
      .replace(/^"CurrentBuild(Number)?"=.*\n/gm, "")
      .replace(versionKey, '$1"CurrentBuild"="26100"\n"CurrentBuildNumber"="26100"\n');
  const shell = await session(t, await made, "cmd /c ver", edit);
  t.is(shell.result, '{"exit":0}', shell.printed);
  t.regex(shell.printed, /10\.0\.26100/);
});

withWine("powershell where there is none fails loudly", async (t) => {
  const personality = await made;
  const shell = await session(t, personality, "powershell -Command 1");
  t.not(shell.result, '{"exit":0}');
  t.regex(shell.printed, /wbuild tools add powershell/);
});

withWine("it is made once, also when several ask; what a killed maker left is cleared away", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "wbuild-personality-"));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(join(home, "wine/making-1/root/Files"), { recursive: true });
  const told: string[] = [];
  const warn = (text: string) => told.push(text);
  const all = await Promise.all([1, 2, 3].map(() => ensurePersonality(home, { warn })));
  t.is(told.length, 1);
  t.is(new Set(all.map(({ root }) => root)).size, 1);
  t.deepEqual(
    readdirSync(join(home, "wine")).filter((name) => name.startsWith("making-")),
    [],
  );
  const before = statSync(all[0]?.root ?? "").ctimeMs;
  await ensurePersonality(home, { warn });
  t.is(statSync(all[0]?.root ?? "").ctimeMs, before);
  t.is(told.length, 1);

  // Of everything that Wine does in the background while it is set up, nothing is left to chance.
  const one = (await made).registry;
  for (const name of ["system", "user", "userdef"] as const) {
    const texts = [one, all[0]?.registry].map((registry) =>
      withoutChance(readFileSync(registry?.[name] ?? "", "latin1")),
    );
    t.deepEqual(texts[0], texts[1], name);
  }
});

/** The lines of a registry without times and what is drawn by lot. */
function withoutChance(text: string): string[] {
  const lines = text.replace(/^(\[.*\]) \d+$/gm, "$1").split("\n");
  return lines.filter((line) => !/^(#time=|"(MachineGuid|VideoID|DriverDateData)"=)/.test(line));
}

withWine("other programs of ours make another personality", async (t) => {
  const { root } = await made;
  const failing = ensurePersonality(shared, {
    programs: [
      { name: "run.exe", bytes: Buffer.from("no program") },
      { name: "session", bytes: Buffer.from("no program") },
      { name: "wineboot.exe", bytes: Buffer.from("no program") },
    ],
  });
  await t.throwsAsync(failing, { name: "WbuildError" });
  t.true(existsSync(root), "the other one is untouched");
  t.deepEqual(
    readdirSync(join(shared, "wine")).filter((name) => name.startsWith("making-")),
    [],
  );
});

test("a profile's folders", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-personality-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  t.is(profileFolder(folder, "ContainerUser"), folder);
  t.true(lstatSync(join(folder, "Files/Users/ContainerUser/AppData/Local/Temp")).isDirectory());
  t.true(lstatSync(join(folder, "Files/Users/ContainerUser/Desktop")).isDirectory());
});
