/** What this host can do, and what to install for the rest: findings as data, and as a list for people. */
import { accessSync, constants, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { makeFolder } from "../layerfs/store/make-folder.ts";
import type { Capability } from "../native/core/probe.ts";
import { findProgram } from "../native/core/programs.ts";
import { isWbuildError } from "../native/error.ts";
import { formatBytes } from "./progress/units.ts";

export interface Finding {
  /** Stable, for programs. */
  readonly name: string;
  readonly state: "fine" | "limited" | "missing";
  /** True when wbuild cannot build anything without it. */
  readonly isNeeded: boolean;
  readonly what: string;
  /** What to do about it; for what is not fine. */
  readonly hint?: string;
}

interface Tool {
  readonly program: string;
  readonly name: string;
  readonly for: string;
  readonly install: string;
}

const tools: readonly Tool[] = [
  { program: "mmdebstrap", name: "mmdebstrap", for: "`wbuild base debian`", install: "apt-get install mmdebstrap" },
  { program: "xz", name: "xz", for: "ADD of .tar.xz archives", install: "apt-get install xz-utils" },
  { program: "bzip2", name: "bzip2", for: "ADD of .tar.bz2 archives", install: "apt-get install bzip2" },
];

/** Room below which builds are likely to fail. */
const littleRoom = 1_000_000_000;

/** Looks at the host; changes nothing but that the store's folder is made. */
export async function examineHost(home: string): Promise<Finding[]> {
  const { probeHost } = await import("../native/core/probe.ts");
  // What overlayfs takes depends on the file system: it is tried where steps will write.
  const store = storeFinding(home);
  const findings = (await (store.state === "missing" ? probeHost() : probeHost(home))).map(findingOf);
  const canRun = !findings.some(({ isNeeded, state }) => isNeeded && state === "missing");
  const { findBusybox } = await import("./base/busybox.ts");
  findings.push(
    await findBusybox().then(
      (found): Finding => ({
        name: "busybox",
        state: "fine",
        isNeeded: false,
        what: `static busybox ${found.version} for \`wbuild base linux\``,
      }),
      (): Finding => ({
        name: "busybox",
        state: "missing",
        isNeeded: false,
        what: "no static busybox: `wbuild base linux` cannot work",
        hint: "apt-get install busybox-static",
      }),
    ),
  );
  for (const tool of tools) {
    const path = findProgram(tool.program);
    findings.push({
      name: tool.name,
      state: path === undefined ? "missing" : "fine",
      isNeeded: false,
      what: path === undefined ? `no ${tool.program}: ${tool.for} cannot work` : `${tool.program} for ${tool.for}`,
      ...(path === undefined ? { hint: tool.install } : {}),
    });
  }
  findings.push(await foreignFinding());
  findings.push(await wineFinding(home, canRun));
  findings.push(store);
  return findings;
}

/** Which foreign architectures' steps can run, and how. */
async function foreignFinding(): Promise<Finding> {
  const { foreignArchitectures, interpreterFor } = await import("./runtime/foreign.ts");
  const { canRegisterInterpreters } = await import("../native/core/probe.ts");
  const ownRegister = canRegisterInterpreters();
  const ways = { host: [] as string[], own: [] as string[] };
  let hint: string | undefined;
  for (const architecture of foreignArchitectures()) {
    try {
      const found = await interpreterFor(architecture, { ownRegister: () => ownRegister });
      if (found) ways[found.how].push(architecture);
    } catch (error) {
      if (isWbuildError(error)) hint ??= error.hint;
    }
  }
  const base = { name: "foreign-architectures", isNeeded: false } as const;
  const told = [
    ...(ways.host.length > 0 ? [`${ways.host.join(", ")} (registered with this host)`] : []),
    ...(ways.own.length > 0 ? [`${ways.own.join(", ")} (qemu-user, registered for each step)`] : []),
  ];
  if (told.length > 0)
    return { ...base, state: "fine", what: `foreign architectures that steps can run: ${told.join("; ")}` };
  const what = "no foreign architecture: RUN steps work for this host's architecture alone";
  return { ...base, state: "missing", what, hint: hint ?? "apt-get install qemu-user-static" };
}

/** Whether steps of Windows images can run, and which files of Wine are ours instead. `canRun`: any step at all can. */
async function wineFinding(home: string, canRun: boolean): Promise<Finding> {
  const base = { name: "wine", isNeeded: false } as const;
  const { findWine, wineVersion } = await import("./runtime/wine/personality/find-wine.ts");
  const wine = findWine();
  if (!wine) {
    const what = "no Wine for 64-bit programs: steps of Windows images and `wbuild base windows` cannot work";
    return { ...base, state: "missing", what, hint: "apt-get install wine64" };
  }
  try {
    const { knownPersonality } = await import("./runtime/wine/personality/personality.ts");
    const known = knownPersonality(home, wine);
    const what = `Wine ${await wineVersion(wine)} (${wine.loader}) for steps of Windows images`;
    if (!canRun) return { ...base, state: "limited", what: `${what}, which cannot run here`, hint: "see above" };
    const ours =
      known === undefined
        ? "is set up at the first one"
        : `ours in it: ${[...known.replaced, ...known.added].join(", ")}`;
    const unpatched = known?.unpatched ?? [];
    if (unpatched.length === 0) return { ...base, state: "fine", what: `${what}; ${ours}` };
    const hint = "install a Wine that wbuild knows: 8.0 is tried";
    return { ...base, state: "limited", what: `${what}; ${ours}; as Wine has it: ${unpatched.join(", ")}`, hint };
  } catch (error) {
    const hint = isWbuildError(error) ? (error.hint ?? error.message) : "run it by hand, to see what it says";
    return {
      ...base,
      state: "limited",
      what: `Wine is there (${wine.loader}), but cannot be used: ${(error as Error).message.trim()}`,
      hint,
    };
  }
}

function findingOf({ name, ok, required, detail, remedy }: Capability): Finding {
  const hint = ok ? undefined : (remedy ?? "look at the kernel's configuration");
  return {
    name: name.replaceAll(" ", "-"),
    state: ok ? "fine" : required ? "missing" : "limited",
    isNeeded: required,
    what: `${name}: ${detail}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

function storeFinding(home: string): Finding {
  const base = { name: "store", isNeeded: true };
  try {
    makeFolder(home, 0o700);
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(home);
    const free = bavail * bsize;
    if (free >= littleRoom)
      return { ...base, state: "fine", what: `the store is ${home}, with ${formatBytes(free)} free` };
    return {
      ...base,
      state: "limited",
      what: `the store's disk has only ${formatBytes(free)} free: ${home}`,
      hint: "`wbuild prune -a` frees room, or set $WBUILD_HOME to a folder on a larger disk",
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return {
      ...base,
      state: "missing",
      what: `the store cannot be kept in ${home}: ${code}`,
      hint: `make ${dirname(home)} writable, or set $WBUILD_HOME to a folder that is`,
    };
  }
}

const marks = { fine: "ok", limited: "!!", missing: "--" } as const;
const colours = { fine: "32", limited: "33", missing: "31" } as const;

/** One line for each finding, and one for what to do. */
export function printFindings(findings: readonly Finding[], inColours: boolean): string {
  return findings
    .map(({ state, what, hint }) => {
      const mark = inColours ? `\x1b[${colours[state]}m${marks[state]}\x1b[0m` : marks[state];
      return `${mark}  ${what}\n${hint === undefined ? "" : `    → ${hint}\n`}`;
    })
    .join("");
}
