import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { writeStream } from "../../../layerfs/store/write-stream.ts";

async function file(t: ExecutionContext, at?: string) {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-write-"));
  const path = at ?? join(folder, "file");
  const handle = await open(path, at === undefined ? "w+" : "r+");
  t.teardown(async () => {
    await handle.close();
    rmSync(folder, { recursive: true });
  });
  return { path, handle };
}

async function* parts(bytes: Uint8Array, end?: Error) {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
  if (end) throw end;
}

const noCheck = () => {};

test("write-stream: all bytes are in the file, and their digest is told", async (t) => {
  const { path, handle } = await file(t);
  const bytes = randomBytes(5_000_000);
  const digest = await writeStream(handle, parts(bytes), noCheck, { path, at: 0 });
  t.is(digest, `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
  t.true(readFileSync(path).equals(bytes));
});

test("write-stream: all that came before a stream breaks is in the file", async (t) => {
  const { path, handle } = await file(t);
  const bytes = randomBytes(1_000_000);
  const broken = new Error("broken");
  t.is(await t.throwsAsync(writeStream(handle, parts(bytes, broken), noCheck, { path, at: 0 })), broken);
  t.true(readFileSync(path).equals(bytes));
});

test("write-stream: what the check refuses is not written, and what came before it is", async (t) => {
  const { path, handle } = await file(t);
  const refused = new Error("refused");
  let seen = 0;
  const check = ({ length }: Uint8Array) => {
    seen += length;
    if (seen > 120_000) throw refused;
  };
  t.is(await t.throwsAsync(writeStream(handle, parts(randomBytes(400_000)), check, { path, at: 0 })), refused);
  t.is(readFileSync(path).length, 100_000);
});

test("write-stream: chunks stay their giver's, unless they are spent", async (t) => {
  const { path, handle } = await file(t);
  const chunks = () => [new Uint8Array(70_000).fill(1), new Uint8Array(70_000).fill(2)] as const;
  for (const [areSpent, left] of [
    [false, 70_000],
    [undefined, 70_000],
    [true, 0],
  ] as const) {
    const given = chunks();
    async function* stream() {
      yield* given;
    }
    await writeStream(handle, stream(), noCheck, { path, at: 0, areSpent });
    t.deepEqual(
      given.map(({ length }) => length),
      [left, left],
    );
    t.true(readFileSync(path).equals(Buffer.concat(chunks())));
  }
});

test("write-stream: a full disk ends an endless stream, and is told as the store's", async (t) => {
  const { path, handle } = await file(t, "/dev/full");
  async function* endless() {
    for (;;) yield randomBytes(50_000);
  }
  const error = await t.throwsAsync(writeStream(handle, endless(), noCheck, { path, at: 0 }), { code: "STORE_FULL" });
  t.like(error, { facts: { path: "/dev/full", reason: "ENOSPC" } });
});

test("write-stream: the failure of the stream is told, not that of the disk behind it", async (t) => {
  const { path, handle } = await file(t, "/dev/full");
  const broken = new Error("broken");
  t.is(await t.throwsAsync(writeStream(handle, parts(randomBytes(10), broken), noCheck, { path, at: 0 })), broken);
});
