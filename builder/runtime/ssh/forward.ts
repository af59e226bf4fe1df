/** A socket of the step's own, through which it may ask for keys and signatures: nothing else of the agent protocol passes. */
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WbuildError } from "../../../native/error.ts";
import type { AgentSource } from "./agent-source.ts";
import { type PrivateKey, readPrivateKey } from "./private-key.ts";
import {
  agentFailure,
  identitiesAnswer,
  Messages,
  Reader,
  requestIdentities,
  signRequest,
  signResponse,
  string,
} from "./wire.ts";

export interface ForwardedAgent extends AsyncDisposable {
  /** Of the socket, on this host. */
  readonly path: string;
}

/** One client's partner: gives the answer to a message, one at a time and in order. */
interface Partner extends Disposable {
  answer(message: Buffer): Promise<Buffer>;
}

const largestKey = 1 << 20;

/**
 * Attack: a step that reaches the agent itself removes its keys, locks it, adds keys of its own, or has it load a PKCS#11 module. So the host's socket
 * is never mounted; of what comes through ours only the two questions that BuildKit passes on, too, get an answer.
 */
function mayPass(message: Buffer): boolean {
  return message[0] === requestIdentities || message[0] === signRequest;
}

/**
 * Listens until disposed. Throws STEP_SSH when the agent or a key cannot be used.
 */
export async function forwardAgent(
  source: AgentSource,
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<ForwardedAgent> {
  const partner = source.kind === "socket" ? await agentOf(source.path) : keyAgent(source.paths.map(readKey));
  // A short path: that of a socket has 107 bytes at most.
  const folder = mkdtempSync(join(tmpdir(), "wbuild-ssh-"));
  const path = join(folder, "agent");
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.once("close", () => clients.delete(client));
    serve(client, partner());
  });
  const close = async () => {
    for (const client of clients) client.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    giveTo(path, uid, gid);
    chmodSync(path, mode);
  } catch (cause) {
    await close();
    throw new WbuildError("STEP_SSH", `cannot make a socket for ssh: ${(cause as Error).message}`, { cause });
  }
  return { path, [Symbol.asyncDispose]: close };
}

/** With an ordinary user's single id there is nobody but root, and the socket stays root's. */
function giveTo(path: string, uid: number, gid: number): void {
  try {
    chownSync(path, uid, gid);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EINVAL") throw cause;
  }
}

/** What goes wrong with one client ends its connection, and nothing else. */
function serve(client: Socket, partner: Partner): void {
  const messages = new Messages();
  let work: Promise<unknown> = Promise.resolve();
  client.on("error", () => client.destroy());
  client.once("close", () => partner[Symbol.dispose]());
  client.on("data", (bytes: Buffer) => {
    const found = messages.take(bytes);
    if (found === undefined) return client.destroy();
    for (const message of found) {
      // Nothing more is read while an answer is on its way: a flood of questions fills the client's own buffers.
      client.pause();
      work = work
        .then(async () => client.write(string(mayPass(message) ? await partner.answer(message) : agentFailure)))
        .then(() => client.resume())
        .catch(() => client.destroy());
    }
    return undefined;
  });
}

/** An agent of this host. Each client has a connection of its own, made when it first asks. */
async function agentOf(path: string): Promise<() => Partner> {
  const unreachable = (cause: unknown) =>
    new WbuildError("STEP_SSH", `no ssh agent answers at ${path}`, {
      cause,
      facts: { path },
      hint: "start one with `eval $(ssh-agent)` and load a key with ssh-add",
    });
  await new Promise<void>((resolve, reject) => {
    const probe = connect(path, () => {
      probe.end();
      resolve();
    });
    probe.once("error", (cause) => reject(unreachable(cause)));
  });
  return () => {
    let agent: Socket | undefined;
    let wanted: { resolve: (answer: Buffer) => void; reject: (error: Error) => void } | undefined;
    const open = (): Socket => {
      const socket = connect(path);
      const messages = new Messages();
      const fail = () => wanted?.reject(new Error("the agent has gone"));
      socket.on("data", (bytes: Buffer) => {
        const [answer] = messages.take(bytes) ?? [agentFailure];
        if (answer) wanted?.resolve(answer);
      });
      socket.on("error", fail);
      socket.on("close", fail);
      return socket;
    };
    return {
      answer: (message) =>
        new Promise((resolve, reject) => {
          wanted = { resolve, reject };
          agent ??= open();
          agent.write(string(message));
        }),
      [Symbol.dispose]: () => agent?.destroy(),
    };
  };
}

function readKey(path: string): PrivateKey {
  try {
    const found = statSync(path);
    if (!found.isFile() || found.size > largestKey) throw new Error("it is no key file");
    return readPrivateKey(readFileSync(path, "utf8"), path);
  } catch (cause) {
    if (cause instanceof WbuildError) throw cause;
    throw new WbuildError("STEP_SSH", `cannot read the key ${path}: ${(cause as Error).message}`, {
      cause,
      facts: { path },
    });
  }
}

/** An agent of our own, with a few keys. */
function keyAgent(keys: readonly PrivateKey[]): () => Partner {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(keys.length);
  const list = keys.flatMap((key) => [string(key.publicBlob), string(key.comment)]);
  const identities = Buffer.concat([Buffer.from([identitiesAnswer]), count, ...list]);
  const partner: Partner = {
    async answer(message) {
      if (message[0] === requestIdentities) return identities;
      const asked = new Reader(message.subarray(1));
      const blob = asked.string();
      const data = asked.string();
      const flags = asked.uint32();
      const key = keys.find(({ publicBlob }) => publicBlob.equals(blob));
      return key ? Buffer.concat([Buffer.from([signResponse]), string(key.sign(data, flags))]) : agentFailure;
    },
    [Symbol.dispose]: () => undefined,
  };
  return () => partner;
}
