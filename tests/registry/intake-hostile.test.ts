/** What a registry, or who sits before it, may do around a large body and behind a small one. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import test, { type ExecutionContext } from "ava";
import { arriving } from "../../registry/transport/arriving.ts";
import { openHttp } from "../../registry/transport/request.ts";

/** Just enough to be taken past the parser; no part of it looks like another. */
const size = 32 * 1024 * 1024;
const content = Buffer.alloc(size);
for (let at = 0; at < size; at += 4) content.writeUInt32LE(at, at);
const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
const honest = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhonest";

/** A server of bare bytes: `say` answers each request, counted over all connections; and how a client asks it. */
async function asking(t: ExecutionContext, say: (socket: Socket, turn: number) => void) {
  const open: Socket[] = [];
  let turn = 0;
  const server = createServer((socket) => {
    open.push(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", () => say(socket, turn++));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const http = openHttp({ userAgent: "wbuild-test", timeoutMs: 10_000 });
  t.teardown(async () => {
    await http.close();
    for (const socket of open) socket.destroy();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return {
    ask: async () => {
      const { body } = await http.send({ method: "GET", url, headers: {} });
      return read(body);
    },
    connections: open,
  };
}

async function read(body: Parameters<typeof arriving>[0]) {
  const parts: Uint8Array[] = [];
  let error: NodeJS.ErrnoException | undefined;
  try {
    for await (const part of arriving(body, 10_000)) parts.push(part);
  } catch (thrown) {
    error = thrown as NodeJS.ErrnoException;
  }
  return { bytes: Buffer.concat(parts), error };
}

/** Both ends are in this process: after some turns of its loop the other one has read what was written. */
async function turns() {
  for (let i = 0; i < 4; i++) await new Promise((next) => setImmediate(next));
}

/** Each part is read by itself. */
async function apart(socket: Socket, ...parts: (Buffer | string)[]) {
  for (const part of parts) {
    socket.write(part);
    await turns();
  }
}

for (const cut of [1, head.length - 2, head.length - 1, head.length, head.length + 1, head.length + 70_000])
  test(`a head and a body that are cut at byte ${cut}`, async (t) => {
    const all = Buffer.concat([head, content]);
    const { ask } = await asking(t, (socket) => void apart(socket, all.subarray(0, cut), all.subarray(cut)));
    const { bytes, error } = await ask();
    t.is(error, undefined);
    t.true(bytes.equals(content));
  });

const kept: [what: string, answer: (socket: Socket) => void][] = [
  [
    "interim answers before it",
    (s) => void apart(s, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", "HTTP/1.1 102 P\r\n\r\n", head, content),
  ],
  [
    "the head and the first bytes of an interim answer's packet",
    (s) => s.write(`HTTP/1.1 100 Continue\r\n\r\n${head}`) && s.write(content),
  ],
  ["a connection that ends with its last byte", (s) => s.write(head) && s.end(content)],
  [
    "a word that it is compressed, which nobody asked for",
    (s) => s.write(String(head).replace("OK\r\n", "OK\r\nContent-Encoding: gzip\r\n")) && s.write(content),
  ],
  ["no length: until the connection ends", (s) => s.write("HTTP/1.1 200 OK\r\n\r\n") && s.end(content)],
  [
    "chunks, and trailers behind them",
    (s) => {
      s.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`);
      s.write(content);
      s.write("\r\n0\r\nX-Trailer: yes\r\n\r\n");
    },
  ],
];
for (const [what, answer] of kept)
  test(`a large body is whole: ${what}`, async (t) => {
    const { ask } = await asking(t, (socket) => void answer(socket));
    const { bytes, error } = await ask();
    t.is(error, undefined);
    t.true(bytes.equals(content));
  });

test("a connection that ends one byte before the end is told, behind all that came", async (t) => {
  const { ask } = await asking(t, (socket) => socket.write(head) && socket.end(content.subarray(0, -1)));
  const { bytes, error } = await ask();
  t.is(error?.code, "ECONNRESET");
  t.true(bytes.equals(content.subarray(0, bytes.length)));
});

test("a length and chunks together are no HTTP, also for a large body", async (t) => {
  const both = String(head).replace("OK\r\n", "OK\r\nTransfer-Encoding: chunked\r\n");
  const { ask } = await asking(t, (socket) => socket.write(`${both}5\r\nhello\r\n0\r\n\r\n`));
  await t.throwsAsync(ask(), { message: /Content-Length/ });
});

const smuggled: [what: string, answer: (socket: Socket) => void][] = [
  ["behind a large body, in its packet", (s) => s.write(Buffer.concat([head, content, Buffer.from(evil)]))],
  ["behind a large body, later", (s) => void apart(s, head, content, evil)],
  ["behind a small body, in its packet", (s) => s.write(honest + evil)],
  ["behind a small body, later", (s) => void apart(s, honest, evil)],
  ["behind a small body, in pieces", (s) => void apart(s, honest + evil.slice(0, 5), evil.slice(5))],
  [
    "behind a small body, without its end",
    (s) => void apart(s, honest, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
  ],
];
// Attack: who can write into a connection, or a server that counts its answers wrongly, puts one there before it is asked for.
for (const [what, answer] of smuggled)
  test(`what comes ${what}, is no answer to the next request`, async (t) => {
    const { ask } = await asking(t, (socket, turn) => (turn === 0 ? answer(socket) : void socket.write(honest)));
    await ask();
    await turns();
    const { bytes, error } = await ask();
    t.is(error, undefined);
    t.is(String(bytes), "honest");
  });

test("half an answer that comes while nobody asks ends its connection", async (t) => {
  const [start, rest] = [evil.slice(0, 10), evil.slice(10)];
  const server = await asking(t, (socket, turn) => {
    if (turn === 0) void apart(socket, honest, start);
    else void socket.write(socket === server.connections[0] ? rest : honest);
  });
  await server.ask();
  await turns();
  t.is(String((await server.ask()).bytes), "honest");
  t.is(server.connections.length, 2);
});
