/** Where a connection reads to: a buffer that the parser of answers copies from; and for a large body, past that parser. */
import type { IncomingMessage } from "node:http";
import type { OnReadOpts, Socket } from "node:net";
import { Readable } from "node:stream";

/**
 * Of all connections. The parser copies each read out of it before the next one begins. A fresh buffer for each 64 KiB,
 * which is Node's own way, costs a fast transfer a quarter of its CPU time, and at its peak 40 MB that wait for the garbage
 * collector.
 */
const parsed = Buffer.allocUnsafeSlow(128 * 1024);

/** Bytes of a body that are read at once; the fewer parts, the fewer turns of everything that they pass through. */
const partBytes = 512 * 1024;

/** A smaller body is not worth its connection, which can serve no other request afterwards. */
const worthwhileBytes = 32 * 1024 * 1024;

type Take = (bytes: Uint8Array) => void;
const intakes = new WeakMap<Socket, { take?: Take }>();

/** What a new connection takes as `onread`. */
export function intake(): OnReadOpts {
  const self: { take?: Take } = {};
  let next: Uint8Array = parsed;
  return {
    buffer: () => next,
    callback(this: Socket, count, buffer) {
      intakes.set(this, self);
      const bytes = buffer.subarray(0, count);
      if (self.take) self.take(bytes);
      // Attack, or a server that counts wrongly: what comes while nobody asks would be the next request's answer.
      else if (!this.emit("data", bytes)) this.destroy();
      if (!self.take) next = parsed;
      // What is handed on is the receiver's. A short read leaves room for another.
      else if (buffer !== parsed && buffer.length - count >= partBytes / 4) next = buffer.subarray(count);
      else next = Buffer.allocUnsafeSlow(partBytes);
      return true;
    },
  };
}

/**
 * The body of an answer whose head has just come. A large one that tells its length is taken from the connection as it is
 * read: the parser's copies and queues are as much work as reading from the system. Any other is the answer itself. To be
 * called where the head is told of, before more is read.
 */
export function bodyOf(incoming: IncomingMessage, method: string): Readable {
  const { socket, headers, statusCode } = incoming;
  const mine = intakes.get(socket);
  let left = Number(headers["content-length"]);
  const isPlain = method === "GET" && (statusCode === 200 || statusCode === 206) && !("transfer-encoding" in headers);
  if (!mine || !isPlain || !(left >= worthwhileBytes)) return incoming;
  const body = new Readable({
    read: () => void socket.resume(),
    destroy(error, done) {
      incoming.destroy();
      done(error);
    },
  });
  const take = (bytes: Uint8Array) => {
    if (left === 0) return;
    // What comes behind the end is no part of it, and nothing else is read from there.
    const isRoomy = body.push(bytes.subarray(0, left));
    left -= Math.min(left, bytes.length);
    if (left === 0) body.push(null);
    else if (!isRoomy) socket.pause();
  };
  // What came together with the head, the parser has.
  incoming.on("data", take);
  mine.take = take;
  const broke = (error?: Error) => {
    if (left > 0) body.destroy(error ?? Object.assign(new Error("closed"), { code: "ECONNRESET" }));
  };
  incoming.on("error", broke).on("close", () => broke());
  return body;
}
