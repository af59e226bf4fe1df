/** Fetches a bake definition that lies elsewhere: a git repository, a tar, or the file itself behind a URL. */
import { join, posix } from "node:path";
import { WbuildError } from "../../native/error.ts";
import type { Target } from "../bake/target.ts";
import type { Cli } from "./command.ts";
import { openSession } from "./session.ts";

export interface BakeElsewhere {
  /** What paths of its targets are within; absent: the URL is the file alone, whose paths are those of this host. */
  readonly root?: string;
  /** What is there to read; absent: the usual files. */
  readonly names?: readonly string[];
  /** Undefined for a file that is not there. Throws BAKE_FILE. */
  read(name: string): Promise<string | undefined>;
}

/** buildx's variables for what fetching needs, by the secret of a build that means the same. */
const variables = { GIT_AUTH_TOKEN: "BUILDX_BAKE_GIT_AUTH_TOKEN", GIT_AUTH_HEADER: "BUILDX_BAKE_GIT_AUTH_HEADER" };

/** Calls `use` while the place's files are here. Throws CTX_* for what cannot be fetched, BAKE_FILE. */
export async function withElsewhere<T>(url: string, cli: Cli, use: (place: BakeElsewhere) => Promise<T>): Promise<T> {
  const { fileNameOf, parseHttpUrl, RemoteSources } = await import("../context/remote-sources.ts");
  const { parseGitUrl } = await import("../context/git/url.ts");
  await using session = openSession(cli);
  const store = await session.store();
  const remote = new RemoteSources({ store, signal: cli.signal, ...accessOf(cli) });
  const git = parseGitUrl(url, { bare: true });
  if (git) return use({ root: url, read: reader(await remote.gitFolder(git, { keepGitDir: false }), cli) });
  const http = parseHttpUrl(url);
  if (!http) throw new WbuildError("BAKE_FILE", `${JSON.stringify(url.slice(0, 200))} is nothing to fetch from`);
  const file = await remote.file(http);
  const { isTarFile, unpackedTar } = await import("../context/unpacked-tar.ts");
  if (await isTarFile(file.path))
    return use({ root: url, read: reader(await unpackedTar(store, file, file.shown), cli) });
  const own = fileNameOf(http);
  const read = reader(join(file.path, ".."), cli);
  return use({ names: [own], read: async (name) => (name === own ? read(posix.basename(file.path)) : undefined) });
}

function accessOf({ env, keepSecret }: Cli) {
  return {
    secret: async (id: string) => {
      const value = env[variables[id as keyof typeof variables] ?? ""];
      if (value) keepSecret(value);
      return value ? Buffer.from(value) : undefined;
    },
    agent: async () => {
      const path = env.BUILDX_BAKE_GIT_SSH || env.SSH_AUTH_SOCK;
      if (!path) return undefined;
      const { forwardAgent } = await import("../runtime/ssh/forward.ts");
      const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
      return forwardAgent({ kind: "socket", path }, { mode: 0o600, ...owner });
    },
  };
}

/** Reads files below the folder, wherever their names and links would lead. */
function reader(folder: string, { signal }: Cli): BakeElsewhere["read"] {
  return async (name) => {
    const { readSteeringFile } = await import("../dockerfile/steering-file.ts");
    const path = join(folder, posix.resolve("/", name).slice(1));
    try {
      return (await readSteeringFile({ path, folder, signal })).toString("utf8");
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code === "ENOENT") return undefined;
      throw new WbuildError("BAKE_FILE", `cannot read ${name}: ${code ?? message}`, { facts: { file: name } });
    }
  };
}

/**
 * The target with the token that its definition was fetched with, where its context comes from the same host. Attack: a
 * definition whose context is a server of its own would have it sent there.
 */
export function withToken(target: Target, url: string, { env }: Cli): Target {
  const host = hostOf(url);
  if (host === undefined || host !== hostOf(target.context ?? "")) return target;
  const given = Object.entries(variables).flatMap(([id, name]) => (env[name] ? [`id=${id}.${host},env=${name}`] : []));
  return given.length === 0 ? target : { ...target, secret: [...(target.secret ?? []), ...given] };
}

function hostOf(url: string): string | undefined {
  if (url.startsWith("github.com/")) return "github.com";
  return /^https?:\/\//i.test(url) && URL.canParse(url) ? new URL(url).host : undefined;
}
