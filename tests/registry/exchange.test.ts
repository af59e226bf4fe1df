/** One request over a connection: what the times are for, and what happens when one side does not keep to the protocol. */
import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createPlain, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { arriving } from "../../registry/transport/arriving.ts";
import { drain, type HttpRequest, openHttp, readAll } from "../../registry/transport/request.ts";

/** Enough for a connection on a busy machine. */
const patienceMs = 400;

/** A server that does as told, and a client. */
async function between(t: ExecutionContext, answer: RequestListener, timeoutMs = 60_000) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const http = openHttp({ userAgent: "wbuild-test", timeoutMs });
  t.teardown(async () => {
    await http.close();
    server.closeAllConnections();
    server.close();
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const connections = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  return {
    server,
    connections,
    send: (request: Partial<HttpRequest> = {}) => http.send({ method: "GET", url, headers: {}, ...request }),
  };
}

const piece = Buffer.alloc(64 * 1024, "x");

async function* endless() {
  for (;;) yield piece;
}

test("a connection serves one request after the other", async (t) => {
  const seen = new Set<unknown>();
  const { send } = await between(t, (request, response) => {
    seen.add(request.socket);
    response.end("hello");
  });
  for (let i = 0; i < 3; i++) t.is(String(await readAll((await send()).body, 100)), "hello");
  t.is(seen.size, 1);
});

test("bodies that arrive side by side stay apart, also when a reader falls behind", async (t) => {
  const size = 6 * 1024 * 1024;
  const { send } = await between(t, (request, response) => {
    response.end(Buffer.alloc(size, String(request.headers["x-letter"])));
  });
  const letters = ["a", "b", "c", "d"];
  const bodies = await Promise.all(
    letters.map(async (letter) => {
      const { body } = await send({ headers: { "x-letter": letter } });
      const parts: Uint8Array[] = [];
      for await (const part of arriving(body, 60_000)) {
        parts.push(part);
        if (letter < "c") await setImmediate();
      }
      return Buffer.concat(parts);
    }),
  );
  for (const [i, letter] of letters.entries()) t.true(bodies[i]?.equals(Buffer.alloc(size, letter)));
});

test("headers that come twice are joined, whatever their name", async (t) => {
  const { send } = await between(t, (_request, response) => {
    response.writeHead(200, [
      ["Location", "/a"],
      ["location", "/b"],
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
    ] as never);
    response.end();
  });
  const { headers, body } = await send();
  await drain(body);
  t.is(headers.location, "/a, /b");
  t.is(headers["set-cookie"], "a=1, b=2");
});

test("a refusal before the request is whole is the answer; the rest is not sent, and the connection is used no more", async (t) => {
  const { send, connections, server } = await between(
    t,
    (_request, response) => void response.writeHead(413).end("no"),
  );
  let sent = 0;
  const hasEnded = new Promise<void>((resolve) => {
    server.on("connection", (socket: Socket) => socket.once("close", () => resolve()));
  });
  async function* body() {
    for await (const part of endless()) {
      sent += part.length;
      yield part;
    }
  }
  const { status, body: said } = await send({
    method: "PUT",
    body: body(),
    headers: { "content-length": "1000000000000" },
  });
  t.is(status, 413);
  t.is(String(await readAll(said, 100)), "no");
  await hasEnded;
  t.is(await connections(), 0);
  t.true(sent < 100 * 1024 * 1024);
});

for (const [title, length] of [
  ["shorter", 20],
  ["longer", 5],
] as const)
  test(`a body that is ${title} than its length is not passed off as whole`, async (t) => {
    let whole = 0;
    const { send } = await between(t, (request, response) => {
      request.resume().on("end", () => whole++);
      request.on("error", () => {});
      request.on("end", () => response.end());
    });
    async function* body() {
      yield Buffer.from("0123456789");
    }
    const error = await t.throwsAsync(
      send({ method: "PUT", body: body(), headers: { "content-length": String(length) } }),
    );
    t.is((error as NodeJS.ErrnoException).code, "ERR_HTTP_CONTENT_LENGTH_MISMATCH");
    t.is(whole, 0);
  });

test("what fails while a body is read is told as it is, and ends the connection", async (t) => {
  const closed: Promise<void>[] = [];
  const { send, server } = await between(t, (request) => void request.resume().on("error", () => {}));
  server.on("connection", (socket: Socket) => {
    closed.push(new Promise((resolve) => socket.once("close", () => resolve())));
  });
  async function* body() {
    yield piece;
    throw new Error("the disk is gone");
  }
  await t.throwsAsync(send({ method: "PUT", body: body() }), { message: "the disk is gone" });
  t.is(closed.length, 1);
  await Promise.all(closed);
});

test("a source that takes its time is no silence of the other side", async (t) => {
  const { send } = await between(
    t,
    (request, response) => void request.resume().on("end", () => response.end("got")),
    patienceMs,
  );
  async function* body() {
    yield piece;
    await new Promise((later) => setTimeout(later, 2 * patienceMs));
    yield piece;
  }
  t.is(String(await readAll((await send({ method: "PUT", body: body() })).body, 100)), "got");
});

const silences: [title: string, code: string, answer: RequestListener, request?: Partial<HttpRequest>][] = [
  ["no head comes", "HTTP_HEAD_TIMEOUT", () => {}],
  [
    "no head comes for a whole body",
    "HTTP_HEAD_TIMEOUT",
    (request) => void request.resume(),
    { method: "PUT", body: Buffer.from("x") },
  ],
  [
    "nothing of the body is taken",
    "HTTP_HEAD_TIMEOUT",
    (request) => void request.socket.pause(),
    { method: "PUT", body: endless() },
  ],
];
for (const [title, code, answer, request] of silences)
  test(`a silence: ${title}`, async (t) => {
    const { send } = await between(t, answer, patienceMs);
    const error = await t.throwsAsync(send(request));
    t.is((error as NodeJS.ErrnoException).code, code);
  });

test("a silence within the answer's body; a reader that takes its time is none", async (t) => {
  const answers: ServerResponse[] = [];
  const { send } = await between(
    t,
    (_request, response) => {
      answers.push(response);
      response.writeHead(200, { "content-length": "1000000" }).write(piece);
    },
    patienceMs,
  );
  const silent = await send();
  const error = await t.throwsAsync(async () => {
    for await (const _ of arriving(silent.body, 10_000));
  });
  t.is((error as NodeJS.ErrnoException).code, "HTTP_BODY_TIMEOUT");

  const slow = await send();
  await new Promise((later) => setTimeout(later, 3 * patienceMs));
  answers[1]?.end(Buffer.alloc(1_000_000 - piece.length));
  t.is((await readAll(slow.body, 1_000_000))?.length, 1_000_000);
});

test("an abort ends a request at each of its stages", async (t) => {
  const { send } = await between(
    t,
    (_request, response) => void response.writeHead(200, { "content-length": "10" }).write("x"),
  );
  const reason = new Error("enough");
  await t.throwsAsync(send({ signal: AbortSignal.abort(reason) }), { is: reason });
  const early = new AbortController();
  const asked = send({ method: "PUT", body: endless(), signal: early.signal });
  early.abort(reason);
  await t.throwsAsync(asked, { is: reason });
  const late = new AbortController();
  const { body } = await send({ signal: late.signal });
  const read = readAll(body, 100);
  late.abort(reason);
  await t.throwsAsync(read, { is: reason });
});

test("an answer that is none: the other side speaks something else, or hangs up", async (t) => {
  const words: readonly [said: string, code: string][] = [
    ["SSH-2.0-OpenSSH_9.2\r\n", "HPE_INVALID_CONSTANT"],
    ["", "ECONNRESET"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "HPE_UNEXPECTED_CONTENT_LENGTH"],
    [
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HPE_INVALID_TRANSFER_ENCODING",
    ],
  ];
  for (const [said, code] of words) {
    const server = createPlain((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.end(said));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const http = openHttp({ userAgent: "wbuild-test" });
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const error = await t.throwsAsync(http.send({ method: "GET", url, headers: {} }), undefined, said);
    t.is((error as NodeJS.ErrnoException).code, code);
    await http.close();
    server.close();
  }
});

test("chunks that break the protocol end a body with an error", async (t) => {
  const { send } = await between(t, (_request, response) => {
    response.writeHead(200).write("fine");
    response.socket?.write("nonsense\r\n");
  });
  const error = await t.throwsAsync(async () => {
    for await (const _ of arriving((await send()).body, 10_000));
  });
  t.regex((error as NodeJS.ErrnoException).code ?? "", /^HPE_/);
});

test.serial("a proxy that refuses, hangs up or says nothing is told as that", async (t) => {
  const before = process.env.HTTP_PROXY;
  t.teardown(() => {
    if (before === undefined) delete process.env.HTTP_PROXY;
    else process.env.HTTP_PROXY = before;
  });
  const proxies: readonly [answer: (socket: Socket) => unknown, told: RegExp][] = [
    [(socket) => socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), /the proxy answered 407/],
    [(socket) => socket.destroy(), /socket hang up/],
    [() => {}, /within the time limit|no tunnel/],
  ];
  for (const [answer, told] of proxies) {
    const server = createPlain((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => answer(socket));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    process.env.HTTP_PROXY = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const http = openHttp({ userAgent: "wbuild-test", timeoutMs: patienceMs });
    await t.throwsAsync(http.send({ method: "GET", url: new URL("http://registry.invalid/"), headers: {} }), {
      message: told,
    });
    await http.close();
    server.close();
  }
});

test.serial("what a proxy sends right behind its own answer belongs to the tunnel", async (t) => {
  const before = process.env.HTTP_PROXY;
  const server = createPlain((socket: Socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  process.env.HTTP_PROXY = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const http = openHttp({ userAgent: "wbuild-test" });
  t.teardown(async () => {
    if (before === undefined) delete process.env.HTTP_PROXY;
    else process.env.HTTP_PROXY = before;
    await http.close();
    server.close();
  });
  const { body } = await http.send({ method: "GET", url: new URL("http://registry.invalid/"), headers: {} });
  t.is(String(await readAll(body, 100)), "hello");
});
