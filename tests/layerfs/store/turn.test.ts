/** Two who want the same blob at once: one fetches it, the other waits and finds it; nobody waits for one who stands still. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { layoutOf } from "../../../layerfs/store/layout.ts";
import { takeTurn } from "../../../layerfs/store/turn.ts";
import { makeHome, mediaType } from "./home.ts";

const content = Buffer.alloc(300_000, "layer");
const blob: Descriptor = { mediaType, digest: digestOf(content), size: content.length };
const never = { isHere: () => false };

/** A transfer that stands in the middle until it is told to go on or to break off; `begun` once it stands there. */
function transfer() {
  let goOn: () => void = () => undefined;
  let breakOff: (error: Error) => void = () => undefined;
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const waiting = new Promise<void>((resolve, reject) => {
    goOn = resolve;
    breakOff = reject;
  });
  async function* openAt(from: number) {
    yield content.subarray(from, 200_000);
    begin();
    await waiting;
    yield content.subarray(200_000);
  }
  return { openAt, begun, goOn: () => goOn(), breakOff: (error: Error) => breakOff(error) };
}

/** A store's fetch, and from where its transfers began. */
function counted() {
  const from: number[] = [];
  async function* openAt(at: number) {
    from.push(at);
    yield content.subarray(at);
  }
  return { openAt, from };
}

test("who comes second waits, and finds the blob without a transfer of its own", async (t) => {
  using home = makeHome();
  const [first, second] = [transfer(), counted()];
  const one = home.store.blobs.fetch?.(blob, first.openAt);
  await first.begun;
  const two = home.again().blobs.fetch?.(blob, second.openAt);
  const same = home.store.blobs.fetch?.(blob, second.openAt);
  first.goOn();
  t.deepEqual(await Promise.all([one, two, same]), [blob, blob, blob]);
  t.deepEqual(second.from, []);
  t.deepEqual(readdirSync(layoutOf(home.path).temp), [], "nothing is left of it");
});

test("when the first one fails, the next fetches itself", async (t) => {
  using home = makeHome();
  const [first, second] = [transfer(), counted()];
  const one = home.store.blobs.fetch?.(blob, first.openAt);
  await first.begun;
  const two = home.again().blobs.fetch?.(blob, second.openAt);
  first.breakOff(new Error("broken off"));
  await t.throwsAsync(async () => one, { message: "broken off" });
  t.deepEqual(await two, blob);
  t.is(second.from.length, 1);
});

test("who waits can be stopped, and the one who fetches goes on", async (t) => {
  using home = makeHome();
  const [first, second] = [transfer(), counted()];
  const one = home.store.blobs.fetch?.(blob, first.openAt);
  await first.begun;
  const ended = new AbortController();
  const two = home.again().blobs.fetch?.(blob, second.openAt, { signal: ended.signal });
  ended.abort(new Error("enough"));
  await t.throwsAsync(async () => two, { message: "enough" });
  first.goOn();
  t.deepEqual([await one, second.from], [blob, []]);
});

test("a transfer that does not grow is waited for no longer", async (t) => {
  using home = makeHome();
  const layout = layoutOf(home.path);
  const held = await takeTurn(layout, blob.digest, never);
  const other = await takeTurn(layout, blob.digest, { ...never, stallMs: 1 });
  other[Symbol.dispose]();
  const file = join(layout.temp, `turn-${blob.digest.slice("sha256:".length)}`);
  t.true(existsSync(file), "the turn is still the first one's");
  held[Symbol.dispose]();
  t.false(existsSync(file));
});

test("where there is no folder for it, nobody waits", async (t) => {
  const turn = await takeTurn(layoutOf("/nowhere"), blob.digest, never);
  t.notThrows(() => turn[Symbol.dispose]());
});

test("what a killed process left of its turn goes with the next collection, and hinders nobody", async (t) => {
  using home = makeHome();
  const layout = layoutOf(home.path);
  const held = await takeTurn(layout, blob.digest, never);
  t.deepEqual(
    (await home.store.collect()).removed.map(({ kind }) => kind),
    ["temp"],
  );
  const next = await takeTurn(layout, blob.digest, never);
  next[Symbol.dispose]();
  held[Symbol.dispose]();
  t.deepEqual(readdirSync(layout.temp), []);
});
