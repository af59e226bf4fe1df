/** What a collection takes, where its lists of files are older than the rows that it reads. */
import test from "ava";
import { type Candidates, chooseVictims } from "../../../layerfs/store/choose.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";

const blob = digestOf("blob");
const diffId = digestOf("tar");
const chain = digestOf("chain");

/** A layer that is cached and unpacked, put after the files were listed, by a process that was killed since. */
const late: Candidates = {
  held: new Set(),
  refs: [],
  cache: [{ key: "a step", keeps: [blob], created: 1, used: 1 }],
  snapshots: [{ chain_id: chain, diff_id: diffId, folder: "f", created: 1, used: 1, bytes: 1 }],
  layers: [{ blob, diff_id: diffId }],
  blobs: new Map(),
  indexes: new Map(),
  folders: [],
};

test("what is there, and in no list, stays with all that belongs to it", (t) => {
  const { cache, snapshots, layers } = chooseVictims({ ...late, isLost: () => false }, {});
  t.deepEqual([cache, snapshots, layers], [[], [], []]);
});

test("what is in no list and not there goes with all that belongs to it", (t) => {
  const { cache, snapshots, layers } = chooseVictims({ ...late, isLost: (digest) => digest === blob }, {});
  t.deepEqual([cache.length, snapshots.length, layers], [1, 1, [blob]]);
});
