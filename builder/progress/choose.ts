/** Which face a build shows: what was asked for, else what the environment says, else what standard error can show. */
import { WbuildError } from "../../native/error.ts";
import type { ProgressFace, ProgressMode } from "./events.ts";

const modes: readonly ProgressMode[] = ["auto", "tty", "plain", "json", "rawjson", "quiet"];

export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
  on(event: "resize", listener: () => void): unknown;
  off(event: "resize", listener: () => void): unknown;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Checks a mode's name. Throws CLI_VALUE. */
export function parseProgress(flag: string, text: string): ProgressMode {
  const found = modes.find((name) => name === text);
  if (found) return found;
  throw new WbuildError(
    "CLI_VALUE",
    `${flag}: ${JSON.stringify(text.slice(0, 50))} is not one of ${modes.join(", ")}`,
    {
      facts: { flag, value: text.slice(0, 50) },
    },
  );
}

/** NO_COLOR and FORCE_COLOR as their conventions have it; a dumb terminal gets none. */
export function wantsColours(stream: { readonly isTTY?: boolean }, env: Environment): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
  return stream.isTTY === true && env.TERM !== "dumb";
}

/** The mode for a stream: never `auto`. A terminal that cannot move its cursor, or that CI records, gets plain lines. */
export function chooseMode(
  asked: ProgressMode | undefined,
  stream: { readonly isTTY?: boolean },
  env: Environment,
): Exclude<ProgressMode, "auto"> {
  let mode = asked ?? "auto";
  if (mode === "auto") {
    const name = env.WBUILD_PROGRESS ? "WBUILD_PROGRESS" : "BUILDKIT_PROGRESS";
    const text = env[name];
    if (text) mode = parseProgress(`$${name}`, text);
  }
  if (mode !== "auto") return mode;
  return stream.isTTY === true && env.TERM !== "dumb" && !env.CI ? "tty" : "plain";
}

/** Makes the face; its module is loaded only now. */
export async function openFace(
  asked: ProgressMode | undefined,
  stream: ProgressStream,
  env: Environment,
): Promise<ProgressFace> {
  const write = (text: string) => void stream.write(text);
  switch (chooseMode(asked, stream, env)) {
    case "quiet":
      return (await import("./quiet.ts")).quietFace();
    case "json":
      return (await import("./json.ts")).jsonFace(write);
    case "rawjson":
      return (await import("./raw-json.ts")).rawJsonFace(write);
    case "plain": {
      const isCi = env.GITHUB_ACTIONS !== undefined || env.GITLAB_CI !== undefined;
      const ci = isCi ? (await import("./ci.ts")).ciLogOf(env, process.cwd()) : undefined;
      return (await import("./plain.ts")).plainFace(write, ci);
    }
    case "tty":
      return (await import("./tty.ts")).ttyFace(
        {
          write,
          size: () => ({ columns: stream.columns || 80, rows: stream.rows || 24 }),
          onResize(changed) {
            stream.on("resize", changed);
            return () => void stream.off("resize", changed);
          },
          colours: wantsColours(stream, env),
        },
        {
          now: Date.now,
          every(ms, call) {
            const timer = setInterval(call, ms);
            timer.unref();
            return () => clearInterval(timer);
          },
        },
      );
  }
}
