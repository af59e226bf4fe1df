import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { arrive, isTarFile, unpackedTar } from "../../../builder/context/unpacked-tar.ts";
import { steeringLimit } from "../../../builder/dockerfile/steering-file.ts";
import { openStore } from "../../../layerfs/store/store.ts";
import { isWbuildError } from "../../../native/error.ts";
import { sha256 } from "../../doubles/file-server.ts";
import { tarOf } from "../../doubles/images.ts";

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-tar-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function* pieces(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

const tar = (name = "a") => tarOf([[name, "x"]]);

test("a stream arrives whole, with its digest", async (t) => {
  const { path, ...arrived } = await arrive(pieces("one", "two"), folderOf(t), 100);
  t.deepEqual(arrived, { digest: `sha256:${sha256("onetwo")}`, size: 6 });
});

test("a stream that is too long is refused as soon as it is", async (t) => {
  let given = 0;
  async function* endless() {
    for (;;) {
      given++;
      yield Buffer.alloc(60);
    }
  }
  const error = await t.throwsAsync(arrive(endless(), folderOf(t), 100));
  t.true(isWbuildError(error, "CTX_TOO_LARGE"), String(error));
  t.is(given, 2);
});

test("of what is no tar no more is read than of a Dockerfile", async (t) => {
  async function* endless() {
    for (;;) yield Buffer.alloc(1 << 20);
  }
  const { size } = await arrive(endless(), folderOf(t), 1 << 30);
  t.true(size > steeringLimit && size <= steeringLimit + (1 << 20), `${size}`);
  for (const begin of [await tar(), gzipSync(await tar())]) {
    const long = [begin, Buffer.alloc(steeringLimit), Buffer.alloc(steeringLimit), "end"];
    const whole = await arrive(pieces(...long), folderOf(t), 1 << 30);
    t.is(whole.size, begin.length + 2 * steeringLimit + 3);
  }
});

test("a full disk is told as one", async (t) => {
  const folder = folderOf(t);
  symlinkSync("/dev/full", join(folder, "arrived"));
  const error = await t.throwsAsync(arrive(pieces("one"), folder, 100));
  t.true(isWbuildError(error, "STORE_FULL"), String(error));
});

const table: [name: string, bytes: () => Promise<Uint8Array>, expected: boolean][] = [
  ["a tar", () => tar(), true],
  ["a compressed tar", async () => gzipSync(await tar()), true],
  ["a Dockerfile", async () => Buffer.from("FROM scratch\n".repeat(100)), false],
  ["a compressed Dockerfile", async () => gzipSync("FROM scratch\n".repeat(100)), false],
  ["what only begins as gzip", async () => Buffer.from([0x1f, 0x8b, 1, 2, 3]), false],
  ["a damaged header", async () => Buffer.from((await tar()).map((byte, i) => (i === 3 ? byte + 1 : byte))), false],
  ["nothing", async () => Buffer.alloc(0), false],
  ["zeros", async () => Buffer.alloc(2048), false],
];
for (const [name, bytes, expected] of table)
  test(`${name} is ${expected ? "a" : "no"} tar`, async (t) => {
    const path = join(folderOf(t), "file");
    writeFileSync(path, await bytes());
    t.is(await isTarFile(path), expected);
  });

for (const name of [".wh.Dockerfile", "d/.wh..wh..opq"])
  test(`a tar with ${name} is refused: as a layer it would delete`, async (t) => {
    const store = openStore(folderOf(t));
    t.teardown(() => store[Symbol.dispose]());
    const arrived = await arrive(pieces(await tar(name)), folderOf(t), 1 << 20);
    const error = await t.throwsAsync(unpackedTar(store, arrived, "standard input"));
    t.true(isWbuildError(error, "CTX_TAR") && isWbuildError(error.cause, "LAYER_WHITEOUT_NAME"), String(error));
  });
