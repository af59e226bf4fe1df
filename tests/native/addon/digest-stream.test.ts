import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { DigestStream } from "../../../native/addon/digest-stream.ts";

const sha256 = (...parts: Uint8Array[]): `sha256:${string}` => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return `sha256:${hash.digest("hex")}`;
};

/** A file with content, and a descriptor of it, for reading and writing. */
function file(t: ExecutionContext, content: Uint8Array = new Uint8Array()) {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-digest-"));
  const path = join(folder, "file");
  writeFileSync(path, content);
  const fd = openSync(path, "r+");
  t.teardown(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  return { path, fd };
}

async function pushAll(stream: DigestStream, bytes: Uint8Array, step: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += step) await stream.push(bytes.subarray(at, at + step));
}

for (const [size, step] of [
  [0, 1],
  [1, 1],
  [1000, 7],
  [300_000, 64 * 1024],
  [256 * 1024, 256 * 1024],
  [3_000_000, 16 * 1024],
  [12_000_000, 12_000_000],
] as const)
  test(`digest-stream: ${size} bytes in chunks of ${step} are hashed, and written where a file is given`, async (t) => {
    const bytes = randomBytes(size);
    const hashed = new DigestStream();
    await pushAll(hashed, bytes, step);
    t.is(await hashed.finish(), sha256(bytes));

    const { path, fd } = file(t);
    const written = new DigestStream({ fd, at: 0 });
    await pushAll(written, bytes, step);
    t.is(await written.finish(), sha256(bytes));
    t.true(readFileSync(path).equals(bytes));
  });

test("digest-stream: what stands in the file before the first byte is a part of the digest", async (t) => {
  const [before, lost, bytes] = [randomBytes(700_001), randomBytes(50), randomBytes(400_000)];
  const { path, fd } = file(t, Buffer.concat([before, lost]));
  const stream = new DigestStream({ fd, at: before.length });
  await pushAll(stream, bytes, 64 * 1024);
  t.is(await stream.finish(), sha256(before, bytes));
  t.true(readFileSync(path).equals(Buffer.concat([before, bytes])));
});

test("digest-stream: a file that is shorter than was thought gives another digest, and no failure", async (t) => {
  const { path, fd } = file(t, Buffer.from("short"));
  const stream = new DigestStream({ fd, at: 100 });
  await stream.push(Buffer.from("end"));
  t.is(await stream.finish(), sha256(Buffer.from("shortend")));
  t.is(statSync(path).size, 103);
});

test("digest-stream: a chunk is copied, and stays the caller's", async (t) => {
  const bytes = randomBytes(100_000);
  const copy = Buffer.from(bytes);
  const stream = new DigestStream();
  await stream.push(bytes);
  bytes.fill(0);
  t.is(await stream.finish(), sha256(copy));
});

test("digest-stream: a spent chunk loses its memory once it is used, unless it shares it", async (t) => {
  const alone = new Uint8Array(100_000).fill(1);
  const memory = new Uint8Array(100_000).fill(2);
  const part = memory.subarray(0, 50_000);
  const large = new Uint8Array(1_500_000).fill(3);
  const parts = [Buffer.from("head"), alone, part, large, Buffer.from("tail")];
  const expected = Buffer.concat(parts);
  const { path, fd } = file(t);
  const stream = new DigestStream({ fd, at: 0 });
  for (const each of parts) await stream.push(each, true);
  t.is(await stream.finish(), sha256(expected));
  t.true(readFileSync(path).equals(expected));
  t.is(alone.length, 0);
  t.is(memory.length, 100_000);
  t.is(part[49_999], 2);
});

test("digest-stream: spent chunks that cannot be written are freed, too", async (t) => {
  const fd = openSync("/dev/full", "r+");
  t.teardown(() => closeSync(fd));
  const stream = new DigestStream({ fd, at: 0 });
  const chunks = Array.from({ length: 50 }, () => new Uint8Array(256 * 1024));
  await t.throwsAsync(async () => {
    for (const chunk of chunks) await stream.push(chunk, true);
    await stream.finish();
  });
  // Memory is freed when the next chunk comes.
  await t.throwsAsync(async () => stream.push(new Uint8Array(64 * 1024), true));
  t.is(chunks[0]?.length, 0);
});

test("digest-stream: spent chunks are freed while more of them come", async (t) => {
  const stream = new DigestStream();
  const chunks = Array.from({ length: 200 }, () => new Uint8Array(256 * 1024));
  let most = 0;
  for (const [i, chunk] of chunks.entries()) {
    await stream.push(chunk, true);
    most = Math.max(most, chunks.slice(0, i).filter(({ length }) => length > 0).length);
  }
  await stream.finish();
  t.true(most < 20, `${most} chunks waited to be freed`);
  t.true(chunks.every(({ length }) => length === 0));
});

test("digest-stream: who gives bytes faster than they are used is made to wait", async (t) => {
  // The zeros before the first byte keep the thread busy.
  const { fd } = file(t);
  const zeros = 64 * 1024 * 1024;
  ftruncateSync(fd, zeros);
  const chunk = randomBytes(64 * 1024);
  const stream = new DigestStream({ fd, at: zeros });
  let wait: Promise<void> | undefined;
  let pushed = 0;
  while (!wait && pushed < 1000) {
    wait = stream.push(chunk);
    pushed++;
  }
  t.truthy(wait);
  await wait;
  t.is(stream.push(chunk), undefined);
  await stream.finish();
  t.is(statSync(`/proc/self/fd/${fd}`).size, zeros + (pushed + 1) * chunk.length);
});

test("digest-stream: bytes of a stream that pauses reach the file without its end", async (t) => {
  const { path, fd } = file(t);
  const stream = new DigestStream({ fd, at: 0 });
  await stream.push(Buffer.from("a few"));
  while (statSync(path).size < 5) await setImmediate();
  t.is(readFileSync(path, "utf8"), "a few");
  await stream.finish();
});

test("digest-stream: what cannot be written is told with its reason, to who gives more and at the end", async (t) => {
  const fd = openSync("/dev/full", "r+");
  t.teardown(() => closeSync(fd));
  const stream = new DigestStream({ fd, at: 0 });
  const giving = async () => {
    for (;;) {
      await stream.push(Buffer.alloc(256 * 1024));
      await setImmediate();
    }
  };
  for (const failing of [giving, () => stream.finish()]) {
    const error = await t.throwsAsync(failing, { code: "LAYER_IO", message: /no space left/ });
    t.like(error, { facts: { errno: "ENOSPC" } });
  }
});

test("digest-stream: the end may be asked for twice", async (t) => {
  const stream = new DigestStream();
  await stream.push(Buffer.from("bytes"));
  t.is(await stream.finish(), await stream.finish());
});
