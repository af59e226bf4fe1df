/**
 * Docker's credential helpers: programs that keep secrets elsewhere, spoken to over their standard streams.
 * What they say is bounded, and never part of a message.
 */
import { execFile } from "node:child_process";
import * as v from "valibot";
import { WbuildError } from "../native/error.ts";

export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  /** A refresh token, given instead of a password. */
  readonly identityToken?: string;
  /** A bearer token that is used as it is. */
  readonly registryToken?: string;
}

/** Bytes. */
const maxAnswer = 1024 * 1024;
/** A helper may have to ask a person for a key. */
const timeoutMs = 60_000;

const helperAnswer = v.looseObject({ Username: v.optional(v.string(), ""), Secret: v.optional(v.string(), "") });
const helperList = v.record(v.string(), v.string());

/** What the helper knows of a server; undefined when it has nothing. Throws REG_CREDENTIALS. */
export async function askHelper(
  helper: string,
  server: string,
  env: NodeJS.ProcessEnv,
): Promise<Credentials | undefined> {
  const output = await callHelper(helper, "get", server, env);
  if (output === undefined) return undefined;
  let answer: v.InferOutput<typeof helperAnswer>;
  try {
    answer = v.parse(helperAnswer, JSON.parse(output));
  } catch {
    throw new WbuildError("REG_CREDENTIALS", `docker-credential-${helper} gave an answer that is not understood`);
  }
  if (answer.Secret === "") return undefined;
  return answer.Username === "<token>"
    ? { identityToken: answer.Secret }
    : { username: answer.Username, password: answer.Secret };
}

/** The servers that a helper keeps secrets of. Throws REG_CREDENTIALS. */
export async function listHelper(helper: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const output = await callHelper(helper, "list", "", env);
  try {
    return Object.keys(v.parse(helperList, JSON.parse(output || "{}")));
  } catch {
    throw new WbuildError("REG_CREDENTIALS", `docker-credential-${helper} gave a list that is not understood`);
  }
}

/** Runs a helper with a secret or name on its input. Undefined: it knows nothing of that registry. Never logged. */
export async function callHelper(
  helper: string,
  action: "get" | "store" | "erase" | "list",
  input: string,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  // Attack: a configuration that names "../../tmp/x" as its helper would have us run a program outside of PATH.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(helper))
    throw new WbuildError(
      "REG_CREDENTIALS",
      `${JSON.stringify(helper.slice(0, 100))} is not a credential helper's name`,
    );
  const program = `docker-credential-${helper}`;
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [action],
      { timeout: timeoutMs, maxBuffer: maxAnswer, env, encoding: "utf8" },
      (error, stdout) => {
        if (!error) return resolve(stdout);
        // The helpers' protocol has no other way to say it than these words.
        if (/credentials not found|credentials server URL|no credentials/i.test(stdout)) return resolve(undefined);
        const isMissing = error.code === ("ENOENT" as unknown);
        const why = isMissing ? "is not installed" : error.killed ? "took too long" : `failed (${error.code})`;
        reject(
          new WbuildError("REG_CREDENTIALS", `credential helper ${program} ${why}`, {
            facts: { helper: program, action },
            hint: "Docker's config.json names it under credsStore or credHelpers",
          }),
        );
      },
    );
    // A helper that ends before it reads is told by its exit code, not by the broken pipe.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}
