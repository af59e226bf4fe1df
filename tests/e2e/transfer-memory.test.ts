/** Memory of transfers: none holds a layer, however large it is. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import test from "ava";
import { digestOf } from "../../layerfs/store/digest.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { onLoopback } from "../doubles/loopback.ts";
import { peakOf } from "./peak-memory.ts";
import { ok } from "./registry-shop.ts";
import { scene } from "./scene.ts";

const mib = 1024 * 1024;
/** Much more than a transfer may take. */
const parts = 200;
const part = Buffer.alloc(mib, "a part of a file, ");
/** A layer of one file, in parts. */
const layerParts = [header("big", parts * mib), ...Array.from({ length: parts }, () => part), Buffer.alloc(1024)];

/** Of a file, as in POSIX's ustar format. */
function header(name: string, size: number): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write(name);
  bytes.write("0000644\x000000000\x000000000\0", 100);
  bytes.write(`${size.toString(8).padStart(11, "0")} 00000000000         0`, 124);
  bytes.write("ustar\x0000", 257);
  const sum = bytes.reduce((all, byte) => all + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return bytes;
}

function digestOfParts() {
  const hash = createHash("sha256");
  for (const bytes of layerParts) hash.update(bytes);
  return `sha256:${hash.digest("hex")}` as const;
}

/** A registry whose `app` has an image with one large layer, and whose other repositories take everything and keep nothing. */
function shop() {
  const layer = { mediaType: mediaTypes.ociLayer, digest: digestOfParts(), size: parts * mib + 1536 };
  const platform = { architecture: "amd64", os: "linux", config: {} };
  const config = Buffer.from(JSON.stringify({ ...platform, rootfs: { type: "layers", diff_ids: [layer.digest] } }));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
      layers: [layer],
    }),
  );
  const taken = { bytes: 0 };
  const give = (path: string, method: string, response: ServerResponse) => {
    const isManifest = path.includes("/manifests/");
    const isLayer = path.endsWith(layer.digest);
    const length = isLayer ? layer.size : isManifest ? manifest.length : config.length;
    response.writeHead(200, {
      "content-length": length,
      ...(isManifest ? { "content-type": mediaTypes.ociManifest, "docker-content-digest": digestOf(manifest) } : {}),
    });
    if (method === "HEAD") response.end();
    else if (isLayer) Readable.from(layerParts).pipe(response);
    else response.end(isManifest ? manifest : config);
  };
  const server = createServer((request: IncomingMessage, response) => {
    const { method = "", url: path = "" } = request;
    const answer = () => {
      if (path === "/v2/") response.end();
      else if (method === "POST") response.writeHead(202, { location: "/up/1" }).end();
      else if (method === "PUT") response.writeHead(201).end();
      else if (path.startsWith("/v2/app/")) give(path, method, response);
      else response.writeHead(404).end();
    };
    request.on("data", (bytes: Buffer) => {
      taken.bytes += bytes.length;
    });
    request.on("end", answer);
  });
  return { server, taken };
}

test("pull with unpacking, push and copy of a large layer stay below 150 MB", async (t) => {
  const { server, taken } = shop();
  await using registry = await onLoopback(server);
  const s = await scene(t, { base: false });
  const app = `${registry.host}/app:1`;
  for (const [args, sent] of [
    [["pull", "--unpack", app], 0],
    [["push", `${registry.host}/pushed:1`], parts],
    [["copy", app, `${registry.host}/copied:1`], parts],
  ] as const) {
    if (args[0] === "push") await ok(t, s, "tag", app, args[1]);
    taken.bytes = 0;
    const most = await peakOf(t, s, ...args);
    t.is(Math.floor(taken.bytes / mib), sent, args[0]);
    t.true(most > 20 && most < 150, `${args[0]} took ${most} MB`);
  }
});
