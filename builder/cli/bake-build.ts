/** The targets of a bake as builds: side by side in one session, each after those whose files it takes. */
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { argumentsOf } from "../bake/arguments.ts";
import { linkedTarget, type Resolved } from "../bake/resolve.ts";
import type { Target } from "../bake/target.ts";
import { buildImage } from "../build.ts";
import type { BuildEvent, Report } from "../progress/events.ts";
import { Flights } from "../solve/flights.ts";
import { buildCommand } from "./build.ts";
import type { Cli } from "./command.ts";
import { requestOf } from "./flags/build-flags.ts";
import type { ProgressFlags } from "./flags/flags.ts";
import { defineParser, readFlags } from "./parse.ts";
import { openSession, type Session } from "./session.ts";

export interface BakeBuildFlags extends ProgressFlags {
  readonly metadataFile?: string;
  /** For every target. */
  readonly lazy?: boolean;
}

interface World {
  /** For Dockerfiles that the bake file brings, and what builds say of themselves. */
  readonly folder: string;
  readonly session: Session;
  readonly cli: Cli;
  readonly report: Report;
  /** What two targets have in common is carried out once. */
  readonly flights: Flights;
  readonly lazy: boolean;
}

/** The exit code. The first target that fails ends the others; its error is thrown. */
export async function buildAll(resolved: Resolved, flags: BakeBuildFlags, outer: Cli): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-bake-"));
  const ended = new AbortController();
  const cli: Cli = {
    ...outer,
    keepSecret: (value) => outer.keepSecret(value),
    signal: AbortSignal.any([outer.signal, ended.signal]),
  };
  const links = linkNames(resolved);
  await using session = openSession(cli);
  const store = await session.store();
  const report = await session.report(flags);
  const flights = new Flights();
  const metadata: Record<string, unknown> = {};
  const done = new Map<string, Promise<number>>();
  const one = async (name: string, target: Target): Promise<number> => {
    await Promise.all(linksOf(target).map((link) => done.get(link)));
    const world: World = { folder, session, cli, report: named(report, name), flights, lazy: flags.lazy === true };
    const link = links.get(name);
    if (link !== undefined) await buildTarget(`${name}.linked`, withLinks(asLink(target, link), links), world);
    if (resolved.linked.has(name)) return 0;
    const { code, facts } = await buildTarget(name, withLinks(target, links), world);
    if (facts !== undefined) metadata[name] = facts;
    return code;
  };
  try {
    for (const [name, target] of resolved.targets) {
      const building = one(name, target);
      // A target that fails ends the others, and they must not end the process with rejections that nobody sees.
      building.catch((error: unknown) => ended.abort(error));
      done.set(name, building);
    }
    const ends = await Promise.allSettled(done.values());
    if (ended.signal.aborted) throw ended.signal.reason;
    if (flags.metadataFile !== undefined) await writeFile(flags.metadataFile, `${JSON.stringify(metadata, null, 2)}\n`);
    return Math.max(0, ...ends.map((end) => (end.status === "fulfilled" ? end.value : 0)));
  } finally {
    for (const link of links.values()) store.refs.delete(link);
    await rm(folder, { recursive: true, force: true });
  }
}

function linksOf(target: Target): string[] {
  return Object.values(target.contexts ?? {}).flatMap((context) => linkedTarget(context) ?? []);
}

/** Names in the store, for this bake alone, of targets whose files others take. */
function linkNames({ targets }: Resolved): ReadonlyMap<string, string> {
  const tag = randomBytes(8).toString("hex");
  const wanted = new Set([...targets.values()].flatMap(linksOf));
  return new Map([...wanted].map((name) => [name, `wbuild.local/bake/${name.toLowerCase()}:${tag}`]));
}

function asLink(
  { output: _o, "cache-to": _c, call: _l, attest: _a, annotations: _n, ...target }: Target,
  name: string,
): Target {
  return { ...target, tags: [name] };
}

function withLinks(target: Target, links: ReadonlyMap<string, string>): Target {
  if (target.contexts === undefined) return target;
  const contexts = Object.entries(target.contexts).map(([name, context]) => {
    const link = links.get(linkedTarget(context) ?? "");
    return [name, link === undefined ? context : `docker-image://${link}`];
  });
  return { ...target, contexts: Object.fromEntries(contexts) };
}

async function buildTarget(name: string, target: Target, world: World): Promise<{ code: number; facts?: unknown }> {
  const { args, inline, input } = argumentsOf(target, join(world.folder, `${name}.Dockerfile`));
  const typed = input && Readable.from([input.path === undefined ? (inline ?? "") : await readFile(input.path)]);
  if (inline !== undefined) await writeFile(join(world.folder, `${name}.Dockerfile`), inline);
  const told = join(world.folder, `${name}.json`);
  const parser = defineParser("build", buildCommand);
  readFlags("build", buildCommand, parser, [`--metadata-file=${told}`, ...(world.lazy ? ["--lazy"] : []), ...args]);
  const { session, report } = world;
  // Of standard input a build wants no more than that it can be read.
  const cli = typed === undefined ? world.cli : { ...world.cli, stdin: typed as unknown as Cli["stdin"] };
  if (target.call !== undefined && target.call !== "build") return { code: (await buildCommand.run(parser, cli)) ?? 0 };
  await buildImage(await requestOf(parser, cli), {
    store: await session.store(),
    report,
    signal: cli.signal,
    stdin: () => cli.stdin,
    stdout: cli.stdout,
    shared: {
      flights: world.flights,
      scope: JSON.stringify([target.context, inline ? "" : target.dockerfile, target.contexts]),
    },
  });
  return { code: 0, facts: JSON.parse(await readFile(told, "utf8")) };
}

/** Steps of many targets in one face: each says whose it is. */
function named(report: Report, target: string): Report {
  const own = <E extends BuildEvent>(event: E): BuildEvent => {
    if (event.kind === "plan") return { ...event, steps: event.steps.map(ownStep) };
    if (event.kind === "start") return { ...event, step: ownStep(event.step) };
    return "id" in event ? { ...event, id: `${target} ${event.id}` } : event;
  };
  const ownStep = ({ id, title }: { readonly id: string; readonly title: string }) => ({
    id: `${target} ${id}`,
    title: title.startsWith("[") ? `[${target} ${title.slice(1)}` : `[${target}] ${title}`,
  });
  return (event) => report(own(event));
}
