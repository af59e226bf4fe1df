/** Uploads whose source begins late, or never: a server does not wait with an open connection until it does. */
import diagnostics from "node:diagnostics_channel";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import test, { type ExecutionContext } from "ava";
import { digestOf } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { parseReference } from "../../registry/reference.ts";
import { clientFor } from "../doubles/registry-client.ts";

const content = Buffer.from("a layer");
const blob = { mediaType: mediaTypes.ociLayer, digest: digestOf(content), size: content.length };

/** A registry that takes every blob, the requests that it got, and our ends of the connections to it. */
async function scene(t: ExecutionContext) {
  const requests: string[] = [];
  const ends: Socket[] = [];
  const server = createServer((incoming, response) => {
    requests.push(`${incoming.method} ${incoming.url?.replace(/\?.*/, "")}`);
    incoming.resume();
    incoming.once("end", () => {
      const status = { POST: 202, PUT: 201, PATCH: 202, GET: 200 }[incoming.method ?? ""] ?? 404;
      response.writeHead(status, incoming.method === "GET" ? {} : { location: "/up/1" }).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const hear = (message: unknown) => void ends.push((message as { socket: Socket }).socket);
  diagnostics.subscribe("net.client.socket", hear);
  t.teardown(() => {
    diagnostics.unsubscribe("net.client.socket", hear);
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const repository = clientFor(t).repository(parseReference(`${host}/team/app`));
  const becomeTired = async () => {
    const closed = ends.filter((socket) => !socket.closed).map((socket) => once(socket, "close"));
    server.closeIdleConnections();
    await Promise.all(closed);
  };
  return { requests, repository, becomeTired };
}

test.serial("a connection that the server ends before the source has begun is not the one that is used", async (t) => {
  const { requests, repository, becomeTired } = await scene(t);
  const late = async function* () {
    await becomeTired();
    yield content;
  };
  t.is(await repository.pushBlob(blob, late), "sent");
  t.deepEqual(
    requests.filter((request) => !request.startsWith("GET /v2/")),
    [`HEAD /v2/team/app/blobs/${blob.digest}`, "POST /v2/team/app/blobs/uploads/", "PUT /up/1"],
    "nothing was tried twice",
  );
});

test.serial("the same for a layer that is sent while it is being made", async (t) => {
  const { requests, repository, becomeTired } = await scene(t);
  const upload = await repository.startUpload();
  const late = async function* () {
    await becomeTired();
    yield content;
  };
  t.is(await upload.write(late()), content.length);
  t.is(requests.at(-1), "PATCH /up/1");
});

test.serial("a push whose source never begins ends as soon as it is given up", async (t) => {
  const { repository } = await scene(t);
  const giveUp = new AbortController();
  const never = async function* (): AsyncGenerator<Uint8Array> {
    giveUp.abort(new Error("enough"));
    await new Promise(() => {});
  };
  await t.throwsAsync(repository.pushBlob(blob, never, { signal: giveUp.signal }), { message: "enough" });
});

test.serial("what keeps a source from beginning is told as it is, and nothing is sent", async (t) => {
  const { requests, repository } = await scene(t);
  // biome-ignore lint/correctness/useYield: it fails before it has anything to give
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    throw new WbuildError("REG_INCOMPLETE", "it is not here");
  };
  const error = await t.throwsAsync(repository.pushBlob(blob, failing));
  t.true(isWbuildError(error, "REG_INCOMPLETE"), String(error));
  t.false(requests.includes("PUT /up/1"));
});
