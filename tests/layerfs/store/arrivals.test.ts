/** Blobs that are read while they come: what a reader gets, when, and what it is worth. */
import { readdirSync, readlinkSync } from "node:fs";
import test from "ava";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { gather } from "../../contracts/blob-store.ts";
import { makeHome, mediaType } from "./home.ts";

const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
const blob: Descriptor = { mediaType, digest: digestOf(content), size: content.length };

/** A promise, and what settles it. */
function later<T = void>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Half of the content, and the rest when somebody lets it. */
function inTwoParts(rest: Promise<unknown>) {
  return async function* (from: number) {
    const half = content.length / 2;
    if (from < half) yield content.subarray(from, half);
    await rest;
    yield content.subarray(Math.max(from, half));
  };
}

test("a reader has what came before the transfer has ended", async (t) => {
  using home = makeHome();
  const { blobs } = home.store;
  const rest = later();
  const coming = blobs.fetch?.(blob, inTwoParts(rest.promise)) ?? Promise.reject();
  const parts: Uint8Array[] = [];
  for await (const part of (await blobs.follow(blob.digest, coming)) ?? []) {
    parts.push(part);
    if (Buffer.concat(parts).length === content.length / 2) {
      t.is(await blobs.has(blob.digest), undefined);
      rest.resolve();
    }
  }
  t.true(Buffer.concat(parts).equals(content));
  await coming;
});

test("who asks before the transfer begins waits for it; several readers each have all", async (t) => {
  using home = makeHome();
  const { blobs } = home.store;
  const begins = later();
  const coming = begins.promise.then(() => blobs.fetch?.(blob, inTwoParts(Promise.resolve())));
  const readers = [blobs.follow(blob.digest, coming), blobs.follow(blob.digest, coming)];
  begins.resolve();
  for (const reader of await Promise.all(readers)) t.true((await gather(reader ?? nothing())).equals(content));
  await coming;
});

test("a transfer that goes on where another broke off is read from the first byte on", async (t) => {
  using home = makeHome();
  const { blobs } = home.store;
  const broken = async function* () {
    yield content.subarray(0, 100_000);
    throw new Error("broken off");
  };
  const first = blobs.fetch?.(blob, broken) ?? Promise.reject();
  const early = await blobs.follow(blob.digest, first);
  await t.throwsAsync(first, { message: "broken off" });
  t.true((await gather(early ?? nothing())).equals(content.subarray(0, 100_000)), "all that came, and then the end");

  let asked: number | undefined;
  const second = blobs.fetch?.(blob, (from) => {
    asked = from;
    return inTwoParts(Promise.resolve())(from);
  });
  const whole = await blobs.follow(blob.digest, second ?? Promise.reject());
  t.true((await gather(whole ?? nothing())).equals(content));
  await second;
  t.is(asked, 100_000);
});

test("nothing is to be read along where the blob is here, or the transfer fails before it begins", async (t) => {
  using home = makeHome();
  const { blobs } = home.store;
  t.is(await blobs.follow(blob.digest, Promise.reject(new Error("no such registry"))), undefined);
  await blobs.put(content, { mediaType });
  const coming = blobs.fetch?.(blob, () => t.fail() as never) ?? Promise.reject();
  t.is(await blobs.follow(blob.digest, coming), undefined);
  await coming;
});

test("a reader that stops early holds up nobody", async (t) => {
  using home = makeHome();
  const { blobs } = home.store;
  const rest = later();
  const coming = blobs.fetch?.(blob, inTwoParts(rest.promise)) ?? Promise.reject();
  for await (const _ of (await blobs.follow(blob.digest, coming)) ?? []) break;
  rest.resolve();
  await coming;
  t.is(await blobs.has(blob.digest), content.length);
});

test("who never begins to read, or comes too late, leaves no file open", async (t) => {
  using home = makeHome();
  const { blobs } = home.store;
  const rest = later();
  const coming = blobs.fetch?.(blob, inTwoParts(rest.promise)) ?? Promise.reject();
  const [never, late] = [await blobs.follow(blob.digest, coming), await blobs.follow(blob.digest, coming)];
  t.truthy(never);
  rest.resolve();
  await coming;
  t.is((await gather(late ?? nothing())).length, 0);
  t.deepEqual(openFiles(blobs.path(blob.digest)), []);
});

test("reading ends when who waits for the transfer gives up, though it still goes on", async (t) => {
  using home = makeHome();
  const { blobs } = home.store;
  const rest = later();
  const transfer = blobs.fetch?.(blob, inTwoParts(rest.promise)) ?? Promise.reject();
  const given = later();
  const coming = Promise.race([transfer, given.promise]);
  let came = 0;
  for await (const part of (await blobs.follow(blob.digest, coming)) ?? []) {
    came += part.length;
    if (came === content.length / 2) given.reject(new Error("enough"));
  }
  t.is(came, content.length / 2);
  rest.resolve();
  await transfer;
});

/** Descriptors of this process that lead to a file. */
function openFiles(path: string): string[] {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  });
}
