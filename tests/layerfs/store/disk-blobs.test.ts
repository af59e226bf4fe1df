/** Blobs on disk: the contract, and what only a disk can do wrong. */
import { chmodSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { type Digest, digestOf } from "../../../layerfs/store/digest.ts";
import { isWbuildError } from "../../../native/error.ts";
import { blobStoreContract, gather } from "../../contracts/blob-store.ts";
import { makeHome, mediaType, putText } from "./home.ts";

blobStoreContract("disk blobs", async () => {
  const home = makeHome();
  return { blobs: home.store.blobs, [Symbol.asyncDispose]: async () => home[Symbol.dispose]() };
});

const temp = (home: { path: string }) => readdirSync(join(home.path, "store-v1/temp"));

test("a blob lies at blobs/sha256/ab/<hex>, read-only, in a folder for its owner alone", async (t) => {
  using home = makeHome();
  const blob = await putText(home.store, "content");
  const hex = blob.digest.slice(7);
  const path = join(home.path, "store-v1/blobs/sha256", hex.slice(0, 2), hex);
  t.is(home.store.blobs.path(blob.digest), path);
  t.is(statSync(path).mode & 0o777, 0o444);
  t.is(statSync(join(home.path, "store-v1")).mode & 0o777, 0o700);
  t.deepEqual(temp(home), []);
});

for (const evil of ["sha256:../../../etc/passwd", `sha256:${"A".repeat(64)}`, `sha256:${"a".repeat(64)}/x`, "md5:00"]) {
  test(`a digest that is a path is refused: ${evil}`, async (t) => {
    using home = makeHome();
    const { blobs } = home.store;
    const digest = evil as Digest;
    for (const attempt of [blobs.has(digest), gather(blobs.open({ digest, size: 1 }))]) {
      const error = await t.throwsAsync(Promise.resolve(attempt));
      t.true(isWbuildError(error, "STORE_DIGEST_SYNTAX"), String(error));
    }
    t.true(
      isWbuildError(
        t.throws(() => blobs.path(digest)),
        "STORE_DIGEST_SYNTAX",
      ),
    );
  });
}

const spoils: [name: string, spoil: (path: string) => void][] = [
  ["one byte changed", (path) => writeFileSync(path, "Content")],
  ["truncated", (path) => truncateSync(path, 3)],
  ["emptied", (path) => truncateSync(path, 0)],
  ["longer", (path) => writeFileSync(path, "content and more")],
];
for (const [name, spoil] of spoils) {
  test(`a blob that is ${name} is found out when read, found by verify, and healed by another put`, async (t) => {
    using home = makeHome();
    const { store } = home;
    const blob = await putText(store, "content");
    await putText(store, "sound");
    const path = store.blobs.path(blob.digest);
    chmodSync(path, 0o644);
    spoil(path);
    const error = await t.throwsAsync(gather(store.blobs.open(blob)));
    t.true(isWbuildError(error, "STORE_CORRUPT"), String(error));
    const report = await store.verify();
    t.deepEqual([report.checked, report.corrupt.map((one) => [one.digest, one.removed])], [2, [[blob.digest, false]]]);
    t.is((await store.verify({ remove: true })).corrupt[0]?.removed, true);
    t.is(await store.blobs.has(blob.digest), undefined);
    await putText(store, "content");
    t.is(String(await gather(store.blobs.open(blob))), "content");
    t.deepEqual((await store.verify()).corrupt, []);
  });
}

test("a stored blob of the wrong size is replaced by the next put", async (t) => {
  using home = makeHome();
  const blob = await putText(home.store, "content");
  chmodSync(home.store.blobs.path(blob.digest), 0o644);
  truncateSync(home.store.blobs.path(blob.digest), 2);
  await putText(home.store, "content");
  t.is(String(await gather(home.store.blobs.open(blob))), "content");
});

test("a reserved file becomes a blob, and is gone when it does not", async (t) => {
  using home = makeHome();
  const { blobs } = home.store;
  const blob = { mediaType, digest: digestOf("native"), size: 6, annotations: { a: "b" } };
  {
    await using file = await blobs.reserve();
    await writeFile(file.path, "native");
    t.deepEqual(await file.commit(blob), blob);
  }
  t.is(String(await gather(blobs.open(blob))), "native");
  {
    await using file = await blobs.reserve();
    await writeFile(file.path, "native");
    await file.commit(blob);
  }
  {
    await using file = await blobs.reserve();
    await writeFile(file.path, "never finished");
  }
  {
    await using file = await blobs.reserve();
    await writeFile(file.path, "short");
    const error = await t.throwsAsync(file.commit({ ...blob, digest: digestOf("else") }));
    t.true(isWbuildError(error, "STORE_SIZE_MISMATCH"));
  }
  await blobs.reserve().then((file) => file[Symbol.asyncDispose]());
  t.deepEqual(temp(home), []);
  t.is((await home.store.verify()).checked, 1);
});
