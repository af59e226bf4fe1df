/** A store with the offline base, a folder for contexts, and the real program: what every end-to-end test starts from. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { ExecutionContext } from "ava";
import { type CliOptions, type CliResult, runCli } from "../doubles/cli.ts";
import { asUser, type Ids, uid } from "../doubles/ordinary-user.ts";

const execute = promisify(execFile);

export interface Scene {
  readonly folder: string;
  readonly env: { readonly WBUILD_HOME: string; readonly DOCKER_CONFIG: string; readonly LC_ALL: string };
  /** Writes files below the folder: name → content. Gives the path of the sub-folder. */
  files(name: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string>;
  wbuild(...args: string[]): Promise<CliResult>;
  wbuildWith(options: CliOptions, ...args: string[]): Promise<CliResult>;
  /** Builds with plain progress and without network; fails the test when the exit code is another. */
  build(context: string, ...flags: string[]): Promise<BuildOutcome>;
  /** Standard output of a run; fails the test when the exit code is not 0. */
  run(...args: string[]): Promise<string>;
  tool(program: string, ...args: string[]): Promise<string>;
}

export interface BuildOutcome extends CliResult {
  /** In order of their numbers: "[2/3] RUN make" → what became of it, the first word: CACHED, DONE, ERROR, CANCELED. */
  readonly steps: ReadonlyMap<string, string>;
}

export interface SceneOptions {
  /** The base image that the store begins with; usual: linux. false leaves the store empty. */
  readonly base?: "linux" | "windows" | false;
  /** Commands are run by an ordinary user, whose folder it is, too (ordinary-user.ts); usual: by whoever runs the tests. */
  readonly user?: Ids;
  /** How every command is run. */
  readonly with?: Pick<CliOptions, "env" | "prefix">;
}

/** A windows scene shares Wine's personality with all others: it is made once, in the tests' scratch folder. */
export async function scene(t: ExecutionContext, options: SceneOptions = {}): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-e2e-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const { base = "linux", user } = options;
  const env = {
    ...{ WBUILD_HOME: join(folder, "home"), DOCKER_CONFIG: join(folder, "docker"), LC_ALL: "C.UTF-8" },
    ...(user === undefined ? {} : { HOME: folder, TMPDIR: folder }),
  };
  const prefix = [...(options.with?.prefix ?? []), ...(user === undefined ? [] : asUser(user))];
  const wbuildWith: Scene["wbuildWith"] = (more, ...args) =>
    runCli(args, { prefix, ...more, env: { ...env, ...options.with?.env, ...more.env }, cwd: more.cwd ?? folder });
  const own = async (path: string) => {
    if (user !== undefined) await execute("chown", ["-Rh", `${uid}:${uid}`, path]);
  };
  await own(folder);
  const it: Scene = {
    folder,
    env,
    async files(name, files) {
      const top = join(folder, name);
      await mkdir(top, { recursive: true });
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(top, path)), { recursive: true });
        await writeFile(join(top, path), content);
      }
      await own(top);
      return top;
    },
    wbuild: (...args) => wbuildWith({}, ...args),
    wbuildWith,
    async build(context, ...flags) {
      const result = await wbuildWith({}, "build", "--progress", "plain", "--network", "none", ...flags, context);
      return { ...result, steps: stepsOf(result.stderr) };
    },
    async run(...args) {
      const result = await wbuildWith({}, "run", "--network", "none", ...args);
      t.is(result.code, 0, `wbuild run ${args.join(" ")}: ${result.stderr}`);
      return result.stdout;
    },
    tool: async (program, ...args) => (await execute(program, args, { cwd: folder, maxBuffer: 64 << 20 })).stdout,
  };
  if (base === "windows") {
    const shared = join(tmpdir(), `wbuild-shared-wine${user === undefined ? "" : `-${uid}`}`);
    await mkdir(join(shared, "wine"), { recursive: true });
    await mkdir(env.WBUILD_HOME);
    await symlink(join(shared, "wine"), join(env.WBUILD_HOME, "wine"));
    // Not what is in it: another test's commands may be at work there.
    if (user !== undefined) await chown(join(shared, "wine"), uid, uid);
    await own(env.WBUILD_HOME);
  }
  if (base !== false) {
    const made = await it.wbuild("base", base);
    t.is(made.code, 0, made.stderr);
  }
  return it;
}

/** Why Windows steps cannot be tried here; undefined where they can. */
export function noWindows(): string | undefined {
  return existsSync("/usr/lib/wine/wine64") ? undefined : "this host has no wine64";
}

/** Reads plain progress. */
export function stepsOf(progress: string): Map<string, string> {
  const titles = new Map<string, string>();
  const outcomes = new Map<string, string>();
  for (const line of progress.split("\n")) {
    const [, number = "", rest = ""] = /^#(\d+) (.*)$/.exec(line) ?? [];
    if (number === "") continue;
    const title = titles.get(number);
    if (title === undefined) {
      titles.set(number, rest);
      continue;
    }
    const outcome = /^(CACHED|DONE|ERROR|CANCELED)\b/.exec(rest)?.[1];
    if (outcome) outcomes.set(title, outcome);
  }
  return outcomes;
}

/** The outcomes of the steps whose title has this instruction: `outcome(built, "RUN make")`. */
export function outcome(built: BuildOutcome, instruction: string): string | undefined {
  for (const [title, result] of built.steps) if (title.includes(instruction)) return result;
  return undefined;
}
