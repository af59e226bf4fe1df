/** A token service for docker-registry's `auth: token`: signs what is asked for when the account is right. */
import { execFile } from "node:child_process";
import { randomUUID, sign } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { onLoopback } from "./loopback.ts";

const run = promisify(execFile);

export interface TokenServer extends AsyncDisposable {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** PEM, for the registry's configuration. */
  readonly certificate: string;
  /** One line for each request: method, scopes, and who asked. */
  readonly asked: string[];
  /** Which member of the answer holds the token. */
  field: "token" | "access_token";
  /** Seconds; 1 makes every token stale at once for a registry that checks. */
  life: number;
}

/**
 * Without `account` everybody gets every token. `refreshToken` is accepted by POST instead of a password, and is what a login
 * gets that asks for one.
 */
export async function startTokenServer(
  account?: { username: string; password: string },
  refreshToken?: string,
): Promise<TokenServer> {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-token-"));
  const [key, pem] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const made = ["-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", pem, "-days", "2", "-subj", "/CN=test issuer"];
  await run("openssl", ["req", "-x509", ...made]);
  const [privateKey, certificate] = await Promise.all([readFile(key, "utf8"), readFile(pem, "utf8")]);
  await rm(folder, { recursive: true, force: true });
  const der = certificate.replace(/-----[^-]+-----|\s/g, "");
  const basic = account && `Basic ${Buffer.from(`${account.username}:${account.password}`).toString("base64")}`;

  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? "/", "http://token");
      const form = new URLSearchParams(request.method === "POST" ? await bodyOf(request) : "");
      const scopes =
        request.method === "POST" ? (form.get("scope") ?? "").split(" ") : url.searchParams.getAll("scope");
      const isKnown =
        request.method === "POST"
          ? form.get("refresh_token") === refreshToken
          : request.headers.authorization === basic;
      result.asked.push(`${request.method} ${scopes.join(" ")} ${isKnown ? "known" : "unknown"}`);
      if (account && !isKnown) {
        response.writeHead(401, { "content-type": "application/json" });
        response.end(JSON.stringify({ errors: [{ code: "UNAUTHORIZED", message: "wrong account" }] }));
        return;
      }
      const token = issue(privateKey, der, scopes.filter(Boolean), result.life);
      response.writeHead(200, { "content-type": "application/json" });
      const refresh = url.searchParams.get("offline_token") === "true" ? { refresh_token: refreshToken } : {};
      response.end(JSON.stringify({ [result.field]: token, expires_in: result.life, ...refresh }));
    })();
  });
  const loopback = await onLoopback(server);
  const result: TokenServer = {
    realm: `http://${loopback.host}/token`,
    service: "test-registry",
    issuer: "test-issuer",
    certificate,
    asked: [],
    field: "token",
    life: 300,
    [Symbol.asyncDispose]: () => loopback[Symbol.asyncDispose](),
  };
  return result;
}

/** A JSON web token as docker-registry wants it (distribution, "Token Authentication Implementation"). */
function issue(privateKey: string, der: string, scopes: readonly string[], life: number): string {
  const now = Math.floor(Date.now() / 1000);
  const access = scopes.map((scope) => {
    const [type, name, actions] = scope.split(":");
    return { type, name, actions: (actions ?? "").split(",") };
  });
  const header = { typ: "JWT", alg: "RS256", x5c: [der] };
  const claims = {
    iss: "test-issuer",
    sub: "somebody",
    aud: "test-registry",
    exp: now + life,
    nbf: now - 10,
    iat: now,
    jti: randomUUID(),
    access,
  };
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of request) text += part;
  return text;
}
