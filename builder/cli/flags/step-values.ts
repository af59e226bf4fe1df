/** What `--secret`, `--ssh` and `--allow` give to steps, spelled as `docker buildx build` has it. */
import { constants, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { WbuildError } from "../../../native/error.ts";
import type { Entitlements } from "../../runtime/entitlements.ts";
import type { AgentSource } from "../../runtime/ssh/agent-source.ts";
import { badValue, parsePair, splitCsv } from "./values.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** As BuildKit's: a step's environment and its tmpfs are no place for files. */
const largestSecret = 500 * 1024;

const secretForm = "of the form id=NAME,src=FILE or id=NAME,env=VARIABLE";

/**
 * `id=x,src=FILE`, `id=x,env=NAME`, `id=x,type=env`; the id alone means the variable of that name, else the file. A variable
 * that is not set gives no secret. Throws CLI_VALUE.
 */
export async function readSecret(
  text: string,
  env: Env,
  cwd: string,
): Promise<[id: string, value: Uint8Array] | undefined> {
  const given = new Map<string, string>();
  for (const field of splitCsv("--secret", text)) {
    const [key, value] = parsePair("--secret", field);
    const name = { src: "source" }[key.toLowerCase()] ?? key.toLowerCase();
    if (value === undefined || !["id", "source", "env", "type"].includes(name))
      throw badValue("--secret", text, secretForm);
    given.set(name, value);
  }
  const [id, type] = [given.get("id"), given.get("type")];
  if (!id || (type !== undefined && type !== "file" && type !== "env")) throw badValue("--secret", text, secretForm);
  let [path, name] = [given.get("source"), given.get("env")];
  if (type === "env") name ??= path;
  if (type === "env" && name === path) path = undefined;
  if (path === undefined && name === undefined) {
    if (type === "env" || (type === undefined && env[id] !== undefined)) name = id;
    else path = id;
  }
  if (path !== undefined && name !== undefined) throw badValue("--secret", text, "either a file or a variable");
  if (name === undefined) return [id, await secretFile(resolve(cwd, path ?? id), id)];
  const value = env[name];
  return value === undefined ? undefined : [id, Buffer.from(value)];
}

async function secretFile(path: string, id: string): Promise<Uint8Array> {
  const refuse = (why: string, cause?: unknown) =>
    new WbuildError("CLI_VALUE", `--secret ${id}: ${why}: ${path}`, { cause, facts: { flag: "--secret", path } });
  // A pipe that nobody writes to must not keep us waiting while it is opened; `<(command)` is one and can be read.
  const file = await open(path, constants.O_RDONLY).catch((cause: unknown) => {
    throw refuse("cannot read the file", cause);
  });
  try {
    if ((await file.stat()).isDirectory()) throw refuse("this is a folder");
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of file.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > largestSecret) throw refuse(`a secret has at most ${largestSecret} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  } finally {
    await file.close();
  }
}

/** What progress output hides of a secret: all of it and, since steps mostly print a line, each line that could be nothing else. */
export function hiddenParts(value: Uint8Array): string[] {
  const text = Buffer.from(value).toString("utf8");
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const long = lines.length > 1 ? lines.filter((line) => line.length >= 12) : [];
  // A value of one or two characters would put stars all over the output, and tell where it stands.
  return [text, ...long.slice(0, 1000)].filter((part) => part.trim().length >= 3);
}

/** `default`, `ID`, `ID=SOCKET`, `ID=KEY[,KEY]`. Throws CLI_VALUE. */
export function parseSsh(text: string, env: Env, cwd: string): [id: string, source: AgentSource] {
  const [id, value] = parsePair("--ssh", text);
  const paths = (value ?? "").split(",").filter((path) => path !== "");
  if (paths.length === 0) {
    const path = env.SSH_AUTH_SOCK;
    if (path) return [id, { kind: "socket", path }];
    throw new WbuildError("CLI_VALUE", `--ssh ${id}: there is no agent: SSH_AUTH_SOCK is not set`, {
      facts: { flag: "--ssh" },
      hint: `start one with \`eval $(ssh-agent)\`, or give a key: --ssh ${id}=~/.ssh/id_ed25519`,
    });
  }
  const absolute = paths.map((path) => resolve(cwd, path.replace(/^~(?=\/)/, env.HOME ?? "~")));
  const found = absolute.map((path) => statSync(path, { throwIfNoEntry: false }));
  const lost = absolute.find((_, i) => !found[i]);
  if (lost !== undefined)
    throw new WbuildError("CLI_VALUE", `--ssh ${id}: ${lost} is not there`, { facts: { flag: "--ssh", path: lost } });
  const [first = "", ...others] = absolute;
  if (!found.some((one) => one?.isSocket())) return [id, { kind: "keys", paths: absolute }];
  if (others.length > 0) throw badValue("--ssh", text, "one agent's socket, or keys");
  return [id, { kind: "socket", path: first }];
}

/** `network.host`, `security.insecure`, `device`, `device=vendor.com/class=name`. Throws CLI_VALUE. */
export function parseAllow(texts: readonly string[]): Entitlements {
  let [networkHost, insecure] = [false, false];
  let devices: true | string[] = [];
  for (const text of texts.flatMap((each) => each.split(",")).map((each) => each.trim())) {
    const device = /^device=(.+)$/.exec(text)?.[1];
    if (text === "network.host") networkHost = true;
    else if (text === "security.insecure") insecure = true;
    else if (text === "device") devices = true;
    else if (device !== undefined) {
      if (devices !== true) devices.push(device);
    } else throw badValue("--allow", text, "one of network.host, security.insecure, device and device=NAME");
  }
  return {
    ...(networkHost ? { networkHost } : {}),
    ...(insecure ? { insecure } : {}),
    ...(devices === true || devices.length > 0 ? { devices } : {}),
  };
}
