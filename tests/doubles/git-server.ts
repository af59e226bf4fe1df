/** Real git servers on loopback: git's own daemon, and its http-backend behind a small web server. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { ExecutionContext } from "ava";
import { onLoopback } from "./loopback.ts";

const execute = promisify(execFile);
const backend = "/usr/lib/git-core/git-http-backend";

/** Why git servers cannot be tried here; undefined where they can. */
export function noGit(): string | undefined {
  return existsSync(backend) ? undefined : "this host has no git";
}

export interface GitRepository {
  readonly folder: string;
  git(...args: string[]): Promise<string>;
  /** Writes files and commits them; gives the commit's digest. */
  commit(files: Readonly<Record<string, string>>, message?: string): Promise<string>;
}

/** A folder of repositories that servers can show. */
export async function gitFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-git-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** An empty repository `name` with a work tree; servers show it as `name/.git`. */
export async function gitRepository(folder: string, name: string, format?: "sha256"): Promise<GitRepository> {
  const work = join(folder, name);
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: "/nonexistent",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "A",
    GIT_AUTHOR_EMAIL: "a@example.test",
    GIT_AUTHOR_DATE: "2020-01-02T03:04:05Z",
    GIT_COMMITTER_NAME: "A",
    GIT_COMMITTER_EMAIL: "a@example.test",
    GIT_COMMITTER_DATE: "2020-01-02T03:04:05Z",
    GIT_ALLOW_PROTOCOL: "file",
  };
  const git = async (...args: string[]) => (await execute("git", args, { cwd: work, env })).stdout.trim();
  await mkdir(work, { recursive: true });
  await git("init", "--quiet", "-b", "main", ...(format ? [`--object-format=${format}`] : []));
  return {
    folder: work,
    git,
    async commit(files, message = "change") {
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(work, path)), { recursive: true });
        await writeFile(join(work, path), text);
      }
      await git("add", "-A");
      await git("commit", "--quiet", "--allow-empty", "-m", message);
      return git("rev-parse", "HEAD");
    },
  };
}

/** `git daemon` for a folder of repositories; gives `git://127.0.0.1:PORT`. */
export async function gitDaemon(t: ExecutionContext, folder: string): Promise<string> {
  const port = await freePort();
  const args = ["daemon", "--export-all", `--base-path=${folder}`, `--port=${port}`, "--listen=127.0.0.1", folder];
  const daemon = spawn("git", args, { stdio: "ignore", detached: true });
  t.teardown(() => {
    if (daemon.pid !== undefined) process.kill(-daemon.pid, "SIGKILL");
  });
  await answers(port);
  return `git://127.0.0.1:${port}`;
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Resolves when somebody listens. */
async function answers(port: number): Promise<void> {
  for (;;) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (isThere) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export interface GitWeb {
  /** `http://127.0.0.1:PORT`; repositories are `/NAME/.git`. */
  readonly url: string;
  /** Method and path of each request, in order. */
  readonly asked: string[];
  /** Of each request. */
  readonly headers: IncomingMessage["headers"][];
}

/**
 * http-backend for a folder of repositories. With `authorization` every request needs that header; with `lie` every answer
 * goes through it.
 */
export async function gitWeb(
  t: ExecutionContext,
  folder: string,
  authorization?: string,
  lie: (answer: Buffer) => Buffer = (answer) => answer,
): Promise<GitWeb> {
  const asked: string[] = [];
  const headers: IncomingMessage["headers"][] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    headers.push(request.headers);
    if (authorization !== undefined && request.headers.authorization !== authorization) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
      return;
    }
    serve(folder, request, response, lie);
  });
  const loopback = await onLoopback(server);
  t.teardown(() => loopback[Symbol.asyncDispose]());
  return { url: `http://${loopback.host}`, asked, headers };
}

/** CGI (RFC 3875): the request's body on standard input, headers and body on standard output. */
function serve(
  folder: string,
  request: IncomingMessage,
  response: ServerResponse,
  lie: (answer: Buffer) => Buffer,
): void {
  const url = new URL(request.url ?? "/", "http://x");
  const child = spawn(backend, [], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: String(request.headers["content-encoding"] ?? ""),
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      REMOTE_ADDR: "127.0.0.1",
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  request.pipe(child.stdin);
  child.stdin.on("error", () => undefined);
  const parts: Buffer[] = [];
  child.stdout.on("data", (part: Buffer) => parts.push(part));
  child.on("close", () => {
    const all = Buffer.concat(parts);
    const end = all.indexOf("\r\n\r\n");
    for (const line of all.subarray(0, end).toString("latin1").split("\r\n")) {
      const [, name = "", value = ""] = /^([^:]+): *(.*)$/.exec(line) ?? [];
      if (name.toLowerCase() === "status") response.statusCode = Number.parseInt(value, 10);
      else if (name !== "") response.setHeader(name, value);
    }
    response.end(lie(all.subarray(end + 4)));
  });
}
