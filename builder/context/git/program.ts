/** The host's `git`, run so that neither the repository nor the host's settings decide what it does. */
import { startTied } from "../../../native/core/tied.ts";
import { WbuildError } from "../../../native/error.ts";

export interface GitAccess {
  /** Value of an Authorization header, and the origin (`https://host/`) that may see it. */
  readonly header?: { readonly origin: string; readonly value: string };
  /** Socket of an ssh agent. */
  readonly agent?: string;
  /** File that keeps the keys of ssh hosts met for the first time. */
  readonly knownHosts?: string;
}

export interface GitCall extends GitAccess {
  readonly args: readonly string[];
  /** The repository's URL, as remote `origin`. May hold a password, so it never stands on the command line. */
  readonly origin?: string;
  readonly gitDir?: string;
  readonly workTree?: string;
  readonly index?: string;
  /** Only files of this host: from one folder of the store to another. */
  readonly local?: boolean;
  readonly signal: AbortSignal;
  /** The largest file that it may write. */
  readonly fileBytes?: number;
  /** Looks at the output as it comes, in place of collecting it; what it throws ends git. */
  readonly onOutput?: (piece: Buffer) => void;
}

/** What git said when it did not succeed. */
export class GitFailure extends Error {
  readonly said: string;
  constructor(said: string) {
    super(said);
    this.said = said;
  }
}

/** The exit code of a program that there is not. */
const notFound = 127;
const mostOutput = 64 * 1024 * 1024;

/** Standard output. Throws GitFailure, CTX_NO_GIT, and the signal's reason. */
export async function git(call: GitCall): Promise<string> {
  call.signal.throwIfAborted();
  const child = startTied("git", call.args, {
    cwd: call.workTree ?? call.gitDir ?? "/",
    env: environment(call),
    ...(call.fileBytes === undefined ? {} : { fileBytes: call.fileBytes }),
  });
  const { kill } = child;
  call.signal.addEventListener("abort", kill, { once: true });
  const parts: Buffer[] = [];
  let size = 0;
  let said = "";
  let refused: unknown;
  child.stdout.on("data", (piece: Buffer) => {
    try {
      if (call.onOutput) return call.onOutput(piece);
      size += piece.length;
      // Attack: a server that lists refs for ever.
      if (size > mostOutput) throw new GitFailure(`it wrote more than ${mostOutput} bytes`);
      parts.push(piece);
    } catch (error) {
      refused ??= error;
      kill();
    }
  });
  child.stderr.on("data", (piece: Buffer) => {
    if (said.length < 16_384) said += piece.toString("utf8");
  });
  try {
    const code = await child.exited;
    call.signal.throwIfAborted();
    if (refused !== undefined) throw refused;
    if (code === notFound && said === "")
      throw new WbuildError("CTX_NO_GIT", "the program git is missing", { hint: "install the package git" });
    if (code !== 0) throw new GitFailure(said.trim());
    return Buffer.concat(parts).toString("utf8");
  } finally {
    call.signal.removeEventListener("abort", kill);
  }
}

/** Variables that a connection may need; all others of the host (GIT_*, HOME) could change what git does. */
const passed = [
  "PATH",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "http_proxy",
  "https_proxy",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "no_proxy",
  "NO_PROXY",
  "all_proxy",
  "ALL_PROXY",
];

function environment(call: GitCall): Record<string, string> {
  const env: Record<string, string> = {
    // Attack: a .gitconfig or .netrc of the user would lend a foreign build the user's rewrites and passwords.
    HOME: "/nonexistent",
    XDG_CONFIG_HOME: "/nonexistent",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "false",
    SSH_ASKPASS: "false",
    GIT_LITERAL_PATHSPECS: "1",
    GIT_NO_REPLACE_OBJECTS: "1",
    // Attack: a submodule at file:///etc or ext::program.
    GIT_ALLOW_PROTOCOL: call.local ? "file" : "http:https:git:ssh",
    GIT_SSH_COMMAND: sshCommand(call),
    GIT_SSH_VARIANT: "ssh",
    LC_ALL: "C",
  };
  for (const name of passed) if (process.env[name] !== undefined) env[name] = process.env[name];
  if (process.env.SSL_CERT_FILE) env.GIT_SSL_CAINFO = process.env.SSL_CERT_FILE;
  if (call.agent !== undefined) env.SSH_AUTH_SOCK = call.agent;
  if (call.gitDir !== undefined) env.GIT_DIR = call.gitDir;
  if (call.workTree !== undefined) env.GIT_WORK_TREE = call.workTree;
  if (call.index !== undefined) env.GIT_INDEX_FILE = call.index;
  // In the environment, not on the command line, which every user of the host can read.
  const settings = settingsOf(call);
  env.GIT_CONFIG_COUNT = String(settings.length);
  for (const [i, [name, value]] of settings.entries()) {
    env[`GIT_CONFIG_KEY_${i}`] = name;
    env[`GIT_CONFIG_VALUE_${i}`] = value;
  }
  return env;
}

function settingsOf(call: GitCall): (readonly [name: string, value: string])[] {
  return [
    // Attack: hooks, and programs that a repository's settings may name.
    ["core.hooksPath", "/dev/null"],
    ["core.fsmonitor", "false"],
    ["credential.helper", ""],
    ["init.defaultBranch", "master"],
    ["advice.detachedHead", "false"],
    ["gc.auto", "0"],
    ["maintenance.auto", "false"],
    ["safe.directory", "*"],
    ["http.lowSpeedLimit", "1"],
    ["http.lowSpeedTime", "60"],
    ...(call.origin === undefined ? [] : [["remote.origin.url", call.origin] as const]),
    ...(call.header === undefined ? [] : headerSettings(call.header)),
  ];
}

/**
 * Attack: a redirect to a server of the attacker's own. git asks that one next, with every header that it was given, whatever
 * address the setting names. So where there is a header nothing is followed.
 */
function headerSettings({ origin, value }: NonNullable<GitAccess["header"]>) {
  return [
    [`http.${origin}.extraHeader`, `Authorization: ${value}`],
    [`http.${origin}.followRedirects`, "false"],
  ] as const;
}

/** Keys come from the agent that was given, never from the user's own folder. */
function sshCommand({ agent, knownHosts }: GitAccess): string {
  const files = [...(knownHosts === undefined ? [] : [quoted(knownHosts)]), "~/.ssh/known_hosts"];
  return [
    "ssh -F /dev/null -o BatchMode=yes -o IdentityFile=none -o StrictHostKeyChecking=accept-new",
    `-o IdentityAgent=${agent === undefined ? "none" : "SSH_AUTH_SOCK"}`,
    `-o 'UserKnownHostsFile=${files.join(" ")}'`,
  ].join(" ");
}

/** A path inside an option that stands in single quotes of a shell. */
function quoted(path: string): string {
  return `"${path.replaceAll("'", "'\\''")}"`;
}
