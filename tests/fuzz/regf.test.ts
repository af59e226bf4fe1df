import { randomInt } from "node:crypto";
import test from "ava";
import { isFuzzing, seedOf } from "../seed.ts";
import { exercise } from "./regf-exercise.ts";

test("regf: spoilt hives and logs end in a smaller tree or in an error of ours, soon", (t) => {
  t.timeout(290_000);
  const seed = seedOf(() => randomInt(2 ** 31));
  const { damaged, recovered, slowest } = exercise(isFuzzing ? 50_000 : 3000, seed);
  t.log(`seed ${seed}: ${damaged} damaged, ${recovered} recovered, slowest ${Math.round(slowest)} ms`);
  // Else the mutations have stopped meeting anything.
  t.true(damaged > 500);
  t.true(recovered > 100);
});
