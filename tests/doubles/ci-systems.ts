/**
 * Pipelines as the systems that they are for would run them, in small: a file of docs/ci → shell scripts in order, with the
 * variables of each. Only what our pipelines use is understood; anything else throws, so that nothing is passed over.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { top } from "./cli.ts";

export type Variables = Readonly<Record<string, string>>;

export interface Script {
  readonly name: string;
  /** The interpreter, and the flags that the system gives it. */
  readonly shell: readonly string[];
  readonly text: string;
  /** Beside those of the job. Asked for when the script's turn has come: earlier ones may have decided about them. */
  env(): Variables;
}

const read = (path: string) => readFileSync(join(top, path), "utf8");
const bash = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c"];

interface GitlabJob {
  readonly stage?: string;
  readonly script?: readonly string[];
  readonly artifacts?: { readonly reports?: { readonly dotenv?: string } };
}

/** GitLab: each job's before_script and script as one shell, its after_script as another; dotenv reports reach later jobs. */
export function gitlabScripts(file: string, folder: string, env: Variables): Script[] {
  const {
    stages,
    variables,
    default: usual,
    ...jobs
  } = parse(read(file)) as {
    stages: string[];
    variables: Record<string, string>;
    default: { before_script: string[]; after_script: string[] };
  } & Record<string, GitlabJob>;
  const expanded: Record<string, string> = {};
  const values = () => ({ ...env, ...expanded });
  for (const [name, value] of Object.entries(variables))
    expanded[name] = value.replace(/\$(\w+)/g, (_, other: string) => values()[other] ?? "");
  const dotenv = () =>
    Object.values(jobs as Record<string, GitlabJob>).flatMap(({ artifacts }) => {
      const path = join(folder, artifacts?.reports?.dotenv ?? "");
      if (!artifacts?.reports?.dotenv || !existsSync(path)) return [];
      return readFileSync(path, "utf8")
        .trim()
        .split("\n")
        .map((line) => line.split("=") as [string, string]);
    });
  const all = () => ({ ...expanded, ...Object.fromEntries(dotenv()) });
  return stages.flatMap((stage) =>
    Object.entries(jobs as Record<string, GitlabJob>)
      .filter(([, job]) => job.stage === stage)
      .flatMap(([name, { script = [] }]) => [
        { name, shell: bash, text: [...usual.before_script, ...script].join("\n"), env: all },
        { name: `${name}: after`, shell: bash, text: usual.after_script.join("\n"), env: all },
      ]),
  );
}

/** Jenkins: every `sh` of a declarative pipeline, in order, as Jenkins starts it. `given` stands for credentials and parameters. */
export function jenkinsScripts(file: string, env: Variables, given: Variables): Script[] {
  const text = read(file);
  const block = /environment \{\n([\s\S]*?)\n {2}\}/.exec(text)?.[1] ?? "";
  const variables: Record<string, string> = {};
  for (const [, name = "", single, double] of block.matchAll(/^ +(\w+) = (?:'([^']*)'|"([^"]*)")$/gm))
    variables[name] =
      single ?? (double ?? "").replace(/\$\{(\w+)\}/g, (_, other: string) => ({ ...env, ...variables })[other] ?? "");
  const scripts = [...text.matchAll(/\bsh '''([\s\S]*?)'''/g)].map(([, script = ""]) => script);
  if (scripts.length !== text.match(/\bsh\b/g)?.length) throw new Error("an sh step that was not understood");
  return scripts.map((script, i) => ({
    name: `sh ${i + 1}`,
    shell: ["sh", "-xe", "-c"],
    text: script,
    env: () => ({ ...variables, ...given }),
  }));
}

interface TektonTask {
  readonly spec: {
    readonly params: readonly { readonly name: string; readonly default?: string }[];
    readonly stepTemplate: {
      readonly workingDir: string;
      readonly env: readonly Named[];
      readonly securityContext: object;
      readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
    };
    readonly steps: readonly { readonly name: string; readonly env?: readonly Named[]; readonly script: string }[];
  };
}

interface Named {
  readonly name: string;
  readonly value: string;
}

/** Tekton: each step's script with what `values` puts in the place of `$(params.x)`, `$(workspaces.x.path)` and the like. */
export function tektonScripts(file: string, values: Variables): { scripts: Script[]; securityContext: object } {
  const { spec } = parse(read(file)) as TektonTask;
  const put = (text: string) =>
    text.replace(/\$\(([a-z-]+\.[a-z.-]+)\)/g, (_, name: string) => {
      const value = values[name] ?? spec.params.find((param) => `params.${param.name}` === name)?.default;
      if (value === undefined) throw new Error(`nobody gives $(${name})`);
      return value;
    });
  // A volume lies here where nobody mounts anything.
  const mounted = (text: string) =>
    spec.stepTemplate.volumeMounts.reduce((all, { name, mountPath }) => {
      const place = values[`volumes.${name}`];
      if (place === undefined) throw new Error(`nobody gives the volume ${name}`);
      return all.replaceAll(mountPath, place);
    }, text);
  const named = (list: readonly Named[]) =>
    Object.fromEntries(list.map(({ name, value }) => [name, mounted(put(value))]));
  const scripts = spec.steps.map(({ name, env = [], script }) => {
    if (!script.startsWith("#!/bin/sh\n")) throw new Error(`${name} is no script of sh`);
    return {
      name,
      shell: ["sh", "-c"],
      text: mounted(put(script)),
      env: () => named([...spec.stepTemplate.env, ...env]),
    };
  });
  return { scripts, securityContext: spec.stepTemplate.securityContext };
}

interface GithubStep {
  readonly id?: string;
  readonly name?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly shell?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, unknown>>;
}

/** Where an expression of GitHub's finds values: `github.sha`, `secrets.X`, `steps.ID.outputs.NAME`. */
type Lookup = (path: string) => string;

/**
 * GitHub Actions: the steps of a workflow's one job, those of our composite actions among them. `outputs` gives what a step has
 * written to the file for it so far; what is written to `envFile` are variables of all later steps.
 */
export function githubScripts(
  file: string,
  values: Variables,
  outputsOf: (id: string) => Variables,
  outputFile: (id: string) => string,
  envFile: string,
): Script[] {
  const { jobs, env = {} } = parse(read(file)) as {
    jobs: Record<string, { steps: GithubStep[] }>;
    env?: Record<string, string>;
  };
  const find: Lookup = (path) => {
    const [kind = "", name = "", , output = ""] = path.split(".");
    if (kind === "steps") return outputsOf(name)[output] ?? "";
    // One that nobody has set is an empty text.
    if (kind === "env") return global()[name] ?? "";
    const value = values[path];
    if (value === undefined) throw new Error(`nobody gives ${path}`);
    return value;
  };
  const global = () => ({ ...mapped(env, (value) => put(value, find)), ...githubOutputs(envFile) });
  return Object.values(jobs).flatMap(({ steps }) => steps.flatMap((step) => stepScripts(step, find, global)));

  function stepScripts(step: GithubStep, lookup: Lookup, outer: () => Variables): Script[] {
    const own = () => ({ ...outer(), ...mapped(step.env ?? {}, (value) => put(value, lookup)) });
    if (step.uses === undefined) {
      const id = step.id ?? "";
      const name = step.name ?? step.run?.trim().split("\n")[0] ?? "";
      const written = () => ({ ...own(), GITHUB_OUTPUT: outputFile(id), GITHUB_ENV: envFile });
      return [{ name, shell: bash, text: put(step.run ?? "", lookup), env: written }];
    }
    const ours = /^OWNER\/wbuild\/(\.github\/actions\/[a-z]+)@main$/.exec(step.uses)?.[1];
    if (ours === undefined || ours.endsWith("/setup")) {
      if (!/^actions\/(checkout|github-script)@v\d+$/.test(step.uses) && ours === undefined)
        throw new Error(`what is ${step.uses}?`);
      return [];
    }
    const action = parse(read(`${ours}/action.yml`)) as {
      inputs: Record<string, { default?: string }>;
      runs: { steps: GithubStep[] };
    };
    for (const name of Object.keys(step.with ?? {}))
      if (!Object.hasOwn(action.inputs, name)) throw new Error(`the action has no input ${name}`);
    const inner: Lookup = (path) => {
      if (path === "github.action_path") return join(top, ours);
      if (!path.startsWith("inputs.")) return lookup(path);
      const name = path.slice("inputs.".length);
      const given = step.with?.[name] ?? action.inputs[name]?.default;
      if (given === undefined) throw new Error(`${ours} has no ${path}`);
      return put(String(given), lookup);
    };
    // The action's own id is the caller's: its outputs are handed up under it.
    return action.runs.steps.flatMap((each) => {
      const named = each.run === undefined ? each : { ...each, ...(step.id === undefined ? {} : { id: step.id }) };
      return stepScripts({ ...named, name: step.name ?? ours }, inner, own);
    });
  }
}

function mapped(values: Variables, map: (value: string) => string): Variables {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]));
}

/** `${{ path }}`, and the one comparison that we use. */
function put(text: string, find: Lookup): string {
  return text.replace(/\$\{\{ (.*?) \}\}/g, (_, expression: string) => {
    const [, path, other] = /^([\w.-]+) != '([^']*)'$/.exec(expression) ?? [];
    if (path !== undefined) return String(find(path) !== other);
    if (!/^[\w.-]+$/.test(expression)) throw new Error(`not understood: ${expression}`);
    return find(expression);
  });
}

/** What steps have written to $GITHUB_OUTPUT or $GITHUB_ENV: `name=value`, and `name<<WORD` with lines up to WORD. */
export function githubOutputs(path: string): Variables {
  const found: Record<string, string> = {};
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const [, name, word] = /^([\w-]+)<<(.+)$/.exec(line) ?? [];
    if (name !== undefined && word !== undefined) {
      const end = lines.indexOf(word, i + 1);
      found[name] = lines.slice(i + 1, end).join("\n");
      i = end;
    } else if (line.includes("=")) found[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1);
  }
  return found;
}
