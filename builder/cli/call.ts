/** `--check` and `--call` of `build`: answers about a Dockerfile, on standard output, in place of an image. */
import type { Command as Parser } from "commander";
import { WbuildError } from "../../native/error.ts";
import type { BuildRequest } from "../build-request.ts";
import type { Called, CallMethod } from "../call.ts";
import { registryOf, worldOf } from "./build-world.ts";
import type { Cli } from "./command.ts";
import { badValue } from "./flags/values.ts";

export interface CallFlags {
  readonly check?: boolean;
  readonly call?: string;
}

export interface Call {
  readonly method: CallMethod;
  readonly format: "text" | "json";
  /** Findings do not decide the exit code. */
  readonly ignoreStatus: boolean;
}

export function defineCallFlags(parser: Parser): void {
  parser
    .option("--check", "check the Dockerfile and build nothing: --call=check")
    .option("--call <method>", "check, outline or targets in place of a build; with ,format=json for programs");
}

/** Undefined: an image is wanted. Throws CLI_VALUE, CLI_USAGE. */
export function callOf({ check, call = check ? "check" : "build" }: CallFlags): Call | undefined {
  const [word = "", ...options] = call.split(",");
  const method = word === "lint" ? "check" : word;
  if (check && method !== "check")
    throw new WbuildError("CLI_USAGE", "--check is --call=check, and excludes another method");
  const wanted = { format: "text", ignorestatus: "false" };
  for (const option of options) {
    const [key = "", value = ""] = option.split("=");
    if (!Object.hasOwn(wanted, key)) throw badValue("--call", call, "METHOD[,format=json]");
    Object.assign(wanted, { [key]: value });
  }
  const { format, ignorestatus } = wanted;
  if (format !== "text" && format !== "json") throw badValue("--call", call, "METHOD[,format=json]");
  if (method === "build") return undefined;
  if (method !== "check" && method !== "outline" && method !== "targets")
    throw badValue("--call", call, "check, outline, targets or build");
  return { method, format, ignoreStatus: ignorestatus === "true" };
}

/** As buildx: exit code 1 when checks found something. What a build would fail with is told last. */
export async function runCall(call: Call, request: BuildRequest, cli: Cli): Promise<number> {
  const { openSession } = await import("./session.ts");
  const { callRequest } = await import("../call.ts");
  const { wantsColours } = await import("../progress/choose.ts");
  await using session = openSession(cli);
  const world = await worldOf(session, cli, { progress: "quiet" });
  const called = await callRequest(call.method, request, world, () => registryOf(request, session));
  const isJson = call.format === "json";
  const color = wantsColours(cli.stdout, cli.env);
  cli.stdout.write(isJson ? `${JSON.stringify(called.json, undefined, 2)}\n` : called.text({ color }));
  if (!isJson && cli.env.GITHUB_ACTIONS !== undefined) await noteFindings(called, cli);
  if (called.error !== undefined && !isJson) throw called.error;
  return call.ignoreStatus ? 0 : called.status;
}

/** Where a viewer of CI logs shows notes at lines: there. */
async function noteFindings({ findings = [] }: Called, cli: Cli): Promise<void> {
  const { ciLogOf } = await import("../progress/ci.ts");
  const ci = ciLogOf(cli.env, cli.cwd);
  for (const { file, line, title, text } of findings)
    cli.stderr.write(ci?.note({ kind: "warning", file, line, title, text }) ?? "");
}
