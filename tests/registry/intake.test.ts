/** Large bodies, which pass the parser of answers by: whole, cut off, too long, silent, unwanted. */
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createPlain, type Server, type Socket } from "node:net";
import { Readable } from "node:stream";
import test, { type ExecutionContext } from "ava";
import { digestOf } from "../../layerfs/store/digest.ts";
import { openStore } from "../../layerfs/store/store.ts";
import { fetchBlob } from "../../registry/pull.ts";
import { parseReference } from "../../registry/reference.ts";
import { arriving } from "../../registry/transport/arriving.ts";
import { type HttpOptions, openHttp } from "../../registry/transport/request.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { clientFor, openApp } from "../doubles/registry-client.ts";
import { scratchFolder } from "../doubles/scratch.ts";

const mib = 1024 * 1024;
/** More than what is worth a connection of its own. */
const size = 40 * mib + 7;
/** No part of it looks like another. */
const content = Buffer.alloc(size);
for (let at = 0; at + 4 <= size; at += 4) content.writeUInt32LE(at, at);

function client(t: ExecutionContext, port: number, options: Partial<HttpOptions> = {}, scheme = "http") {
  const http = openHttp({ userAgent: "wbuild-test", ...options });
  t.teardown(() => http.close());
  const url = new URL(`${scheme}://127.0.0.1:${port}/`);
  return (signal?: AbortSignal) => http.send({ method: "GET", url, headers: {}, signal });
}

/** Bare bytes behind a request's head, and how many connections there were. */
async function saying(t: ExecutionContext, say: (socket: Socket) => void) {
  const server = createPlain((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => say(socket));
  });
  return listening(t, server);
}

async function listening(t: ExecutionContext, server: Server) {
  const open: Socket[] = [];
  server.on("connection", (socket: Socket) => void open.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, connections: () => open.length };
}

async function read(body: AsyncIterable<Uint8Array>) {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

const head = (length: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;

test("a large body is whole, whatever came with its head, and the next request has a connection of its own", async (t) => {
  const { port, connections } = await saying(t, (socket) => {
    socket.write(Buffer.concat([Buffer.from(head(size)), content.subarray(0, 100_000)]));
    socket.write(content.subarray(100_000));
  });
  const ask = client(t, port);
  for (const time of [1, 2]) {
    const { status, body } = await ask();
    t.is(status, 200);
    t.true((await read(arriving(body, 10_000))).equals(content));
    t.is(connections(), time);
  }
});

test("several large bodies at once stay apart, and small ones beside them", async (t) => {
  const { port } = await listening(
    t,
    createServer((request, response) => {
      const letter = request.headers["x-letter"];
      if (letter === undefined) return void response.end(content.subarray(0, 1000));
      response.writeHead(200, { "content-length": size }).end(Buffer.alloc(size, String(letter)));
    }),
  );
  const http = openHttp({ userAgent: "wbuild-test" });
  t.teardown(() => http.close());
  const url = new URL(`http://127.0.0.1:${port}/`);
  await Promise.all(
    ["a", "b", "c", undefined, undefined].map(async (letter) => {
      const headers: Record<string, string> = letter ? { "x-letter": letter } : {};
      const { body } = await http.send({ method: "GET", url, headers });
      const expected = letter ? Buffer.alloc(size, letter) : content.subarray(0, 1000);
      t.true((await read(arriving(body, 10_000))).equals(expected));
    }),
  );
});

test("a registry's blob over TLS: pushed, and pulled as it was", async (t) => {
  await using registry = await startRegistry({ tls: true });
  await using app = openApp(registry.host, { ca: registry.ca ?? "" });
  const blob = { mediaType: "application/octet-stream", digest: digestOf(content), size };
  t.is(await app.repository.pushBlob(blob, () => Readable.from([content])), "sent");
  t.true((await read(app.repository.blob(blob))).equals(content));
  t.true((await read(app.repository.blob(blob, 7 * mib))).equals(content.subarray(7 * mib)));
});

test("bytes behind the end are nobody's", async (t) => {
  const { port } = await saying(t, (socket) => {
    socket.write(head(size));
    socket.end(Buffer.concat([content, Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")]));
  });
  const { body } = await client(t, port)();
  t.true((await read(arriving(body, 10_000))).equals(content));
});

for (const [title, end] of [
  ["ends", (socket: Socket) => socket.end()],
  ["is reset", (socket: Socket) => socket.resetAndDestroy()],
] as const)
  test(`when the connection ${title} early, all that came is handed on first`, async (t) => {
    const part = 35 * mib;
    let sender: Socket | undefined;
    const { port } = await saying(t, (socket) => {
      sender = socket;
      socket.write(head(size));
      socket.write(content.subarray(0, part));
    });
    const { body } = await client(t, port)();
    let came = 0;
    const error = await t.throwsAsync(async () => {
      for await (const bytes of arriving(body, 10_000)) {
        came += bytes.length;
        if (came === part && sender) end(sender);
      }
    });
    t.is((error as NodeJS.ErrnoException).code, "ECONNRESET");
    t.is(came, part);
  });

test("a large blob whose transfers break comes into the store by ranges, whole and no byte twice", async (t) => {
  const blob = { mediaType: "application/octet-stream", digest: digestOf(content), size };
  const asked: number[] = [];
  const server = createServer((request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (!request.url?.includes("/blobs/")) return void response.end();
    asked.push(from);
    const headers = { "content-length": size - from, "content-range": `bytes ${from}-${size - 1}/${size}` };
    response.writeHead(from > 0 ? 206 : 200, headers);
    // The second one is as large that it is taken past the parser, too.
    const to = [3 * mib + 1, 20 * mib + 5][asked.length - 1];
    if (to === undefined) return void response.end(content.subarray(from));
    response.write(content.subarray(from, to), () => response.socket?.end());
  });
  const { port } = await listening(t, server);
  using store = openStore(scratchFolder(t), { upkeep: false });
  const repository = clientFor(t).repository(parseReference(`127.0.0.1:${port}/team/app`));
  await fetchBlob(repository, blob, store.blobs);
  t.deepEqual(asked, [0, 3 * mib + 1, 20 * mib + 5]);
  t.deepEqual((await store.verify()).corrupt, []);
});

test("a silence ends the body; a reader that takes its time holds up the other side, and is none", async (t) => {
  const patienceMs = 400;
  let written = 0;
  const { port } = await saying(t, (socket) => {
    socket.write(head(4 * size));
    const more = () => {
      while (written < size) {
        written += mib;
        if (!socket.write(content.subarray(0, mib))) return void socket.once("drain", more);
      }
    };
    more();
  });
  const { body } = await client(t, port, { timeoutMs: patienceMs })();
  await new Promise((later) => setTimeout(later, 3 * patienceMs));
  // What the system holds for both ends of a connection, and a little of ours.
  t.true(written < 30 * mib, `${written} bytes were taken from the other side while nobody read`);
  const error = await t.throwsAsync(read(arriving(body, 10_000)));
  t.is((error as NodeJS.ErrnoException).code, "HTTP_BODY_TIMEOUT");
});

test("an abort ends the body with its reason, and the connection", async (t) => {
  const ended = later();
  const { port } = await saying(t, (socket) => {
    socket.once("close", () => ended.resolve());
    socket.write(head(size));
    socket.write(content.subarray(0, mib));
  });
  const stop = new AbortController();
  const { body } = await client(t, port)(stop.signal);
  const reason = new Error("enough");
  const error = await t.throwsAsync(async () => {
    for await (const _ of arriving(body, 10_000)) stop.abort(reason);
  });
  t.is(error, reason);
  await ended.promise;
});

test("who stops reading ends the connection", async (t) => {
  const ended = later();
  const { port } = await saying(t, (socket) => {
    socket.once("close", () => ended.resolve());
    socket.write(head(size));
    socket.write(content);
  });
  const { body } = await client(t, port)();
  for await (const _ of arriving(body, 10_000)) break;
  await t.notThrowsAsync(ended.promise);
});

function later() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
