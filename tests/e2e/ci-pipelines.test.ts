/**
 * The pipelines of docs/ci, script by script as they are written there: run by an ordinary user, against a registry that wants a
 * password. Each runs twice, the second time on an empty machine.
 */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import {
  githubOutputs,
  githubScripts,
  gitlabScripts,
  jenkinsScripts,
  type Script,
  tektonScripts,
  type Variables,
} from "../doubles/ci-systems.ts";
import { bundled, program, top } from "../doubles/cli.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { startGha } from "../doubles/gha-cache.ts";
import { asUser, noUser, uid } from "../doubles/ordinary-user.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { noWindows, scene, stepsOf } from "./scene.ts";

const execute = promisify(execFile);

const account = { username: "ci", password: "pass-word-of-the-registry" };
const licence = "licence-that-nobody-sees";
const sha = "0123456789abcdef0123456789abcdef01234567";

/** Why they cannot be run here; undefined where they can. */
function reason(): string | undefined {
  if (spawnSync("curl", ["--version"]).status !== 0) return "this host has no curl";
  return noUser() ?? noWindows();
}

const why = reason();
const pipeline = testUnless(why, test.serial);

interface Ci {
  readonly host: string;
  /** Name of the image, without a tag. */
  readonly image: string;
  /** What every system is told: bases and where wbuild is. */
  readonly env: Variables;
  /** A new machine: an empty home, and the example as its checkout. */
  machine(name: string): { readonly home: string; readonly checkout: string };
  /** Runs them in order; all that they said. */
  run(machine: { home: string; checkout: string }, scripts: readonly Script[], env: Variables): Promise<string>;
  skopeo(...args: string[]): Promise<string>;
  /** What a command prints in the Windows image of a tag. */
  inWindows(tag: string, command: string): Promise<string>;
}

/** A registry with the bases in it, and wbuild's package as `npm pack` makes it. */
async function ciOf(t: ExecutionContext): Promise<Ci> {
  // Each first machine makes Wine's personality anew.
  t.timeout(600_000);
  await bundled();
  const registry = await startRegistry({ auth: account });
  t.teardown(() => registry.close());
  const s = await scene(t, { base: "windows" });
  const { host } = registry;
  const login = ["login", "-u", account.username, "--password-stdin", host];
  t.is((await s.wbuildWith({ input: account.password }, ...login)).code, 0);
  t.is((await s.wbuild("base", "linux")).code, 0);
  for (const [from, to] of [
    ["wbuild.local/linux", `${host}/bases/linux:1`],
    ["wbuild.local/windows", `${host}/bases/windows:1`],
  ] as const) {
    t.is((await s.wbuild("tag", from, to)).code, 0);
    const pushed = await s.wbuild("push", to);
    t.is(pushed.code, 0, pushed.stderr);
  }
  const packed = execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", s.folder], {
    cwd: top,
  });
  const runners = join(s.folder, "runners");
  mkdirSync(runners);
  const own = (path: string) => execFileSync("chown", ["-R", `${uid}:${uid}`, path]);
  chmodSync(s.folder, 0o755);
  return {
    host,
    image: `${host}/team/app`,
    env: {
      WBUILD_PACKAGE: `file://${join(s.folder, packed.toString().trim())}`,
      LINUX_BASE: `${host}/bases/linux:1`,
      WINDOWS_BASE: `${host}/bases/windows:1`,
      CI: "true",
    },
    machine(name) {
      const home = join(runners, name);
      const checkout = join(home, "checkout");
      mkdirSync(home);
      cpSync(join(top, "docs/ci/example"), checkout, { recursive: true });
      own(runners);
      return { home, checkout };
    },
    async run({ home, checkout }, scripts, env) {
      let log = "";
      for (const { name, shell, text, env: more } of scripts) {
        const path = `${dirname(process.execPath)}:${process.env.PATH}`;
        const [command = "", ...rest] = [...asUser(), ...shell, text];
        const ran = await execute(command, rest, {
          cwd: checkout,
          env: { PATH: path, HOME: home, TMPDIR: home, LC_ALL: "C.UTF-8", ...env, ...more() },
        }).catch((error: { code: number; stdout: string; stderr: string }) => error);
        t.is("code" in ran ? ran.code : 0, 0, `${name}\n${ran.stdout}${ran.stderr}`);
        log += ran.stdout + ran.stderr;
        // What lies in the checkout is the context of the builds: `COPY . .` would put it into an image.
        const login = Buffer.from(`${account.username}:${account.password}`).toString("base64");
        const flags = ["-rlF", "--exclude-dir=.wbuild", "-e", login, "-e", account.password];
        t.is(spawnSync("grep", [...flags, checkout]).stdout.toString(), "", `${name}: a password in the checkout`);
      }
      return log;
    },
    async skopeo(command = "", ...args) {
      const credentials = `${account.username}:${account.password}`;
      return (await execute("skopeo", [command, "--tls-verify=false", "--creds", credentials, ...args])).stdout;
    },
    inWindows: (tag, command) => s.run("--platform", "windows/amd64", `${host}/team/app:${tag}`, "cmd", "/c", command),
  };
}

/** What became of every step of a log, also of one with folds. */
function outcomes(log: string): [string, string][] {
  const plain = log.replaceAll("::group::", "").replaceAll("\x1b[0K", "").replace(/^.*\r/gm, "");
  // Several builds are in it, and each counts its steps anew.
  return plain
    .split(/^(?=image sha256:)/m)
    .flatMap((build) => [...stepsOf(build)])
    .filter(([title]) => /RUN|COPY|WORKDIR/.test(title));
}

/** Of two runs: both made the image for both systems, the second without carrying anything out, and neither told a secret. */
async function compare(t: ExecutionContext, ci: Ci, tag: string, logs: readonly [string, string]): Promise<void> {
  const raw = JSON.parse(await ci.skopeo("inspect", "--raw", `docker://${ci.image}:${tag}`)) as {
    manifests: { platform: { os: string; "os.version"?: string } }[];
  };
  const systems = raw.manifests.map(({ platform }) => platform.os).filter((os) => os !== "unknown");
  t.deepEqual(systems, ["linux", "windows"]);
  const [first, second] = logs.map(outcomes) as [[string, string][], [string, string][]];
  t.true(first.filter(([, how]) => how === "DONE").length >= 4, logs[0]);
  t.true(
    first.some(([title, how]) => title.includes("RUN reg add") && how === "DONE"),
    logs[0],
  );
  t.regex(
    await ci.inWindows(tag, "type C:\\app\\loud.txt & reg query HKLM\\Software\\Example"),
    /^HELLO, PIPELINE[\s\S]*Greeting/,
  );
  t.true(second.length >= 6, logs[1]);
  t.deepEqual(
    second.filter(([, how]) => how !== "CACHED"),
    [],
    logs[1],
  );
  for (const log of logs)
    for (const secret of [account.password, licence, Buffer.from(account.password).toString("base64")])
      t.false(log.includes(secret));
  t.true(logs[0].includes("HELLO, PIPELINE"), "its tests ran");
}

async function digestOf(ci: Ci, tag: string): Promise<string> {
  return `sha256:${createHash("sha256")
    .update(await ci.skopeo("inspect", "--raw", `docker://${ci.image}:${tag}`))
    .digest("hex")}`;
}

pipeline("GitLab CI", async (t) => {
  const ci = await ciOf(t);
  const once = async (name: string) => {
    const machine = ci.machine(name);
    const env = {
      ...ci.env,
      GITLAB_CI: "true",
      CI_PROJECT_DIR: machine.checkout,
      CI_REGISTRY: ci.host,
      CI_REGISTRY_IMAGE: ci.image,
      CI_REGISTRY_USER: account.username,
      CI_REGISTRY_PASSWORD: account.password,
      CI_COMMIT_SHA: sha,
      CI_COMMIT_REF_SLUG: "main",
      LICENCE: licence,
    };
    const log = await ci.run(machine, gitlabScripts("docs/ci/gitlab-ci.yml", machine.checkout, env), env);
    t.true(log.includes(`deploying ${ci.image}@${await digestOf(ci, sha)}`));
    t.false(existsSync(`${machine.checkout}.tmp/docker`), "no password stays on the runner");
    t.regex(log, /section_start:/);
    return log;
  };
  await compare(t, ci, "main", [await once("one"), await once("two")]);
  const config = JSON.parse(
    await ci.skopeo("inspect", "--config", "--override-os", "linux", `docker://${ci.image}:${sha}`),
  );
  t.is(config.config.Labels["org.opencontainers.image.revision"], sha);
});

pipeline("Jenkins", async (t) => {
  const ci = await ciOf(t);
  const once = async (name: string) => {
    const machine = ci.machine(name);
    const env = { ...ci.env, WORKSPACE: machine.checkout, WORKSPACE_TMP: `${machine.checkout}@tmp`, GIT_COMMIT: sha };
    const path = `${dirname(process.execPath)}:${process.env.PATH}`;
    const { WBUILD_PACKAGE = "" } = ci.env;
    const credentials = { REGISTRY_USER: account.username, REGISTRY_PASSWORD: account.password, LICENCE: licence };
    const given = { WBUILD_PACKAGE, REGISTRY: ci.host, IMAGE: ci.image, ...credentials };
    const scripts = jenkinsScripts("docs/ci/Jenkinsfile", { ...env, HOME: machine.home, PATH: path }, given);
    const log = await ci.run(machine, scripts, env);
    t.true(log.includes(`deploying ${ci.image}@${await digestOf(ci, sha)}`));
    t.false(existsSync(`${machine.checkout}@tmp/docker`), "no password stays on the agent");
    return log;
  };
  await compare(t, ci, sha, [await once("one"), await once("two")]);
});

pipeline("Tekton", async (t) => {
  const ci = await ciOf(t);
  const once = async (name: string) => {
    const machine = ci.machine(name);
    const at = (path: string, content: string) => {
      mkdirSync(dirname(join(machine.home, path)), { recursive: true });
      writeFileSync(join(machine.home, path), content);
      return join(machine.home, path);
    };
    at("registry/password", account.password);
    at("secrets/licence", licence);
    const { scripts, securityContext } = tektonScripts("docs/ci/tekton.yaml", {
      "params.package": ci.env.WBUILD_PACKAGE ?? "",
      "params.registry": ci.host,
      "params.image": ci.image,
      "params.tag": "v1",
      "params.linux-base": ci.env.LINUX_BASE ?? "",
      "params.windows-base": ci.env.WINDOWS_BASE ?? "",
      "workspaces.source.path": machine.checkout,
      "workspaces.registry.path": dirname(at("registry/user", account.username)),
      "workspaces.secrets.path": join(machine.home, "secrets"),
      "results.digest.path": join(machine.home, "digest"),
      "volumes.home": join(machine.home, "home"),
    });
    t.false(JSON.stringify(securityContext).includes("privileged"));
    const log = await ci.run(machine, scripts, {});
    t.is(readFileSync(join(machine.home, "digest"), "utf8"), await digestOf(ci, "v1"));
    return log;
  };
  await compare(t, ci, "v1", [await once("one"), await once("two")]);
});

test("GitHub Actions: names are in small letters, and a pull request writes no cache that builds of main read", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-ci-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [event, written] of [
    ["push", "IMAGE=ghcr.io/team/app\nCACHE_TO=type=registry,ref=ghcr.io/team/app:cache,mode=max\n"],
    ["pull_request", "IMAGE=ghcr.io/team/app\n"],
  ] as const) {
    const values = { "github.event_name": event, "github.sha": sha, "secrets.GITHUB_TOKEN": "", "secrets.LICENCE": "" };
    const envFile = join(folder, event);
    const at = (id: string) => join(folder, `output-${id}`);
    const scripts = githubScripts("docs/ci/github.yml", values, () => ({}), at, envFile);
    const [{ shell, text, env }] = scripts.filter(({ name }) => name === "Name the image") as [Script];
    const given = { PATH: process.env.PATH, GITHUB_REPOSITORY: "Team/App", GITHUB_EVENT_NAME: event };
    const [command = "", ...rest] = shell;
    t.is(spawnSync(command, [...rest, text], { env: { ...given, ...env() } }).status, 0);
    t.is(readFileSync(envFile, "utf8"), written);
    const pushes = scripts.filter((script) => script.env().INPUT_PUSH === "true");
    t.is(pushes.length, event === "push" ? 1 : 0);
    const toRegistry = scripts.filter((script) => script.env().INPUT_CACHE_TO?.includes("type=registry"));
    t.is(toRegistry.length, event === "push" ? 1 : 0);
  }
});

pipeline("GitHub Actions, with our actions", async (t) => {
  const ci = await ciOf(t);
  const gha = await startGha();
  t.teardown(() => gha[Symbol.asyncDispose]());
  // On the PATH, as the setup action leaves it.
  const path = `${dirname(program)}:${dirname(process.execPath)}:${process.env.PATH}`;
  const once = async (name: string) => {
    const machine = ci.machine(name);
    const outputFile = (id: string) => join(machine.home, `output-${id}`);
    const summary = join(machine.home, "summary");
    const env = {
      ...ci.env,
      PATH: path,
      GITHUB_ACTIONS: "true",
      GITHUB_WORKSPACE: machine.checkout,
      GITHUB_ACTOR: account.username,
      GITHUB_SHA: sha,
      GITHUB_REPOSITORY: "Team/App",
      GITHUB_EVENT_NAME: "push",
      GITHUB_STEP_SUMMARY: summary,
      RUNNER_TEMP: machine.home,
      ACTIONS_CACHE_URL: gha.url,
      ACTIONS_RUNTIME_TOKEN: gha.token,
    };
    const values = {
      "github.event_name": "push",
      "github.sha": sha,
      "secrets.GITHUB_TOKEN": account.password,
      "secrets.LICENCE": licence,
    };
    const outputs = (id: string) => githubOutputs(outputFile(id));
    // The registry of the workflow is GitHub's: ours stands in its place.
    const envFile = join(machine.home, "env");
    const scripts = githubScripts("docs/ci/github.yml", values, outputs, outputFile, envFile).map((script) => ({
      ...script,
      env: () =>
        Object.fromEntries(
          Object.entries(script.env()).map(([key, value]) => [key, value.replaceAll("ghcr.io", ci.host)]),
        ),
    }));
    const log = await ci.run(machine, scripts, env);
    const { digest = "", imageid = "", metadata = "" } = outputs("image");
    t.is(digest, await digestOf(ci, sha));
    t.is(imageid, digest);
    t.is(JSON.parse(metadata)["containerimage.digest"], digest);
    t.is(readFileSync(summary, "utf8"), `\`${ci.image}@${digest}\`\n`);
    t.regex(log, /^::group::/m);
    t.false(log.includes(gha.token));
    return log;
  };
  await compare(t, ci, "main", [await once("one"), await once("two")]);
});
