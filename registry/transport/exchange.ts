/** One request and its answer over node's own HTTP client, each of its stages within a time of its own. */
import { type Agent, type ClientRequest, type IncomingMessage, request as open } from "node:http";
import type { Readable } from "node:stream";
import { bodyOf } from "./intake.ts";

export type Body = Uint8Array | AsyncIterable<Uint8Array>;

export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case; of repeated ones all values, joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

/** Milliseconds. */
export interface Patience {
  /** Until the connection stands, a proxy's tunnel and TLS included. */
  readonly connectMs: number;
  /** From the end of the request to the answer's head; and for the other side to take more of a body. */
  readonly headMs: number;
  /** Between two parts of the answer's body. */
  readonly bodyMs: number;
}

/** Bytes that an answer's head may have. */
const maxHeadBytes = 16 * 1024;
/** Bytes of a buffer that are handed over at a time: what is told of silence is told of each. */
const pieceBytes = 256 * 1024;

/**
 * Resolves with the head; the body is the caller's to read. What breaks later destroys the body. Rejects with node's errors,
 * and with the codes HTTP_CONNECT_TIMEOUT, HTTP_HEAD_TIMEOUT, HTTP_BODY_TIMEOUT for a silence.
 */
export function exchange(agent: Agent, asked: Asked, patience: Patience): Promise<Answer> {
  const { method, url, body, signal } = asked;
  const headers: Record<string, string | number> = { ...asked.headers };
  const length = headers["content-length"] ?? (body instanceof Uint8Array ? body.length : undefined);
  // As a number: Node 20.19 compares it with what was sent and takes "0" for another length than 0.
  if (length !== undefined) headers["content-length"] = Number(length);
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const request = open({
      agent,
      method,
      headers,
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port,
      path: url.pathname + url.search,
      maxHeaderSize: maxHeadBytes,
      joinDuplicateHeaders: true,
    });
    let answer: IncomingMessage | undefined;
    const timer = new Timer();
    const end = () => {
      timer.stop();
      signal?.removeEventListener("abort", abort);
    };
    const fail = (error: Error) => {
      end();
      reject(error);
      answer?.destroy(error);
      request.destroy();
    };
    const abort = () => fail(signal?.reason instanceof Error ? signal.reason : new Error("aborted"));
    signal?.addEventListener("abort", abort, { once: true });
    timer.start(patience.connectMs, () => fail(silence("HTTP_CONNECT_TIMEOUT")));
    request.on("error", (error) => {
      if (!answer) fail(error);
      // Who has answered need not read the rest of what we send: that the connection then ends is no failure.
      else if (!answer.complete) answer.destroy(error);
    });
    request.once("response", (incoming) => {
      answer = incoming;
      // Without a listener the stream forgets why it broke; who reads it may come later.
      incoming.on("error", () => {});
      const arrival = bodyOf(incoming, method);
      watch(incoming, arrival, timer, patience.bodyMs, fail);
      incoming.once("close", () => {
        end();
        // The answer is whole, and who gave it does not want the rest of the request.
        if (!request.writableEnded) request.destroy();
      });
      resolve({ status: incoming.statusCode ?? 0, headers: plain(incoming), body: arrival });
    });
    connected(request, url.protocol === "https:")
      .then(async () => {
        const late = () => fail(silence("HTTP_HEAD_TIMEOUT"));
        timer.stop();
        await send(request, body, (isWaiting) => {
          if (answer) return;
          if (isWaiting) timer.start(patience.headMs, late);
          else timer.stop();
        });
        if (!answer && !request.destroyed) timer.start(patience.headMs, late);
      })
      .catch(fail);
  });
}

/** Resolves when bytes can go out; never, when the request fails before that. */
function connected(request: ClientRequest, isTls: boolean): Promise<void> {
  return new Promise((resolve) => {
    request.once("socket", (socket) => {
      // What a proxy's tunnel gives is connected already.
      if (request.reusedSocket || (!isTls && !socket.connecting)) resolve();
      else socket.once(isTls ? "secureConnect" : "connect", () => resolve());
    });
  });
}

/** Resolves when all is handed over, or when nobody wants it any more. `waits` hears when the other side has to take some first. */
async function send(
  request: ClientRequest,
  body: Body | undefined,
  waits: (isWaiting: boolean) => void,
): Promise<void> {
  // A body that is not what its length says would have the other side wait, or take the rest for another request.
  Object.assign(request, { strictContentLength: true });
  for await (const part of body instanceof Uint8Array ? pieces(body) : (body ?? [])) {
    if (request.destroyed) return;
    if (request.write(part)) continue;
    waits(true);
    await new Promise<void>((resolve) => {
      const done = () => {
        request.off("drain", done).off("close", done);
        resolve();
      };
      request.on("drain", done).on("close", done);
    });
    waits(false);
  }
  if (!request.destroyed) request.end();
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** Fails when nothing has come for that long, unless it is the reader that is waited for. */
function watch(
  incoming: IncomingMessage,
  body: Readable,
  timer: Timer,
  ms: number,
  fail: (error: Error) => void,
): void {
  const { socket } = incoming;
  let seen = socket.bytesRead;
  const look = () => {
    if (incoming.complete) return;
    if (socket.bytesRead === seen && body.readableLength === 0) return fail(silence("HTTP_BODY_TIMEOUT"));
    seen = socket.bytesRead;
    timer.start(ms, look);
  };
  timer.start(ms, look);
}

/** How many times a wait looks around: what a machine has no time for is waited for longer than the clock says. */
const looks = 10;

/** Holds up no process: what it waits for does. */
class Timer {
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;

  start(ms: number, act: () => void): void {
    this.stop();
    const turn = this.#turn;
    let left = looks;
    const look = () => {
      if (this.#turn !== turn) return;
      if (left-- === 0) return act();
      // Behind a timer that is late, what came meanwhile comes first.
      this.#timer = setTimeout(() => setImmediate(look), ms / looks).unref();
    };
    look();
  }

  stop(): void {
    this.#turn++;
    clearTimeout(this.#timer);
  }
}

function silence(code: string): Error {
  return Object.assign(new Error("nothing came within the time limit"), { code });
}

function plain({ headers }: IncomingMessage): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) found[name] = Array.isArray(value) ? value.join(", ") : value;
  return found;
}
