/**
 * The Windows personality: C: is the image's Files over Wine's own tree, the registry the image's hives over Wine's keys,
 * in the same sandbox as Linux steps. What a step changed in both becomes a Windows layer.
 */
import { fstatSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startSandbox } from "../../../native/core/sandbox.ts";
import type { Exit, Mount, SandboxSpec } from "../../../native/core/spec.ts";
import { WbuildError } from "../../../native/error.ts";
import { checkPrivilege, onceEach, type Start } from "../before-start.ts";
import { sandboxNetwork } from "../linux.ts";
import type { Execution, RuntimeCore } from "../runtime.ts";
import { type Account, accountOf } from "./account.ts";
import { commandLineOf } from "./command-line.ts";
import { programFailure } from "./failure.ts";
import { ensurePersonality, type Personality, profileFolder } from "./personality/personality.ts";
import { registryChanges, registryDifference } from "./registry/changes.ts";
import { type ImageRegistry, openRegistry, registryFiles, registryStamp } from "./registry/image-hives.ts";
import { keptTexts } from "./registry/kept-texts.ts";
import { journalOf, readTexts, resultOf, sessionTexts, writeSession } from "./session.ts";
import { stepLayer } from "./step-layer.ts";
import { toolMounts } from "./tools.ts";

/** Changes with how a session's registry is made of the same hives: what an older wbuild kept is not used any more. */
const sessionFormat = 3;

/** overlayfs takes 500: the launcher needs one, the personality and the profile one each. */
const mostLayers = 497;

interface Step {
  readonly account: Account;
  readonly personality: Personality;
  /** Opened when it is first needed: a step that changes no registry does not read it. */
  readonly image: () => ImageRegistry;
  /** The folder of the texts that its registry began with. */
  readonly texts: string;
  readonly prefix: string;
  /** Lower folders that are none of the image's, top first. */
  readonly own: readonly string[];
  readonly commandLine: string;
}

/** `home` is where the personality is kept. `start` throws WIN_*, BOX_*, HIVE_*, STEP_USER. */
export function createWineRuntime(home: string): RuntimeCore {
  return {
    kind: "wine",
    start: (...step) => start(home, ...step),
  };
}

async function start(home: string, ...[on, upper, scratch, process, host, warn]: Start): Promise<Execution> {
  checkPrivilege();
  // Attack: names of keys and files with control characters would write whatever they like into the user's terminal.
  const warnOnce = onceEach((text) => warn(text.replace(/[\p{Cc}\p{Cf}]/gu, "?")));
  const { step, spec } = await prepare(home, on, upper, scratch, process, host, warnOnce);
  const running = await startSandbox(spec, warnOnce);
  const exited = running.exited.then((exit) => exitOf(exit, step));
  exited.catch(() => undefined);
  return {
    folder: upper,
    output: running.output,
    exited,
    signal: (name) => running.signal(name),
    async layer({ epochSeconds }) {
      await exited;
      const difference = registryDifference(await readTexts(step.texts, step.prefix));
      const registry = registryChanges(difference, step.image, warnOnce, epochSeconds);
      const tree = await on.tree?.();
      if (!tree) throw new TypeError("a Windows layer needs to know what lies below it");
      return await stepLayer({
        ...{ upper, tree, registry, account: step.account, warn: warnOnce },
        ...(epochSeconds === undefined ? {} : { epochSeconds }),
        notes: await journalOf(step.prefix),
        own: step.own,
      });
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

async function prepare(
  home: string,
  ...[on, upper, scratch, process, host, warn]: Start
): Promise<{ step: Step; spec: SandboxSpec }> {
  const folders = [...new Set(on.folders.toReversed())];
  if (folders.length > mostLayers) {
    throw new WbuildError("BOX_LAYERS", `the image has ${folders.length} layers, a container can have ${mostLayers}`, {
      facts: { layers: folders.length, most: mostLayers },
    });
  }
  const account = accountOf(process.user);
  const [personality, tools] = await Promise.all([ensurePersonality(home, { warn }), toolMounts(home, on.folders)]);
  const files = registryFiles(on.folders, account);
  const { osVersion } = on;
  const stamp = `${sessionFormat} ${personality.root} ${osVersion} ${registryStamp(files)}`;
  let opened: ImageRegistry | undefined;
  const image = () => (opened ??= openRegistry(files, warn));
  const made = (name: string) => {
    const folder = join(scratch, name);
    mkdirSync(folder);
    return folder;
  };
  const [work, prefix, profile] = [made("work"), made("prefix"), made("profile")];
  const own = [profileFolder(profile, account.name), personality.root];
  const commandLine = process.commandLine ?? commandLineOf(process.argv);
  const texts = join(scratch, "texts");
  keptTexts(join(home, "wine/sessions"), stamp, texts, () =>
    sessionTexts(personality.registry, image(), { programs: builtinPrograms(personality.root), osVersion }),
  );
  // Hives of a hundred megabytes are not held while the step runs; one that changes nothing in them needs them no more.
  opened = undefined;
  writeSession(prefix, texts, {
    commandLine,
    cwd: process.cwd,
    env: process.env,
    path: tools.path,
  });
  const passwd = join(scratch, "passwd");
  writeFileSync(passwd, `${account.name}:x:0:0::/Files/Users/${account.name}:/\n`);
  const mounts: Mount[] = [
    ...personality.mounts,
    { kind: "bind", source: prefix, target: "/wine", readonly: false },
    { kind: "bind", source: passwd, target: "/etc/passwd", readonly: true },
    ...tools.mounts,
    ...host.mounts,
  ];
  const { user: _, commandLine: __, env: ___, argv: ____, ...rest } = process;
  // A socket, as other programs may have given us for output, is no file at all to programs of Windows.
  const relay = !process.tty && [1, 2].some((fd) => fstatSync(fd).isSocket());
  const env = { ...personality.env, ...(tools.path.length > 0 ? { WINEPATH: tools.path.join(";") } : {}) };
  const spec: SandboxSpec = {
    root: { lower: [...folders, ...own], upper, work, ...(host.readonlyRoot === true ? { readonly: true } : {}) },
    mounts,
    process: { ...rest, argv: personality.argv, env, cwd: "/", uid: 0, gid: 0, groups: [], relay },
    hostname: host.hostname,
    network: sandboxNetwork(host),
    extraHosts: host.extraHosts,
    limits: host.limits,
    security: host.security,
  };
  return { step: { account, personality, image, texts, prefix, own, commandLine }, spec };
}

/** Programs that an image may bring instead: Wine has none, only words that say so. */
const imagesOwn = /^(?:powershell|pwsh)\.exe$/i;

function builtinPrograms(root: string): string[] {
  return readdirSync(join(root, "Files/Windows/System32")).filter(
    (name) => /\.exe$/i.test(name) && !imagesOwn.test(name),
  );
}

/** The program's own 32-bit code; the container's only tells of ends that the program did not choose. */
async function exitOf(exit: Exit, step: Step): Promise<Exit> {
  const memory = exit.outOfMemory === true ? { outOfMemory: true } : {};
  if (
    exit.signal !== undefined ||
    (exit.code !== 0 && !lstatSync(join(step.prefix, "result"), { throwIfNoEntry: false }))
  )
    return exit;
  const result = await resultOf(step.prefix);
  const failure = programFailure(result, step.commandLine);
  if (failure) throw failure;
  // Wine knows nothing of a process that the kernel ended, and calls its exit code 0.
  if (exit.outOfMemory === true && result.exit === 0) return { signal: "SIGKILL", ...memory };
  return { code: result.exit ?? 1, ...memory };
}
