/** What comes over a connection and is no HTTP, or is it without end: each is told, none is waited for. */
import { type AddressInfo, createServer, type Socket } from "node:net";
import test from "ava";
import { openApp } from "../doubles/registry-client.ts";

/** The same text again and again. */
function endless(socket: Socket, text: (turn: number) => string): void {
  let turn = 0;
  const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write(text(turn++))), 5);
}

const ok = "HTTP/1.1 200 OK\r\n";
const long = "a".repeat(10_000);
const answers: [what: string, code: string, answer: (socket: Socket) => void][] = [
  ["interim answers without end", "REG_TIMEOUT", (s) => endless(s, () => "HTTP/1.1 102 Processing\r\n\r\n")],
  [
    "another protocol instead",
    "REG_TIMEOUT",
    (s) => s.write("HTTP/1.1 101 Ha\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
  ],
  ["a greeting of SSH", "REG_PROTOCOL", (s) => s.write("SSH-2.0-OpenSSH_9\r\n")],
  ["a status line without end", "REG_PROTOCOL", (s) => s.write("HTTP/1.1 200 ") && endless(s, () => long)],
  ["headers without end", "REG_PROTOCOL", (s) => s.write(ok) && endless(s, (turn) => `x${turn}: ${long}\r\n`)],
  ["two lengths", "REG_PROTOCOL", (s) => s.write(`${ok}Content-Length: 5\r\nContent-Length: 7\r\n\r\nhello12`)],
  [
    "a length and chunks",
    "REG_PROTOCOL",
    (s) => s.write(`${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`),
  ],
  [
    "a chunk's extension without end",
    "REG_PROTOCOL",
    (s) => s.write(`${ok}Transfer-Encoding: chunked\r\n\r\n5;`) && endless(s, () => long),
  ],
  [
    "trailers without end",
    "REG_PROTOCOL",
    (s) => s.write(`${ok}Transfer-Encoding: chunked\r\n\r\n0\r\n`) && endless(s, (turn) => `x${turn}: ${long}\r\n`),
  ],
];
for (const [what, code, answer] of answers)
  test(`${what}: ${code}`, async (t) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (request) => {
        // Whether there is a registry without TLS is asked first.
        if (String(request).startsWith("GET /v2/ ")) socket.end(`${ok}Content-Length: 0\r\nConnection: close\r\n\r\n`);
        else answer(socket);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.teardown(() => server.close());
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using opened = openApp(host, { fetchTimeoutMs: 1000, retry: { attempts: 1 } });
    const error = await t.throwsAsync(opened.repository.tags(), { code } as object);
    t.regex(String(error), new RegExp(`cannot list tags at ${host}/team/app: `));
    t.truthy((error as { hint?: string }).hint);
  });
