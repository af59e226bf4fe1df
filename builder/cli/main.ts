/**
 * The program: argv → command → exit code. The only file that ends the process, and the only one that hears signals.
 * It loads next to nothing itself: `wbuild --version` and a cached build must start in the time that Node needs.
 */
import { WbuildError } from "../../native/error.ts";
import type { Explained } from "../explain/explain.ts";
import { version } from "../version.ts";
import type { Cli } from "./command.ts";
import { commands } from "./commands.ts";

const signalNumbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 };
/** What a shell reports of a program that wrote to a pipe which nobody reads. */
const brokenPipe = 128 + 13;

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-v")) {
    process.stdout.write(`wbuild ${version}\n`);
    return 0;
  }
  const interruption = listen();
  const failure: Failure = { argv, debug: argv.includes("--debug"), exit: undefined, secrets: [] };
  const fail = (error: unknown) => tell(error, failure, interruption.code());
  // What nobody awaited fails the program like anything else: told, and with an exit code that says so.
  for (const event of ["uncaughtException", "unhandledRejection"] as const)
    process.once(event, (error: unknown) => {
      void fail(error).then((code) => process.exit(code));
    });
  try {
    const code = await dispatch(argv, interruption, failure);
    // A broken pipe is told after the write that found it.
    await new Promise((turn) => setImmediate(turn));
    const unwritten = interruption.unwritten();
    return unwritten ? await fail(unwritten) : (interruption.code() ?? code);
  } catch (error) {
    return fail(interruption.unwritten() ?? error);
  }
}

interface Failure {
  /** Quoted by messages; URLs among them may hold passwords. */
  readonly argv: readonly string[];
  readonly debug: boolean;
  /** Set by a command whose failures have an exit code of their own. */
  exit: number | undefined;
  /** What no message may show. */
  readonly secrets: string[];
}

/** Says on standard error what went wrong; gives the exit code. An interruption needs no explanation. */
async function tell(error: unknown, failure: Failure, interrupted: number | undefined): Promise<number> {
  if (interrupted !== undefined) {
    if (interrupted !== brokenPipe) process.stderr.write("canceled\n");
    return interrupted;
  }
  const { explain } = await import("../explain/explain.ts");
  const { wantsColours } = await import("../progress/choose.ts");
  const colours = wantsColours(process.stderr, process.env);
  const { passwordsIn, redactText, redactUrls } = await import("../progress/redact.ts");
  const told = explain(error, { debug: failure.debug, colours, version });
  const text = await forCi(told);
  process.stderr.write(redactUrls(redactText(text, [...failure.secrets, ...passwordsIn(failure.argv)])));
  return failure.exit ?? told.exit;
}

/** Where a viewer of CI logs has commands: none of them in what is told, and a note at the line that is to blame. */
async function forCi({ text, place }: Explained): Promise<string> {
  if (process.env.GITHUB_ACTIONS === undefined) return text;
  const { ciLogOf } = await import("../progress/ci.ts");
  const ci = ciLogOf(process.env, process.cwd());
  if (!ci) return text;
  const lines = text.split("\n").map(ci.line).join("\n");
  return lines + (place ? ci.note({ kind: "error", ...place }) : "");
}

async function dispatch(argv: readonly string[], interruption: Interruption, failure: Failure): Promise<number> {
  const width = Math.min(120, Math.max(60, process.stdout.columns || 100));
  if (argv[0] === "--help" || argv[0] === "-h") {
    const { overview } = await import("./help.ts");
    process.stdout.write(overview(version, width));
    return 0;
  }
  const { asksForHelp, defineParser, findCommand, readFlags } = await import("./parse.ts");
  let { name, rest } = findCommand(argv, Object.keys(commands));
  if (name === "help") {
    const asked = rest.find((word) => Object.hasOwn(commands, word));
    if (asked === undefined) {
      const { overview } = await import("./help.ts");
      process.stdout.write(overview(version, width));
      return 0;
    }
    [name, rest] = [asked, ["--help"]];
  }
  const row = commands[name];
  if (!row) throw new Error(`no such command: ${name}`);
  const command = await row.load();
  failure.exit = command.failureExit;
  const parser = defineParser(name, command);
  if (asksForHelp(parser, rest)) {
    const { page } = await import("./help.ts");
    process.stdout.write(page(name, command, parser, width));
    return 0;
  }
  readFlags(name, command, parser, rest);
  if (row.asRoot) {
    const { runInNamespace } = await import("./namespace.ts");
    const code = await runInNamespace((text) => process.stderr.write(`warning: ${text}\n`));
    if (code !== undefined) return code;
  }
  const globals = parser.opts<{ debug?: boolean; home?: string }>();
  const cli: Cli = {
    env: process.env,
    cwd: process.cwd(),
    // Opening it loads Node's streams: only for who reads it.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    signal: interruption.signal,
    debug: globals.debug === true,
    home: globals.home,
    commands,
    secrets: failure.secrets,
    // A newline at the end is none of the secret, and ends a line where it is shown.
    keepSecret: (value) => void failure.secrets.push(value.trim()),
    takeSignals: interruption.take,
  };
  // V8 lets the space of young objects grow to three times 16 MB. With 1 MB these commands take a third of the memory less, and
  // no more time (docs/benchmarks.md).
  if (command.readsLayers)
    (await import("node:v8")).setFlagsFromString("--semi-space-growth-factor=1 --heap-growing-percent=50");
  return (await command.run(parser, cli)) ?? 0;
}

interface Interruption {
  readonly signal: AbortSignal;
  readonly take: Cli["takeSignals"];
  /** The exit code that an interruption asks for; undefined when there was none. */
  code(): number | undefined;
  /** Why standard output does not have what it was given; undefined when it has. */
  unwritten(): WbuildError | undefined;
}

/** First SIGINT, SIGTERM or SIGHUP: abort, so that the command can end its steps. The second one ends us at once. */
function listen(): Interruption {
  const controller = new AbortController();
  let code: number | undefined;
  let unwritten: WbuildError | undefined;
  let taker: ((name: NodeJS.Signals) => void) | undefined;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => {
      if (taker) return taker(name);
      if (code !== undefined) process.exit(128 + (signalNumbers[name] ?? 0));
      code = 128 + (signalNumbers[name] ?? 0);
      controller.abort(new Error(`interrupted by ${name}`));
    });
  // Who cannot be told is not told; the work goes on.
  process.stderr.on("error", () => {});
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (code !== undefined || unwritten) return;
    if (error.code === "EPIPE") code = brokenPipe;
    else
      unwritten = new WbuildError("CLI_OUTPUT", `cannot write standard output: ${error.message}`, {
        hint: "what was written is not whole",
        cause: error,
      });
    controller.abort(unwritten ?? new Error("nobody reads standard output any more"));
  });
  return {
    signal: controller.signal,
    code: () => code,
    unwritten: () => unwritten,
    take(handler) {
      taker = handler;
      return () => {
        if (taker === handler) taker = undefined;
      };
    },
  };
}

/** Ends the process when what it wrote has left it; sockets that are kept for later requests do not hold it up. */
function leave(code: number): void {
  process.exitCode = code;
  const pending = [process.stdout, process.stderr].filter((stream) => stream.writableLength > 0);
  let left = pending.length;
  if (left === 0) process.exit();
  for (const stream of pending)
    stream.write("", () => {
      left--;
      if (left === 0) process.exit();
    });
}

main(process.argv.slice(2)).then(leave, (error: unknown) => {
  process.stderr.write(`wbuild failed while it told of a failure: ${String(error)}\n`);
  leave(4);
});
