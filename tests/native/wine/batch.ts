/** Many command lines in one container with a personality, each with an output and exit code of its own. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ExecutionContext } from "ava";
import { type Personality, profileFolder } from "../../../builder/runtime/wine/personality/personality.ts";
import { startSandbox } from "../../../native/core/sandbox.ts";

export interface Row {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Batch {
  /** In the order of the lines. */
  readonly rows: readonly Row[];
  /** What a file that they made holds, undefined when they made none of that name. */
  file(path: string): string | undefined;
  /** Wine's registry text after them. */
  registry(name: "system" | "user"): string;
}

const account = "ContainerAdministrator";

/**
 * Each line is a batch file of its own, run by a cmd of its own in C:\work, which has `files`; standard input is NUL.
 * A line after which nothing ran any more has exit -1.
 */
export async function runBatch(
  t: Pick<ExecutionContext, "teardown">,
  personality: Personality,
  lines: readonly string[],
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<Batch> {
  const scratch = mkdtempSync(join(tmpdir(), "wbuild-batch-"));
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
  const disk = join(scratch, "upper/Files");
  for (const name of ["upper/Files/rows", "upper/Files/work", "work", "profile", "prefix/dosdevices"]) {
    mkdirSync(join(scratch, name), { recursive: true });
  }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(disk, "work", path)), { recursive: true });
    writeFileSync(join(disk, "work", path), content);
  }
  const calls = lines.map((line, index) => {
    const row = `C:\\rows\\${index}`;
    writeFileSync(join(disk, `rows/${index}.cmd`), `@echo off\r\n${line.replaceAll("\n", "\r\n")}\r\n`);
    return `cmd /c ${row}.cmd <NUL >${row}.out 2>${row}.err\r\n>${row}.exit echo %errorlevel%\r\n`;
  });
  writeFileSync(join(disk, "rows/all.cmd"), `@echo off\r\n${calls.join("")}exit 0\r\n`);
  await runStep(personality, scratch, "cmd /c C:\\rows\\all.cmd");
  const file = (path: string) => {
    const place = join(disk, path.replace(/^C:\\/i, "").replaceAll("\\", "/"));
    return existsSync(place) ? readFileSync(place, "utf8").replaceAll("\r", "") : undefined;
  };
  const rows = lines.map((_, index) => ({
    exit: Number(file(`rows/${index}.exit`) || "-1"),
    stdout: file(`rows/${index}.out`) ?? "",
    stderr: file(`rows/${index}.err`) ?? "",
  }));
  return { rows, file, registry: (name) => readFileSync(join(scratch, `prefix/${name}.reg`), "latin1") };
}

async function runStep(personality: Personality, scratch: string, command: string): Promise<void> {
  const prefix = join(scratch, "prefix");
  for (const name of ["system", "user", "userdef"] as const) {
    writeFileSync(join(prefix, `${name}.reg`), readFileSync(personality.registry[name]));
  }
  symlinkSync("/Files", join(prefix, "dosdevices/c:"));
  writeFileSync(join(prefix, ".update-timestamp"), "disable\n");
  for (const [name, text] of Object.entries({ command, cwd: "C:\\work", env: "", journal: "" })) {
    writeFileSync(join(prefix, name), Buffer.from(text, "utf16le"));
  }
  writeFileSync(join(scratch, "passwd"), `${account}:x:0:0::/Files/Users/${account}:/\n`);
  const { mounts, env, argv, root } = personality;
  await using running = await startSandbox(
    {
      root: {
        lower: [profileFolder(join(scratch, "profile"), account), root],
        upper: join(scratch, "upper"),
        work: join(scratch, "work"),
      },
      mounts: [
        ...mounts,
        { kind: "bind", source: prefix, target: "/wine", readonly: false },
        { kind: "bind", source: join(scratch, "passwd"), target: "/etc/passwd", readonly: true },
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
  for await (const { bytes } of running.output) {
    void bytes;
  }
  await running.exited;
}
