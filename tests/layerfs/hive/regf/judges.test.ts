/** Every real hive, every one that we write anew, and random ones are listed by two other readers as we read them. */
import type { ExecutionContext } from "ava";
import fc from "fast-check";
import type { Hive } from "../../../../layerfs/hive/key.ts";
import { checkHive } from "../../../../layerfs/hive/regf/check.ts";
import { readHive } from "../../../../layerfs/hive/regf/read.ts";
import { writeHive } from "../../../../layerfs/hive/regf/write.ts";
import { testUnless } from "../../../doubles/test-unless.ts";
import {
  asHivexml,
  asRegfexport,
  asReglookup,
  hivexmlLines,
  noJudges,
  regfexportLines,
  reglookupLines,
} from "./judges.ts";
import { plainHives } from "./random.ts";
import { absent, fileWith, real, soundHives } from "./real.ts";

/** The first difference, or undefined: a diff of 130,000 lines helps nobody. */
function difference(found: readonly string[], wanted: readonly string[]): string | undefined {
  for (let at = 0; at < Math.max(found.length, wanted.length); at++) {
    if (found[at] !== wanted[at]) return `${found[at]?.slice(0, 1000)}\nwhere we read\n${wanted[at]?.slice(0, 1000)}`;
  }
  return undefined;
}

function judge(t: ExecutionContext, bytes: Uint8Array, hive: Hive): void {
  const file = fileWith(t, bytes);
  t.is(difference(reglookupLines(file), asReglookup(hive)), undefined, "reglookup");
  if (hive.differencing) t.is(difference(regfexportLines(file), asRegfexport(hive)), undefined, "regfexport");
  else t.is(difference(hivexmlLines(file), asHivexml(hive)), undefined, "hivexml");
}

for (const name of soundHives) {
  testUnless(absent ?? noJudges)(
    `${name} is listed by two other readers as by us, and so it is when we wrote it anew`,
    (t) => {
      const hive = readHive(real(name));
      judge(t, hive.bytes, hive);
      const written = writeHive(hive);
      judge(t, written, hive);
      t.deepEqual(checkHive(written), []);
    },
  );
}

const generated = testUnless(noJudges);

generated(`random hives are listed by two other readers as they were made${noJudges ?? ""}`, (t) => {
  fc.assert(
    // Not 1.4: reglookup reads big data in segments only from 1.5 on.
    fc.property(plainHives("readable"), fc.constantFrom(3, 5, 6), (hive, minor) => {
      judge(t, writeHive(hive, { minor: minor as 3 | 5 | 6 }), hive);
    }),
    { numRuns: 60 },
  );
});
