/**
 * Failures of the wire as errors for people: which registry, which repository, what was being done, and what the registry
 * itself said (distribution specification, "Error Codes"). Every foreign word passes the redactor.
 */
import { type ErrorCode, WbuildError } from "../../native/error.ts";
import type { Redactor } from "./redact.ts";
import { parseRetryAfter } from "./retry.ts";

/** What is being done to what, for messages. */
export interface Operation {
  readonly registry: string;
  readonly repository?: string | undefined;
  /** A verb with its object, such as `push blob sha256:…`. */
  readonly doing: string;
}

export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The error for an answer that is no success. Codes: REG_UNAUTHORIZED, REG_DENIED, REG_NOT_FOUND, REG_RATE_LIMITED, … */
export function refusalError(operation: Operation, refusal: Refusal, redactor: Redactor): WbuildError {
  const { status } = refusal;
  const complaints = readComplaints(refusal.body, redactor);
  const retryAfterMs = parseRetryAfter(refusal.headers["retry-after"], Date.now());
  const said = complaints.length > 0 ? `: ${complaints.map(tell).join("; ")}` : "";
  const hint = hintFor(status, operation, complaints.length > 0);
  return new WbuildError(codeFor(status), `cannot ${operation.doing}${place(operation)}: HTTP ${status}${said}`, {
    facts: {
      registry: operation.registry,
      ...(operation.repository === undefined ? {} : { repository: operation.repository }),
      operation: operation.doing,
      status,
      complaints,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
    hint,
  });
}

/** The error for a request that got no answer. Codes: REG_TLS, REG_TIMEOUT, REG_UNREACHABLE. */
export function brokenError(operation: Operation, error: unknown, redactor: Redactor): WbuildError {
  if (error instanceof WbuildError) return error;
  const cause = innermost(error);
  const errno = (cause as { code?: unknown }).code;
  const code = typeof errno === "string" ? errno : "";
  const why = redactor.clean(wording[code] ?? (cause.message || code || "the connection failed"));
  const kind: ErrorCode = isTlsCode(code)
    ? "REG_TLS"
    : /^HPE_/.test(code)
      ? "REG_PROTOCOL"
      : /TIMEOUT|ETIMEDOUT/.test(code)
        ? "REG_TIMEOUT"
        : "REG_UNREACHABLE";
  const hint = kind === "REG_TLS" ? tlsHint(code, operation.registry) : hints[kind];
  return new WbuildError(kind, `cannot ${operation.doing}${place(operation)}: ${why}`, {
    facts: {
      registry: operation.registry,
      ...(operation.repository === undefined ? {} : { repository: operation.repository }),
      operation: operation.doing,
      ...(code === "" ? {} : { errno: code }),
    },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** An answer that breaks the protocol: REG_PROTOCOL. */
export function protocolError(operation: Operation, what: string, facts: Record<string, unknown> = {}): WbuildError {
  return new WbuildError("REG_PROTOCOL", `cannot ${operation.doing}${place(operation)}: ${what}`, {
    facts: { registry: operation.registry, repository: operation.repository, operation: operation.doing, ...facts },
    hint: notARegistry,
  });
}

/** ` (HOST/REPOSITORY)` for the end of what was tried. */
export function place(operation: Operation): string {
  return ` at ${operation.registry}${operation.repository === undefined ? "" : `/${operation.repository}`}`;
}

interface Complaint {
  readonly code: string;
  readonly message: string;
}

function tell({ code, message }: Complaint): string {
  return code === "" ? message : message === "" ? code : `${code}: ${message}`;
}

/** At most three of what the registry lists; `detail` is left out, it holds whatever the registry likes. */
function readComplaints(body: Uint8Array, redactor: Redactor): Complaint[] {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"));
  } catch {
    return [];
  }
  if (typeof json !== "object" || json === null) return [];
  const { errors, error, error_description, message, details } = json as Record<string, unknown>;
  const list: unknown[] = Array.isArray(errors)
    ? errors
    : [{ code: typeof error === "string" ? error : "", message: error_description ?? message ?? details }];
  return list.slice(0, 3).flatMap((entry) => {
    if (typeof entry !== "object" || entry === null) return [];
    const { code, message: words } = entry as Record<string, unknown>;
    const complaint = {
      code: typeof code === "string" ? redactor.clean(code, 60) : "",
      message: typeof words === "string" ? redactor.clean(words) : "",
    };
    return complaint.code === "" && complaint.message === "" ? [] : [complaint];
  });
}

function codeFor(status: number): ErrorCode {
  if (status === 401) return "REG_UNAUTHORIZED";
  if (status === 403) return "REG_DENIED";
  if (status === 404) return "REG_NOT_FOUND";
  if (status === 429) return "REG_RATE_LIMITED";
  return status >= 500 ? "REG_UNAVAILABLE" : "REG_PROTOCOL";
}

function hintFor(status: number, operation: Operation, hasWords: boolean): string {
  if (status === 401) return `log in with: wbuild login ${operation.registry}`;
  if (status === 403) return `the account that is logged in at ${operation.registry} may not do this`;
  if (status === 404) return "check the name and the tag; a private repository also answers so to strangers";
  if (status === 429) return "wait, or log in: registries allow more to known accounts";
  if (status >= 500) return "the registry has a problem; try again later";
  return hasWords ? "the registry's own words say why; those who run it may know more" : notARegistry;
}

const notARegistry = "is there a registry at this address? A proxy or a page for people may have answered in its place";

const hints: Partial<Record<ErrorCode, string>> = {
  REG_TIMEOUT: "check the network and the proxy settings (HTTPS_PROXY, NO_PROXY)",
  REG_PROTOCOL: notARegistry,
  REG_UNREACHABLE: "check the registry's name, the network and the proxy settings (HTTPS_PROXY, NO_PROXY)",
};

function tlsHint(code: string, registry: string): string {
  if (/^(EPROTO|ERR_SSL_)/.test(code)) return "for a registry without TLS use --plain-http";
  if (code === "CERT_HAS_EXPIRED") return "who runs it has to renew it; --insecure checks no certificate";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return "use the name that the certificate is for; --insecure checks no certificate";
  const file = `/etc/docker/certs.d/${registry}/ca.crt`;
  return `put the certificate of its authority into ${file}, as for docker (docs/registry.md names other places); --insecure checks no certificate`;
}

const wording: Readonly<Record<string, string>> = {
  ENOTFOUND: "there is no host of that name",
  EAI_AGAIN: "the name could not be looked up",
  ECONNREFUSED: "nothing listens there (connection refused)",
  ECONNRESET: "the connection was broken off",
  EPIPE: "the connection was broken off",
  HTTP_CONNECT_TIMEOUT: "no connection within the time limit",
  HTTP_HEAD_TIMEOUT: "no answer within the time limit",
  HTTP_BODY_TIMEOUT: "the answer stopped coming",
  HPE_HEADER_OVERFLOW: "the head of the answer is too large",
  EHOSTUNREACH: "there is no route to that host",
  ENETUNREACH: "there is no route to that network",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate comes from an unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate comes from an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate comes from an unknown authority",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "it does not speak TLS",
  EPROTO: "it does not speak TLS",
};

/** True for errno texts that mean the TLS handshake failed. */
export function isTlsCode(code: string): boolean {
  return /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/.test(code);
}

/** node wraps the reason that people need. */
function innermost(error: unknown): Error {
  let current = error instanceof Error ? error : new Error(String(error));
  for (let i = 0; i < 5; i++) {
    const nested = current instanceof AggregateError ? current.errors[0] : current.cause;
    if (!(nested instanceof Error)) break;
    current = nested;
  }
  return current;
}
