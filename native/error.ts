/**
 * The one error of wbuild. It lives on the lowest floor so that every room can throw it; it knows no room.
 * Codes are for programs and for ever, messages are for people: what happened to which thing, in the user's words.
 */

/** Code prefixes name the room: DF_ Dockerfile, CTX_ context, STEP_, STORE_, LAYER_, TREE_, REG_, BOX_ sandbox, IMG_, CLI_, HIVE_, WIN_ Windows, BAKE_, CACHE_ caches of other machines. */
export type ErrorCode =
  `${"DF" | "CTX" | "STEP" | "STORE" | "LAYER" | "TREE" | "REG" | "BOX" | "IMG" | "CLI" | "HIVE" | "WIN" | "BAKE" | "CACHE"}_${string}`;

export interface ErrorDetails {
  /** Structured facts (expected, found, path, status …) for tests, JSON output and hints. Never a secret. */
  facts?: Readonly<Record<string, unknown>>;
  /** One sentence that says what to do next. */
  hint?: string;
  cause?: unknown;
}

/** Every failure that a person should read. Anything else that is thrown is a bug and ends as exit code 4. */
export class WbuildError extends Error {
  readonly code: ErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "WbuildError";
    this.code = code;
    this.facts = details.facts ?? {};
    this.hint = details.hint;
  }
}

/** True for a WbuildError, also one that came from another copy of this module; narrows by code when one is given. */
export function isWbuildError(error: unknown, code?: ErrorCode): error is WbuildError {
  return (
    error instanceof Error &&
    error.name === "WbuildError" &&
    (code === undefined || (error as WbuildError).code === code)
  );
}
